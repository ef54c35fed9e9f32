"""A Kotlin compiler, from wherever somebody who makes Android apps has one.

Looked for in this order: what --kotlinc names, KOTLIN_HOME, `kotlinc` on PATH, Android Studio, what Gradle or Maven
downloaded for an earlier build, and at last Maven, which brings one into the cache. All but `kotlinc` are run by a
Java: JAVA_HOME's, the one on PATH, or Android Studio's.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgekit.errors import InputError, MissingToolError
from edgekit.files.lock import lock
from edgekit.packaging.core import COMPILE_ONLY, KOTLIN, KOTLIN_NEEDED, core_classes
from edgekit.progress import SILENT, Progress
from edgekit.quoting import xml_text

_MAIN: Final = "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"
_NO_COMPILER: Final = (
    "install kotlinc or Android Studio, or name a compiler with --kotlinc; --sources needs none: it writes a module "
    "that the app's own build compiles"
)
_STUDIOS: Final = (
    "/Applications/Android Studio.app/Contents",
    "~/Applications/Android Studio.app/Contents",
    "~/android-studio",
    "~/.local/share/JetBrains/Toolbox/apps/android-studio",
    "/opt/android-studio",
    "/usr/local/android-studio",
    "/snap/android-studio/current/android-studio",
    "C:/Program Files/Android/Android Studio",
)
_IN_STUDIO: Final = "plugins/Kotlin/kotlinc"

_KOTLIN: Final = "org.jetbrains.kotlin"
_VERSION: Final = "2.4.21"
"""Of the compiler that Maven is asked for: the one that built the core."""

_BESIDE: Final = (
    (_KOTLIN, "kotlin-stdlib", None),
    (_KOTLIN, "kotlin-script-runtime", None),
    (_KOTLIN, "kotlin-daemon-embeddable", None),
    (_KOTLIN, "kotlin-reflect", "1.6.10"),
    ("org.jetbrains.kotlinx", "kotlinx-coroutines-core-jvm", "1.8.0"),
    ("org.jetbrains", "annotations", "13.0"),
)
"""What the compiler needs beside it: group, name, version; None for the compiler's own."""

_MAVEN_COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_ARGUMENTS: Final = ("-no-reflect", "-jvm-target", "17", "-nowarn")


@dataclass(frozen=True)
class Compiler:
    """How it is run. command: its beginning. library: the standard library, None for one that brings its own."""

    command: tuple[str, ...]
    library: Path | None = None


def compile_classes(compiler: Compiler, source: Path, module: str, into: Path) -> None:
    """Compile generated Kotlin against the core. module: a name that tells its classes' module from others.

    Raises MissingToolError for a compiler that cannot be run or is too old, InputError for sources that it refuses.
    """
    found = compiler_version(compiler)
    if found < _numbers(KOTLIN_NEEDED):
        raise MissingToolError(
            f"Kotlin {'.'.join(map(str, found))} is older than {KOTLIN_NEEDED}",
            where=compiler.command[-1 if compiler.library is None else 0],
            remedy=_NO_COMPILER,
        )
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        classes = Path(folder) / "core.jar"
        classes.write_bytes(core_classes())
        path = [classes, COMPILE_ONLY, *([compiler.library] if compiler.library else [])]
        language = ("-language-version", KOTLIN, "-api-version", KOTLIN) if found >= _numbers(KOTLIN) else ()
        done = _run(
            *(*compiler.command, *_ARGUMENTS, *language, "-module-name", module),
            *(("-no-stdlib",) if compiler.library else ()),
            *("-cp", os.pathsep.join(map(str, path)), "-d", str(into), str(source)),
        )
    if done.returncode:
        raise InputError(
            f"the Kotlin compiler refused what was generated:\n{done.stdout.strip()}",
            where=source.name,
            remedy="report it with the bundle's answer format and tools; --sources writes it uncompiled",
        )


def compiler_version(compiler: Compiler) -> tuple[int, ...]:
    """Return its version. Raises MissingToolError when it does not say one."""
    said = _run(*compiler.command, "-version").stdout
    version = re.search(r"kotlinc-jvm (\d+\.\d+\.\d+)", said)
    if version is None:
        raise MissingToolError(
            f"the Kotlin compiler does not start: {said.strip()[:500] or 'it says nothing'}",
            where=compiler.command[0],
            remedy=_NO_COMPILER,
        )
    return _numbers(version[1])


def find_compiler(named: Path | None = None, progress: Progress = SILENT) -> Compiler:
    """Find one. named: a kotlinc, the folder of a distribution, or its kotlin-compiler.jar.

    Raises InputError when the named one is none, MissingToolError when there is none at all.
    """
    if named is not None:
        compiler = _distribution(named) or _program(named)
        if compiler is None:
            raise InputError(
                "there is no Kotlin compiler",
                where=named,
                remedy="name a kotlinc, or the folder that has lib/kotlin-compiler.jar",
            )
        return compiler
    for compiler in _found():
        if compiler is not None:
            return compiler
    if (java := find_java()) is None or (maven := shutil.which("mvn")) is None:
        lacking = "and no Java to run one" if java is None else "and no Maven to download one"
        raise MissingToolError(f"there is no Kotlin compiler here, {lacking}", remedy=_NO_COMPILER)
    with progress.step("download a Kotlin compiler"):
        return _embeddable(java, _downloaded(maven))


def find_java() -> str | None:
    """The Java that runs compilers; None when there is none."""
    name = "java.exe" if sys.platform == "win32" else "java"
    homes = [Path(home)] if (home := os.environ.get("JAVA_HOME")) else []
    for place in homes:
        if (place / "bin" / name).is_file():
            return str(place / "bin" / name)
    if on_path := shutil.which("java"):
        return on_path
    for studio in _studios():
        for inside in ("jbr", "jbr/Contents/Home"):
            if (studio / inside / "bin" / name).is_file():
                return str(studio / inside / "bin" / name)
    return None


def _found() -> Iterator[Compiler | None]:
    if home := os.environ.get("KOTLIN_HOME"):
        yield _distribution(Path(home))
    if on_path := shutil.which("kotlinc"):
        yield Compiler((on_path,))
    for studio in _studios():
        yield _distribution(studio / _IN_STUDIO)
    yield _cached(
        _gradle_home() / "caches/modules-2/files-2.1", "{group}/{name}/{version}/*/{file}", dotted=True
    )
    yield _cached(Path.home() / ".m2/repository", "{group}/{name}/{version}/{file}", dotted=False)


def _studios() -> Iterator[Path]:
    return (Path(place).expanduser() for place in _STUDIOS)


def _gradle_home() -> Path:
    named = os.environ.get("GRADLE_USER_HOME")
    return Path(named) if named else Path.home() / ".gradle"


def _program(path: Path) -> Compiler | None:
    return Compiler((str(path.absolute()),)) if path.is_file() and os.access(path, os.X_OK) else None


def _distribution(place: Path) -> Compiler | None:
    """A compiler as JetBrains packs it: lib/kotlin-compiler.jar, which names what it needs beside it."""
    jar = place if place.name == "kotlin-compiler.jar" else place / "lib/kotlin-compiler.jar"
    java = find_java()
    if java is None or not jar.is_file():
        return None
    home = str(jar.absolute().parents[1])
    return Compiler((java, "-cp", str(jar.absolute()), _MAIN, "-kotlin-home", home))


def _cached(root: Path, pattern: str, *, dotted: bool) -> Compiler | None:
    """The newest compiler, with all that it needs, among what a build tool downloaded."""

    def artifacts(group: str, name: str, version: str) -> list[Path]:
        folders = group if dotted else group.replace(".", "/")
        file = f"{name}-{version}.jar"
        return sorted(root.glob(pattern.format(group=folders, name=name, version=version, file=file)))

    if (java := find_java()) is None or not root.is_dir():
        return None
    name = "kotlin-compiler-embeddable"
    compilers = {_numbers(path.stem.removeprefix(f"{name}-")): path for path in artifacts(_KOTLIN, name, "*")}
    for version in sorted((each for each in compilers if each >= _numbers(KOTLIN_NEEDED)), reverse=True):
        said = compilers[version].stem.removeprefix(f"{name}-")
        beside = [artifacts(group, other, fixed or said)[:1] for group, other, fixed in _BESIDE]
        if all(beside):
            return _embeddable(java, [compilers[version], *(path for each in beside for path in each)])
    return None


def _embeddable(java: str, jars: Sequence[Path]) -> Compiler:
    """A compiler as build tools have it; its standard library comes behind it."""
    return Compiler((java, "-cp", os.pathsep.join(map(str, jars)), _MAIN), library=jars[1])


def _downloaded(maven: str) -> list[Path]:
    """Have Maven bring the compiler, from where it takes everything. Raises MissingToolError when it cannot."""
    from platformdirs import user_cache_path

    wanted = [
        (_KOTLIN, "kotlin-compiler-embeddable", _VERSION),
        *((group, name, fixed or _VERSION) for group, name, fixed in _BESIDE),
    ]
    key = hashlib.sha256(repr(wanted).encode()).hexdigest()[:16]
    kept = user_cache_path("edgekit") / "kotlin" / f"compiler-{key}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    with lock(kept):
        if not kept.is_dir():
            with tempfile.TemporaryDirectory(dir=kept.parent, prefix="fetch-") as folder:
                files, pom = Path(folder) / "files", Path(folder) / "pom.xml"
                pom.write_text(_copying_pom(wanted, files), encoding="utf-8")
                done = _run(maven, "-q", "-B", "-f", str(pom), _MAVEN_COPY)
                if done.returncode:
                    raise MissingToolError(
                        f"Maven could not download a Kotlin compiler: {done.stdout.strip()[-500:]}",
                        remedy=_NO_COMPILER,
                    )
                files.rename(kept)
    return [kept / f"{name}-{version}.jar" for _, name, version in wanted]


def _copying_pom(wanted: Sequence[tuple[str, str, str]], into: Path) -> str:
    items = "".join(
        f"<artifactItem><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{at}</version></artifactItem>"
        for group, name, at in wanted
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>dev.edgekit</groupId><artifactId>compiler</artifactId><version>1</version><packaging>pom</packaging>"
        "<build><plugins><plugin><groupId>org.apache.maven.plugins</groupId>"
        "<artifactId>maven-dependency-plugin</artifactId><configuration>"
        f"<outputDirectory>{xml_text(str(into))}</outputDirectory><artifactItems>{items}</artifactItems>"
        "</configuration></plugin></plugins></build></project>"
    )


def _numbers(version: str) -> tuple[int, ...]:
    """A version as numbers; () for one that is not a release."""
    return tuple(map(int, version.split("."))) if re.fullmatch(r"\d+(\.\d+)*", version) else ()


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except OSError as error:
        raise MissingToolError(
            f"cannot be started ({error.strerror})", where=command[0], remedy=_NO_COMPILER
        ) from error
