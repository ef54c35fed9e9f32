"""The engine as a shared library for another platform: from this machine's own package, or from the official wheel.

`bench` pushes it to a device, `package` puts it into an app. Downloads go through pip, are held to a digest, and are
kept in the user's cache directory.
"""

from __future__ import annotations

import base64
import importlib.metadata
import importlib.util
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from edgekit.errors import InputError, MissingToolError
from edgekit.files.digest import file_digest
from edgekit.files.lock import lock

LIBRARY = "liblitert-lm.so"
_PACKAGE = "litert-lm-api"
_MEMBER = f"litert_lm/{LIBRARY}"

WHEEL_PLATFORMS = {
    ("android", "arm64-v8a"): "android_23_arm64_v8a",
    ("android", "x86_64"): "android_23_x86_64",
    ("linux", "arm64-v8a"): "manylinux_2_27_aarch64",
    ("linux", "x86_64"): "manylinux_2_27_x86_64",
}
"""The tag of the official wheel, by operating system and ABI."""

KNOWN_DIGESTS = {
    ("0.18.1", "android_23_arm64_v8a"): "704b891fe25e9a526af717682e33b8f6310355be9e566821e2530499bffb1cc9",
    ("0.18.1", "android_23_x86_64"): "0ee82be5fa62e57975f4ab974cce24d7b5a8b8fcaf820ee040ed93c667a72479",
    ("0.18.1", "manylinux_2_27_aarch64"): "9a2ad189678a4c2148eb498ac4785272cb37f96dc07a3a6019553963b363c00c",
    ("0.18.1", "manylinux_2_27_x86_64"): "b837c18cc98920ea0f979c454795dcabb6c1f132b9b4a4a309243e67d62e94b9",
}
"""SHA-256 of the libraries that this edgekit was made with; a wheel of another version is held to its own record."""

_FETCHING = "fetch-"
_ELF_MACHINES = {62: "x86_64", 183: "arm64-v8a"}


def engine_version() -> str:
    """The version of the engine that is installed here; devices and apps get the same."""
    return importlib.metadata.version(_PACKAGE)


def engine_library(kind: str, abi: str, *, own: Path | None = None) -> Path:
    """Return the engine's library for a platform, downloading it once.

    kind: "android" or "linux". abi: "arm64-v8a" or "x86_64". own: a directory (or the file itself) to take it from
    instead.
    Raises InputError when `own` has none for the processor, MissingToolError when there is none to be had.
    """
    if own is not None:
        return _own_library(own, abi)
    version, tag = engine_version(), WHEEL_PLATFORMS[kind, abi]
    if tag == f"manylinux_2_27_{platform.machine()}" and sys.platform == "linux" and (here := _installed()):
        return here
    from platformdirs import user_cache_path

    kept = user_cache_path("edgekit") / "engines" / f"{version}-{tag}" / LIBRARY
    note = kept.with_suffix(".sha256")
    if (
        kept.is_file()
        and note.is_file()
        and file_digest(kept) == _wanted(version, tag, note.read_text().strip())
    ):
        return kept
    _fetch(version, tag, kept, note)
    return kept


def download_command(version: str, tag: str, folder: Path) -> list[str]:
    """The command that brings a wheel of another platform."""
    return [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--only-binary=:all:", "--platform", tag, "--dest", str(folder)),
        f"{_PACKAGE}=={version}",
    ]


def _own_library(own: Path, abi: str) -> Path:
    path = own / LIBRARY if own.is_dir() else own
    if not path.is_file():
        raise InputError(
            f"there is no {LIBRARY}", where=own, remedy="--engine takes the directory that holds it"
        )
    with path.open("rb") as file:
        head = file.read(20)
    machine = _ELF_MACHINES.get(int.from_bytes(head[18:20], "little")) if head[:4] == b"\x7fELF" else None
    if machine != abi:
        raise InputError(f"made for {machine or 'no processor we know'}, {abi} is needed", where=path)
    return path


def _installed() -> Path | None:
    spec = importlib.util.find_spec("litert_lm")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder) / LIBRARY).is_file():
            return path
    return None


def _fetch(version: str, tag: str, kept: Path, note: Path) -> None:
    """Download a wheel with pip, take the library out, and hold it to its digest."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with lock(kept), tempfile.TemporaryDirectory(dir=kept.parent, prefix=_FETCHING) as folder:
        for left in kept.parent.glob(f"{_FETCHING}*"):  # by a run that was killed: 200 MB
            if left != Path(folder):
                shutil.rmtree(left, ignore_errors=True)
        command = download_command(version, tag, Path(folder))
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode != 0 or len(wheels) != 1:
            said = [line for line in done.stderr.splitlines() if line.strip()]
            raise MissingToolError(
                f"the engine could not be downloaded: {said[-1] if said else done.returncode}",
                where=f"{_PACKAGE}=={version} ({tag})",
                remedy=f"unpack that wheel by hand and pass --engine DIR, the directory of {LIBRARY}",
            )
        with zipfile.ZipFile(wheels[0]) as wheel:
            wheel.extract(_MEMBER, folder)
            record = next(name for name in wheel.namelist() if name.endswith(".dist-info/RECORD"))
            recorded = _recorded_digest(wheel.read(record).decode())
        library = Path(folder) / _MEMBER
        if (digest := file_digest(library)) != _wanted(version, tag, recorded):
            raise MissingToolError(
                "the downloaded engine is not the official one: its digest differs",
                where=f"{_PACKAGE}=={version} ({tag})",
                remedy="see what index pip uses (pip config list), or pass --engine DIR",
            )
        note.write_text(digest + "\n")
        library.replace(kept)


def _wanted(version: str, tag: str, recorded: str) -> str:
    return KNOWN_DIGESTS.get((version, tag), recorded)


def _recorded_digest(record: str) -> str:
    found = re.search(rf"^{re.escape(_MEMBER)},sha256=([\w-]+),", record, re.MULTILINE)
    return base64.urlsafe_b64decode(found[1] + "==").hex() if found else ""
