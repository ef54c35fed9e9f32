"""Build the runners that ship with edgekit, byte for byte the same wherever the same clang and lld do it.

    python -m edgekit.benchmark.native.build [TARGET ...]

No NDK and no sysroot: runner.c declares what it uses, and is linked against empty stand-ins for libc and
liblitert-lm.so that are made here from its undefined symbols. On the machine that runs it the loader binds the real
ones. The bytes depend on the compiler's major version only, which COMPILER names.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgekit.errors import EdgekitError, MissingToolError

SOURCE: Final = Path(__file__).with_name("runner.c")
PREBUILT: Final = Path(__file__).with_name("prebuilt")
COMPILER: Final = 14
"""Major version of the clang and lld that made the files in PREBUILT."""

ENGINE_LIBRARY: Final = "liblitert-lm.so"


@dataclass(frozen=True)
class Target:
    """A kind of machine.

    triple: as clang names it. libc: file name that the loader knows it by. loader: the program interpreter of an
    executable, None for a shared library. file: name of the result. page: largest page size of the target, bytes.
    """

    triple: str
    libc: str
    loader: str | None
    file: str
    page: int = 4096


TARGETS: Final[Mapping[str, Target]] = {
    "linux-x86_64": Target(
        "x86_64-linux-gnu", "libc.so.6", "/lib64/ld-linux-x86-64.so.2", "runner-linux-x86_64"
    ),
    "linux-arm64-v8a": Target(
        "aarch64-linux-gnu", "libc.so.6", "/lib/ld-linux-aarch64.so.1", "runner-linux-arm64-v8a", 65536
    ),
    "android-arm64-v8a": Target(
        "aarch64-linux-android23", "libc.so", None, "librunner-android-arm64-v8a.so", 16384
    ),
    "android-x86_64": Target("x86_64-linux-android23", "libc.so", None, "librunner-android-x86_64.so", 16384),
}

_COMPILE = [
    "-std=c11",
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-ffreestanding",
    "-fno-builtin",
    "-fPIC",
    "-fvisibility=hidden",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-ffunction-sections",
    "-c",
]
_LINK = [
    "--no-undefined",
    "--gc-sections",
    "--strip-all",
    "--build-id=none",
    "-z",
    "now",
    "-z",
    "noexecstack",
]


def build(target: Target, output: Path, *, engine: Path | None = None, defines: Sequence[str] = ()) -> None:
    """Compile and link the runner of one target.

    engine: the target's own liblitert-lm.so to link against instead of a stand-in; an unknown function is an error.
    defines: macros for the compiler; `__ANDROID__` gives a phone's library for this machine's JVM.
    Raises MissingToolError without clang and lld.
    """
    clang, lld = _tool("clang"), _tool("ld.lld")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        compiled = directory / "runner.o"
        _run(
            clang,
            f"--target={target.triple}",
            *_COMPILE,
            *(f"-D{name}" for name in defines),
            str(SOURCE),
            "-o",
            str(compiled),
        )
        needed = external_functions(SOURCE.read_text())
        libc = [function for function in needed if not function.startswith("litert_lm_")]
        libraries = [engine or _stand_in(target, directory, ENGINE_LIBRARY, sorted(set(needed) - set(libc)))]
        libraries.append(_stand_in(target, directory, target.libc, libc))
        kind = (
            # The engine's library has no soname, so Android's loader finds it, loaded or not, by its place only.
            ["-shared", "-soname", target.file, "--enable-new-dtags", "-rpath", "$ORIGIN"]
            if target.loader is None
            else ["-pie", "-dynamic-linker", target.loader]
        )
        _run(
            lld, *_LINK, *kind, "-z", f"max-page-size={target.page}", str(compiled),
            *(word for library in libraries for word in ("-L", str(library.parent), f"-l:{library.name}")),
            "-o", str(output),
        )  # fmt: skip


def external_functions(source: str) -> list[str]:
    """Return the functions that the C source declares `extern`, in its order."""
    return re.findall(r"^extern [^;(]*?(\w+)\(", source, re.MULTILINE)


def compiler_major() -> int | None:
    """Return the major version of the clang and lld on PATH; None when one is missing or they differ."""
    versions = set()
    for tool in ("clang", "ld.lld"):
        path = shutil.which(tool)
        found = path and re.search(r"(?:version|LLD) (\d+)", _run(path, "--version"))
        versions.add(int(found[1]) if found else None)
    return versions.pop() if len(versions) == 1 else None


def _stand_in(target: Target, directory: Path, name: str, functions: Sequence[str]) -> Path:
    """Make a shared library that defines functions without any content."""
    source, compiled, library = directory / "stand-in.s", directory / "stand-in.o", directory / name
    source.write_text("".join(f".globl {f}\n.type {f}, %function\n{f}:\n" for f in functions))
    _run(_tool("clang"), f"--target={target.triple}", "-c", str(source), "-o", str(compiled))
    _run(_tool("ld.lld"), "-shared", "-soname", name, str(compiled), "-o", str(library))
    return library


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise MissingToolError(f"{name} is not on PATH", remedy="install clang and lld")
    return path


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EdgekitError(f"{Path(command[0]).name} failed: {done.stderr.strip()}", where=SOURCE.name)
    return done.stdout


def main(names: Sequence[str]) -> None:
    """Build the named targets, or all, into the package."""
    PREBUILT.mkdir(exist_ok=True)
    for name in names or TARGETS:
        target = TARGETS[name]
        path = PREBUILT / target.file
        build(target, path)
        path.chmod(0o755 if target.loader else 0o644)
        print(f"{path.name}  {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
