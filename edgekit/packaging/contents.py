"""What goes into an app beside its code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class AppContents:
    """The files of `assets/edgekit` (docs/design/app.md).

    assets: by name; a file to be copied from where it lies, or its bytes.
    """

    assets: Mapping[str, Path | bytes]
