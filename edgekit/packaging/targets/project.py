"""`--to project`: the sample app as a Gradle project of the developer's own.

What is the app's own is renamed: application id, namespace, Kotlin packages, label, icon and version. The libraries
that it is built on, with the names that JNI looks for, stay as they are. Renaming is safe because the sample app writes
its package in two spellings only, dotted and as folders, in one place each or in lines that begin with `package` or
`import`.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edgekit.bundle.directory import TASKS_NAME
from edgekit.errors import MissingToolError
from edgekit.packaging.app import (
    SIGNER_NAME,
    AppOptions,
    app_facts,
    app_made_of,
    app_notes,
    app_told,
    icon_of,
    identity_of,
    libraries_of,
    refuse_app,
    signer_of,
)
from edgekit.packaging.identity import Identity
from edgekit.packaging.source import Job, Source, copy_file, place_assets, write_text
from edgekit.packaging.target import PackageTarget, Written
from edgekit.quoting import android_string, groovy_string, kotlin_package, markdown, toml_string
from edgekit.runtime.library import LIBRARY, engine_version

SAMPLE_PACKAGE: Final = "dev.edgekit.sample"
SAMPLE_ID: Final = "dev.edgekit.app"
SAMPLE_PROJECT: Final = "edgekit-sample"

_PLACES: Final = (Path(__file__).parents[2] / "shipped_sample", Path(__file__).parents[3] / "android-sample")
_BUILD_OUTPUT: Final = (".gradle", ".idea", ".cxx", ".kotlin", "build", "local.properties")
_ASSETS: Final = "app/src/main/assets"
_ENGINE: Final = "edgekit-core/src/main/jniLibs"
_NOT_TAKEN: Final = (
    "README.md",
    "gradle/tests.gradle",
    "edgekit-delivery",
    "edgekit-testing",
    "edgekit-core/api",
    "edgekit-compose/api",
    _ASSETS,
    _ENGINE,
)
_TESTS: Final = "src/test"
_WITH_TESTS: Final = ("app", "edgekit-core")
"""Modules whose build files speak of tests."""

_SOURCES: Final = (".kt", ".java", ".gradle", ".xml", ".pro", ".toml", ".c", ".h", ".txt", ".properties")
_FOREGROUND: Final = "app/src/main/res/drawable-nodpi/ic_launcher_foreground.png"
_LAUNCHER: Final = "app/src/main/res/mipmap-anydpi/ic_launcher.xml"


def sample_app() -> Path:
    """The directory of the sample app: beside the package in the wheel, at the root in a checkout."""
    for place in _PLACES:
        if (place / "settings.gradle").is_file():
            return place
    raise MissingToolError("the sample app is not installed", remedy="install edgekit from its wheel")


def write_project(job: Job, directory: Path, options: AppOptions) -> Written:
    """Write the project into an empty directory.

    Raises MissingToolError when the engine cannot be downloaded, InputError when the icon cannot be used.
    """
    libraries, identity = libraries_of(options), identity_of(job.source, options)
    _copy_sample(sample_app(), directory)
    _rename(directory, identity.application_id)
    _set_up(directory, job.source.name, identity, options.each_abi)
    if (icon := icon_of(job.source, options)) is not None:
        _put_icon(directory, icon)
    place_assets(job.source.contents, directory / _ASSETS / "edgekit", job.progress)
    if (signer := signer_of(options)) is not None:
        (directory / _ASSETS / SIGNER_NAME).write_bytes(signer)
    size = sum(library.stat().st_size for library in libraries.values())
    with job.progress.step("copy the engine", size, "bytes") as advance:
        for abi, library in libraries.items():
            place = directory / _ENGINE / abi
            place.mkdir(parents=True)
            copy_file(library, place / LIBRARY, advance)
    write_text(directory / "README.md", _readme(job.source, identity, options.each_abi))
    return Written(
        next_steps=("open {output} in Android Studio", "cd {output} && ./gradlew assembleDebug"),
        notes=(*app_notes(identity), *job.play.advice),
        facts=app_facts(identity, options),
        told=app_told(identity, options),
    )


# ---------------------------------------- copying and renaming


def _copy_sample(sample: Path, directory: Path) -> None:
    def left_out(folder: str, names: list[str]) -> set[str]:
        inside = Path(folder).relative_to(sample)
        paths = {name: (inside / name).as_posix() for name in names}
        left = {name for name, path in paths.items() if path in _NOT_TAKEN or path.endswith(_TESTS)}
        return left | {name for name in names if name in _BUILD_OUTPUT}

    shutil.copytree(sample, directory, ignore=left_out, dirs_exist_ok=True)
    (directory / "gradlew").chmod(0o755)  # a wheel may have lost it


def _rename(directory: Path, package: str) -> None:
    """Rename the sample's package, in both spellings, and its application id."""
    for path in sorted(directory.rglob("*")):
        if path.suffix in _SOURCES and path.is_file():
            text = path.read_text(encoding="utf-8")
            renamed = rename_source(text, package, kotlin=path.suffix == ".kt")
            if renamed != text:
                path.write_text(renamed, encoding="utf-8", newline="")
    for root in sorted(directory.glob("app/src/*/kotlin")):
        old = root.joinpath(*SAMPLE_PACKAGE.split("."))
        staged = root / ".renamed"
        old.rename(staged)
        for parent in list(old.parents):
            if parent == root:
                break
            parent.rmdir()
        new = root.joinpath(*package.split("."))
        new.parent.mkdir(parents=True, exist_ok=True)
        staged.rename(new)


def rename_source(text: str, package: str, *, kotlin: bool) -> str:
    """Rename the sample's package in one source file.

    kotlin: quote words of the Kotlin language in `package` and `import` lines, where they may be part of a package.
    """
    if kotlin:
        quoted = kotlin_package(package)
        text = re.sub(
            rf"^(package|import)(\s+){re.escape(SAMPLE_PACKAGE)}\b",
            lambda match: f"{match[1]}{match[2]}{quoted}",
            text,
            flags=re.MULTILINE,
        )
    text = re.sub(rf"\b{re.escape(SAMPLE_PACKAGE)}\b", package, text)
    text = re.sub(rf"\b{re.escape(SAMPLE_ID)}\b", package, text)
    return text.replace(SAMPLE_PACKAGE.replace(".", "/"), package.replace(".", "/"))


# ---------------------------------------- settings


def _set_up(directory: Path, name: str, identity: Identity, each_abi: Sequence[str]) -> None:
    _change(directory / "settings.gradle", rf"'{SAMPLE_PROJECT}'", _literal(groovy_string(name)))
    catalog = directory / "gradle/libs.versions.toml"
    _change(catalog, r'^versionCode = ".*"$', f'versionCode = "{identity.version_code}"')
    _change(catalog, r'^versionName = ".*"$', f"versionName = {_literal(toml_string(identity.version_name))}")
    _change(catalog, r"^# Read by Gradle.*$", "# Versions and API levels.")
    abis = ", ".join(map(groovy_string, each_abi))
    _change(directory / "settings.gradle", r", ':edgekit-(?:delivery|testing)'", "")
    for module in _WITH_TESTS:
        build = directory / module / "build.gradle"
        _change(build, r"abiFilters\.addAll\(\[.*?\]\)", f"abiFilters.addAll([{abis}])")
        # The sample's own tests stay behind, and with them what only they need.
        _change(build, r"^apply from: '../gradle/tests\.gradle'\n", "")
        _change(build, r"^    testImplementation .*\n", "")
        _change(build, r"\n+\}\n", "\n}\n")
        _change(build, r"\n{3,}", "\n\n")
    strings = directory / "app/src/main/res/values/strings.xml"
    text = android_string(identity.label)
    _change(strings, r'(<string name="app_name"[^>]*>).*?(</string>)', rf"\g<1>{_literal(text)}\g<2>")


def _change(path: Path, pattern: str, replacement: str) -> None:
    text = path.read_text(encoding="utf-8")
    changed = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    path.write_text(changed, encoding="utf-8", newline="")


def _literal(text: str) -> str:
    """A text as a replacement of `re.sub` that stands for itself."""
    return text.replace("\\", "\\\\")


def _put_icon(directory: Path, icon: Path) -> None:
    from edgekit.packaging.icon import draw_foreground

    foreground = draw_foreground(icon)
    (directory / _FOREGROUND).write_bytes(foreground.png)
    if not foreground.has_shape:  # a full-bleed picture has no one-coloured form
        _change(directory / _LAUNCHER, r"^ *<monochrome .*/>\n", "")


def _readme(source: Source, identity: Identity, each_abi: Sequence[str]) -> str:
    models = "model and `adapters`" if source.adapters else "model"
    return f"""\
# {markdown(identity.label)}

An Android app around the model `{source.manifest.model.file}`: Kotlin, Jetpack Compose and LiteRT-LM
{engine_version()}, made by `edgekit package --to project`. It is yours: application id and packages are
`{identity.application_id}`; `edgekit-core` and `edgekit-compose` are libraries, which keep theirs.

    ./gradlew assembleDebug      # needs JDK 17 and the Android SDK with NDK and CMake; Android Studio brings them

| where | what |
| --- | --- |
| `app/src/main/assets/edgekit` | {models}, `edgekit.json`, `NOTICE`, and in `{TASKS_NAME}` examples and buttons |
| `app/src/main/kotlin` | what the app does, and its screens |
| `edgekit-compose` | cards and fields for answers and calls, in Compose |
| `edgekit-core` | bundle, engine and answers, without a user interface |
| `edgekit-core/src/main/jniLibs` | the engine, for {", ".join(each_abi)}, from the official wheel |
| `edgekit-core/src/main/cpp` | the shim between Kotlin and the engine's C interface |

Bundle and engine are in `.gitignore`, as they are large: another machine gets them with the same command again, or from
wherever you keep large files. A new bundle goes into `assets/edgekit` under its own name, with its `edgekit.json`; the
app notices at its next start.

The terms in `NOTICE` must stay with the model.
"""


PROJECT: Final = PackageTarget(
    name="project",
    about="the sample app as a Gradle project of your own",
    options=AppOptions,
    write=write_project,
    made_of=app_made_of,
    refuse=refuse_app,
    libraries=libraries_of,
)
