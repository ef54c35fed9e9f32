"""The engine's library, from the official wheels: this machine's own, and those for Android."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path
from typing import Final

from edgekit.runtime.library import LIBRARY, engine_library, engine_version

__all__ = ["ABIS", "LIBRARY", "android_engine", "engine_version", "host_engine"]

ABIS: Final = ("arm64-v8a", "x86_64")


@cache
def host_engine() -> Path:
    """Return the engine of this machine, as edgekit itself runs it."""
    return engine_library("linux", "arm64-v8a" if platform.machine() == "aarch64" else "x86_64")


@cache
def android_engine(abi: str) -> Path:
    """Return the engine for an Android ABI; its wheel is downloaded once."""
    return engine_library("android", abi)
