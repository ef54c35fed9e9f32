"""What the libraries offer to apps, as Kotlin's own tool writes it down; a file in the module keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from android_build.kotlin import classes_of
from android_build.layout import INTERNAL, LIBRARIES, TOOLS, Module
from android_build.maven import fetch
from android_build.process import BuildError, java

_PROGRAM: Final = TOOLS / "java" / "PublicApi.java"


def public_api(classes: Path) -> str:
    """Return what classes offer, in a directory or a jar; without what is marked as internal."""
    return java(fetch("abi"), str(_PROGRAM), classes, INTERNAL)


def api_file(module: Module) -> Path:
    """Return the file that keeps what a module offers."""
    return module.directory / "api" / f"{module.name}.api"


def check_public_api() -> None:
    """Compare what the libraries offer with the files. Raises BuildError naming what differs."""
    differing = [
        module.name
        for module in LIBRARIES
        if not api_file(module).is_file()
        or api_file(module).read_text(encoding="utf-8") != public_api(classes_of(module))
    ]
    if differing:
        raise BuildError(
            f"what {' and '.join(differing)} offer to apps has changed: if apps can live with it, run "
            "`python android-build api --write`, and look at the difference"
        )


def write_public_api() -> list[Path]:
    """Write the files anew; returns them."""
    for module in LIBRARIES:
        api_file(module).parent.mkdir(exist_ok=True)
        api_file(module).write_text(public_api(classes_of(module)), encoding="utf-8")
    return [api_file(module) for module in LIBRARIES]
