"""Compiles Kotlin with the Compose plugin; a warning is an error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from android_build.layout import KOTLIN, TEST_KOTLIN
from android_build.libraries import Libraries, app_libraries, libraries_for_tests
from android_build.outputs import made
from android_build.process import BuildError, java, joined
from android_build.resources import app_resources
from android_build.toolchain import compose_plugin, kotlin_compiler, platform

_COMPILER: Final = "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"
_OPTIONS: Final = ("-no-stdlib", "-no-reflect", "-jvm-target", "17", "-Werror")


def app_classes(only: Sequence[str] = (), libraries: Libraries | None = None) -> Path:
    """Return the directory of the app's classes.

    only: packages below the app's own, to leave out what does not compile at the moment. libraries: others than the
    app's own set.
    """
    against = libraries or app_libraries()
    classpath = [app_resources().r_classes, *against.classpath, platform()]
    step = "classes" if libraries is None else libraries.directory.parent.name.replace("libraries", "classes")
    return _compiled(step, KOTLIN, only, classpath, against, ("-module-name", "app"))


def classes_for_tests(only: Sequence[str] = ()) -> Path:
    """Return the directory of the tests' classes; they see what is internal in the app."""
    app, tests = app_libraries(), libraries_for_tests()
    classes = app_classes(only)
    classpath = [classes, app_resources().r_classes, *app.classpath, *tests.classpath, platform()]
    options = ("-module-name", "app_test", f"-Xfriend-paths={classes}")
    return _compiled("classes-test", TEST_KOTLIN, only, classpath, tests, options)


def compile_kotlin(sources: Iterable[Path], directory: Path) -> None:
    """Compile Kotlin that stands alone: it sees Android, the standard library and coroutines, and no warning passes."""
    places = [*app_libraries().classpath, platform()]
    java(
        kotlin_compiler(),
        _COMPILER,
        *_OPTIONS,
        *("-cp", joined(places), "-d", directory),
        *sources,
        options=("-Xmx2g", "-XX:+UseSerialGC"),
    )


def _compiled(
    step: str,
    root: Path,
    only: Sequence[str],
    classpath: Iterable[Path],
    libraries: Libraries,
    options: Sequence[str],
) -> Path:
    places = list(classpath)
    sources = _sources(root, only)

    def compile_all(directory: Path) -> None:
        java(
            kotlin_compiler(),
            _COMPILER,
            *_OPTIONS,
            *options,
            *(f"-Xplugin={compose_plugin()}", "-cp", joined(places), "-d", directory),
            *sources,
            options=("-Xmx2g", "-XX:+UseSerialGC"),
        )

    names = [path.relative_to(root).as_posix() for path in sources]
    parts = [str(path) for path in places if path.is_dir()]
    return made(
        step,
        [*names, *sources, *parts, libraries.directory, *_OPTIONS, *options, Path(__file__)],
        compile_all,
    )


def _sources(root: Path, only: Sequence[str]) -> list[Path]:
    package = root / "dev" / "edgekit" / "sample"
    missing = [name for name in only if not (package / name).is_dir()]
    if missing and root == KOTLIN:
        raise BuildError(f"no such package of the app: {', '.join(missing)}")
    sources = sorted(path for name in only or [""] for path in (package / name).rglob("*.kt"))
    if not sources:
        raise BuildError(f"no Kotlin sources in {root}")
    return sources
