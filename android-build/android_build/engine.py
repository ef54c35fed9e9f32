"""The engine's library, from the official wheels: this machine's own, and those for Android."""

from __future__ import annotations

import importlib.util
import re
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from android_build.layout import CACHE, ROOT
from android_build.process import BuildError, run

LIBRARY: Final = "liblitert-lm.so"
ABIS: Final = ("arm64-v8a", "x86_64")


def engine_version() -> str:
    """Return the version of the engine that the project pins."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    found = re.search(r"^litert-lm-api==(\S+)$", text, re.MULTILINE)
    if found is None:
        raise BuildError("constraints.txt does not pin litert-lm-api")
    return found[1]


def host_engine() -> Path:
    """Return the engine of this machine, as edgekit itself runs it."""
    package = importlib.util.find_spec("litert_lm")
    if package is None or package.origin is None:
        raise BuildError(f"{sys.executable} has no litert-lm-api: run this with the Python that edgekit is installed for")
    return Path(package.origin).with_name(LIBRARY)


def android_engine(abi: str) -> Path:
    """Return the engine for an Android ABI; its wheel is downloaded once."""
    version = engine_version()
    library = CACHE / f"engine-{version}" / abi / LIBRARY
    if not library.exists():
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent) as name:
            run(
                *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
                *("--only-binary=:all:", "--platform", f"android_23_{abi.replace('-', '_')}"),
                *("--dest", name, f"litert-lm-api=={version}"),
            )
            with zipfile.ZipFile(next(Path(name).glob("*.whl"))) as wheel:
                unpacked = Path(wheel.extract(f"litert_lm/{LIBRARY}", name))
            unpacked.replace(library)
    return library
