"""Compiles Kotlin, module by module, with the Compose plugin; a warning is an error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from android_build.layout import IN_APP, INSIDE, LIBRARIES, TESTING, Module
from android_build.libraries import Libraries, app_libraries, libraries_for_tests
from android_build.outputs import made
from android_build.process import BuildError, java, joined
from android_build.resources import app_resources
from android_build.toolchain import compose_plugin, kotlin_compiler, platform
from edgekit.packaging.core import KOTLIN

_COMPILER: Final = "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"
_OPTIONS: Final = ("-no-stdlib", "-no-reflect", "-jvm-target", "17", "-Werror")
_JVM: Final = ("-Xmx2g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""A compiler runs too briefly to earn more than the quick compiler."""
_READABLE: Final = ("-language-version", KOTLIN, "-api-version", KOTLIN)
"""What is shipped compiled is read by compilers of apps, which may be older."""


def app_classes(libraries: Libraries | None = None) -> list[Path]:
    """Return the directories of the classes that the app consists of. libraries: others than the app's own set."""
    return [classes_of(module, libraries) for module in IN_APP]


def classes_of(module: Module, libraries: Libraries | None = None) -> Path:
    """Return the directory of a module's classes. libraries: as in `app_classes`."""
    against = libraries or app_libraries()
    places = [classes_of(used, libraries) for used in module.uses]
    if module.resources.is_dir():
        places.append(app_resources().r_classes)
    places += against.classpath
    if module is TESTING:
        places += libraries_for_tests().classpath
    step = f"classes-{module.name}"
    if libraries is not None:
        step += libraries.directory.parent.name.removeprefix("libraries")
    options = (
        "-module-name",
        f"{module.name}_release",
        *module.options,
        *_plugin(module),
        *(_READABLE if module in LIBRARIES else ()),
    )
    return _compiled(step, module.kotlin, [*places, platform()], against, options)


def tests_of(module: Module) -> Path:
    """Return the directory of the classes of a module's tests; they see what is internal in it."""
    app, tests = app_libraries(), libraries_for_tests()
    classes = classes_of(module)
    used = [classes_of(each) for each in (*module.uses, TESTING)]
    resources = [app_resources().r_classes] if module.resources.is_dir() else []
    classpath = [classes, *used, *resources, *app.classpath, *tests.classpath, platform()]
    options = ("-module-name", f"{module.name}_test", f"-Xfriend-paths={classes}", INSIDE, *_plugin(module))
    return _compiled(f"tests-{module.name}", module.test_kotlin, classpath, tests, options)


def _plugin(module: Module) -> list[str]:
    return [f"-Xplugin={compose_plugin()}"] if module.has_screens else []


def compile_kotlin(sources: Iterable[Path], directory: Path, against: Iterable[Path] | None = None) -> None:
    """Compile Kotlin that stands alone; no warning passes. against: Android and the app's libraries unless said."""
    places = [*app_libraries().classpath, platform()] if against is None else against
    java(
        kotlin_compiler(),
        _COMPILER,
        *_OPTIONS,
        *("-cp", joined(places), "-d", directory),
        *sources,
        options=_JVM,
    )


def _compiled(
    step: str, root: Path, classpath: Iterable[Path], libraries: Libraries, options: Sequence[str]
) -> Path:
    places = list(classpath)
    sources = _sources(root)

    def compile_all(directory: Path) -> None:
        java(
            kotlin_compiler(),
            _COMPILER,
            *_OPTIONS,
            *options,
            *("-cp", joined(places), "-d", directory),
            *sources,
            options=_JVM,
        )

    names = [path.relative_to(root).as_posix() for path in sources]
    parts = [str(path) for path in places if path.is_dir()]
    return made(
        step,
        [*names, *sources, *parts, libraries.directory, *_OPTIONS, *options, Path(__file__)],
        compile_all,
    )


def _sources(root: Path) -> list[Path]:
    sources = sorted(root.rglob("*.kt"))
    if not sources:
        raise BuildError(f"no Kotlin sources in {root}")
    return sources
