"""Builds the shim between Kotlin and the engine: for this machine's JVM with gcc, for Android with clang and lld.

There is no NDK. The compiler brings its own headers, the JDK jni.h, and native/include what the shim uses of
Android's C library; the linker gets an empty libc.so with just these functions. On the phone the real one is bound.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from android_build.catalog import levels
from android_build.engine import LIBRARY, android_engine, host_engine
from android_build.layout import CORE, TOOLS
from android_build.outputs import made
from android_build.process import BuildError, java_home, run, tool

SHIM: Final = "libedgekit.so"
_SOURCE: Final = CORE.main / "cpp"
_INCLUDE: Final = TOOLS / "native" / "include"
_MACHINES: Final = {"arm64-v8a": "aarch64", "x86_64": "x86_64"}
_PAGE: Final = 16384
_WARNINGS: Final = ("-std=c11", "-Wall", "-Wextra", "-Werror")


def host_shim() -> Path:
    """Return the shim for this machine."""

    def build(directory: Path) -> None:
        engine = host_engine()
        run(
            *(
                tool("gcc"),
                *_WARNINGS,
                "-D_GNU_SOURCE",
                "-O1",
                "-g",
                "-fPIC",
                "-fvisibility=hidden",
                "-shared",
            ),
            *(*_jni(), *_sources(), "-o", directory / SHIM, "-Wl,--no-undefined", "-pthread"),
            *("-L", engine.parent, f"-l:{LIBRARY}", f"-Wl,-rpath,{engine.parent}"),
        )

    return made("shim-host", [_SOURCE, str(host_engine()), Path(__file__)], build) / SHIM


def android_shim(abi: str) -> Path:
    """Return the shim for an Android ABI; the same compiler makes the same bytes."""
    api = levels().minimum
    target = f"--target={_MACHINES[abi]}-linux-android{api}"

    def build(directory: Path) -> None:
        clang = tool("clang")
        resources = Path(run(clang, "-print-resource-dir").strip()) / "include"
        with tempfile.TemporaryDirectory() as name:
            libc = _stand_in(clang, target, Path(name))
            run(
                *(clang, target, *_WARNINGS, "-Oz", "-fPIC", "-fvisibility=hidden", "-ffunction-sections"),
                *("-nostdinc", "-isystem", resources, "-isystem", _INCLUDE, *_jni(), *_sources()),
                *(
                    "-fno-stack-protector",
                    "-fno-asynchronous-unwind-tables",
                    f"-ffile-prefix-map={CORE.main}=.",
                ),
                *("-shared", "-nostdlib", "-fuse-ld=lld", "-o", directory / SHIM, f"-Wl,-soname,{SHIM}"),
                *(
                    "-Wl,--no-undefined,--gc-sections,--strip-all,--build-id=none,--as-needed",
                    f"-Wl,-z,max-page-size={_PAGE}",
                ),
                *("-L", android_engine(abi).parent, f"-l:{LIBRARY}", libc),
            )

    inputs: list[Path | str] = [
        _SOURCE,
        _INCLUDE,
        target,
        str(android_engine(abi)),
        compiler_version(),
        Path(__file__),
    ]
    return made(f"shim-{abi}", inputs, build) / SHIM


def compiler_version() -> str:
    """Return the version of clang, on which the bytes of a shim depend."""
    found = re.search(r"version (\d+)", run(tool("clang"), "--version"))
    return found[1] if found else "unknown"


def functions_declared(headers: Iterable[Path]) -> list[str]:
    """Return the functions that the stand-in headers declare."""
    return sorted(
        {name for path in headers for name in re.findall(r"^[\w ]+[ *](\w+)\([^;]*;", path.read_text(), re.M)}
    )


def _stand_in(clang: str, target: str, directory: Path) -> Path:
    source, library = directory / "libc.s", directory / "libc.so"
    names = functions_declared(_INCLUDE.glob("*.h"))
    source.write_text("".join(f".globl {name}\n.type {name}, %function\n{name}:\n" for name in names))
    run(clang, target, "-shared", "-nostdlib", "-fuse-ld=lld", "-Wl,-soname,libc.so", source, "-o", library)
    return library


def _jni() -> list[str | Path]:
    include = java_home() / "include"
    return ["-isystem", include, "-isystem", include / "linux"]


def _sources() -> list[Path]:
    sources = sorted(_SOURCE.glob("*.c"))
    if not sources:
        raise BuildError(f"no C sources in {_SOURCE}")
    return sources
