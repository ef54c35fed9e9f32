"""Write `edgekit.cdx.json`, the wheel's bill of materials: what it holds of others, and what it needs.

The build puts it into the wheel (PEP 770). Licences are those that the installed packages state.
"""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path
from typing import Final

from edgekit.packaging.app import library_parts
from edgekit.packaging.sbom import bill, pypi

LOCKED: Final = Path(__file__).with_name("base.txt")
BILL: Final = Path(__file__).with_name("edgekit.cdx.json")


_SPDX: Final = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "ISC License": "ISC",
    "MIT License": "MIT",
    "Python Software Foundation License": "PSF-2.0",
}
"""What packages write for these licences."""


def content() -> bytes:
    """Return the file as it should be."""
    needed = []
    for package in re.split(r"\n(?=\S)", LOCKED.read_text(encoding="utf-8").rstrip("\n")):
        name, version = package.split(maxsplit=1)[0].split("==")
        digests = tuple(re.findall(r"sha256:([0-9a-f]{64})", package))
        needed.append(pypi(name, version, licence=licence_of(name), sha256=digests))
    subject = pypi("edgekit", importlib.metadata.version("edgekit"), licence="Apache-2.0")
    return bill(subject, [*needed, *library_parts()], {})


def licence_of(name: str) -> str | None:
    """Return what an installed package says of its licence, in a few words."""
    try:
        said = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    for key in ("License-Expression", "License"):
        if (text := said.get(key)) and len(text) < 100 and "\n" not in text:
            return _known(str(text))
    classified = [
        each.split(" :: ")[-1] for each in said.get_all("Classifier") or () if each.startswith("License")
    ]
    return _known(", ".join(classified)) or None


def _known(name: str) -> str:
    return _SPDX.get(name, name)


if __name__ == "__main__":
    BILL.write_bytes(content())
