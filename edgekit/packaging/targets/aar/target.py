"""The target: a folder of artifacts, or with --sources a module.

The class that the app asks is Kotlin made of the bundle's own answer formats and tools. It is compiled here, where a
compiler is found; a module needs none here, since the app's build compiles it with everything else.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from edgekit.errors import InputError
from edgekit.packaging.aar import manifest, write_aar
from edgekit.packaging.core import (
    KOTLIN_NEEDED,
    REPOSITORY,
    CoreOptions,
    core_coordinates,
    core_parts,
    deploy_core,
    engines,
    facts,
)
from edgekit.packaging.identity import check_application_id, identifier
from edgekit.packaging.kotlin.facade import Facade, facade_of
from edgekit.packaging.maven import Coordinates, Dependency, Described, deploy, write_archive
from edgekit.packaging.sbom import Part, packaged_part
from edgekit.packaging.source import Job, Source, write_text
from edgekit.packaging.target import Flag, PackageTarget, Written
from edgekit.packaging.targets.aar.compiler import compile_classes, find_compiler
from edgekit.packaging.targets.aar.module import write_module
from edgekit.packaging.targets.aar.readme import library_readme, module_readme

_PLACEHOLDER: Final = "com.example"

RULES: Final = """\
# What native code looks up by name, edgekit-core keeps itself; the class here is called from the app's own code.
"""


@dataclass(frozen=True)
class AarOptions(CoreOptions):
    """What the library is called, and how it is made. Raises InputError for an ABI that there is no engine for."""

    group: Annotated[str | None, Flag("The Maven group, and the start of the Kotlin package.")] = None
    name: Annotated[str | None, Flag("The artifact (default: the bundle's name).")] = None
    version: Annotated[str | None, Flag("The artifact's version.")] = None
    kotlinc: Annotated[
        Path | None, Flag("A Kotlin compiler (default: kotlinc, Android Studio's, Gradle's, Maven's).")
    ] = None
    without_model: Annotated[bool, Flag("The class alone: the model comes by a delivery, or in a pack.")] = (
        False
    )
    sources: Annotated[bool, Flag("Write a Gradle module instead, which the app's build compiles.")] = False


def coordinates_of(source: Source, options: AarOptions) -> Coordinates:
    """How a build names the library. Raises InputError for what Maven does not take."""
    presets = source.presets
    group = options.group or (presets.application_id or f"{_PLACEHOLDER}.models")
    name = options.name or identifier(source.name).lower().replace("_", "-")
    return Coordinates(group, name, options.version or presets.version_name or "1.0")


def package_of(at: Coordinates) -> str:
    """The Kotlin package, and the library's namespace. Raises InputError for a group that is none."""
    package = f"{at.group}.{re.sub(r'[^a-z0-9]', '', at.name.lower())}"
    try:
        check_application_id(package)
    except InputError as error:
        raise InputError(
            f"{package} is no Kotlin package: {error.message.split(': ', 1)[-1]}",
            where="--group, --name",
            remedy="words of letters and digits with dots between them, as in com.example.models",
        ) from error
    return package


def refuse(source: Source, options: AarOptions) -> None:
    """Refuse names that cannot be, and a machine without a compiler, before the engine is asked."""
    package_of(coordinates_of(source, options))
    if options.sources and options.kotlinc is not None:
        raise InputError("means nothing with --sources", where="--kotlinc", remedy="leave one of them away")
    if not options.sources:
        find_compiler(options.kotlinc)


def write_library(job: Job, folder: Path, options: AarOptions) -> Written:
    """Write artifacts or a module into an empty directory.

    Raises MissingToolError when there is no compiler, or the engine cannot be downloaded.
    """
    at = coordinates_of(job.source, options)
    facade = facade_of(
        job.source, package_of(at), assets=None if options.without_model else f"edgekit/{at.name}"
    )
    if options.sources:
        write_module(job, folder, at, facade, RULES)
        write_text(folder / "README.md", module_readme(job.source, at, facade))
        deploy_core(folder / REPOSITORY, engines(options), job.progress)
    else:
        _deploy_model(job, folder, at, facade, options)
        deploy_core(folder, engines(options), job.progress)
        write_text(folder / "README.md", library_readme(job.source, at, facade))
    module = f":{at.name}"
    return Written(
        next_steps=(
            (
                f"cp -r {{output}} YOUR-APP/{at.name}, and what its README.md says for settings.gradle.kts",
                f'dependencies {{ implementation(project("{module}")) }}',
            )
            if options.sources
            else (
                'repositories { maven { url = uri("{output}") } } in settings.gradle.kts',
                f'dependencies {{ implementation("{at}") }} in app/build.gradle.kts',
            )
        ),
        notes=(*_notes(at), *job.play.advice),
        facts={"coordinates": str(at), "package": facade.package, "class": facade.name},
        told=(("library", str(at)), ("class", f"{facade.package}.{facade.name}")),
    )


def _deploy_model(job: Job, folder: Path, at: Coordinates, facade: Facade, options: AarOptions) -> None:
    with tempfile.TemporaryDirectory(prefix="edgekit-") as name:
        source, classes = Path(name) / facade.file, Path(name) / "classes"
        write_text(source, facade.text)
        compiler = find_compiler(options.kotlinc, job.progress)
        with job.progress.step("compile the class"):
            compile_classes(compiler, source, at.name, classes)
        compiled = {
            path.relative_to(classes).as_posix(): path
            for path in sorted(classes.rglob("*"))
            if path.is_file()
        }
        jar = write_archive(Path(name) / "classes.jar", compiled).read_bytes()
    contents = job.source.contents.assets
    aar = write_aar(
        folder / "model.aar",
        manifest(facade.package, facts().min_sdk),
        classes=jar,
        rules=RULES,
        notice=contents["NOTICE"],
        assets={f"{facade.assets}/{path}": asset for path, asset in contents.items()}
        if facade.assets
        else None,
        progress=job.progress,
    )
    deploy(
        folder,
        Described(
            at,
            job.source.offer.title,
            f"{job.source.manifest.model.file} with a class to ask it by. For Kotlin {KOTLIN_NEEDED} and newer.",
            (job.source.manifest.licence or "see META-INF/NOTICE",),
            (Dependency(core_coordinates(), "compile", "aar"),),
        ),
        {
            ".aar": aar,
            "-sources.jar": write_archive(folder / "sources.jar", {facade.path: facade.text.encode()}),
        },
    )


def _notes(at: Coordinates) -> tuple[str, ...]:
    if not at.group.startswith(f"{_PLACEHOLDER}."):
        return ()
    return (f"{at.group} is a placeholder: --group",)


def made_of(source: Source, options: AarOptions) -> tuple[Part, tuple[Part, ...]]:
    """What an app gets with the library, for its bill of materials."""
    at = coordinates_of(source, options)
    subject: Part = packaged_part(source.manifest)
    return Part("library", at.name, at.version, group=at.group, sha256=subject.sha256), core_parts(
        engines(options)
    )


AAR: Final[PackageTarget[Any]] = PackageTarget(
    name="aar",
    about="a library that an app adds with Gradle",
    options=AarOptions,
    write=write_library,
    made_of=made_of,
    refuse=refuse,
    libraries=engines,
)
