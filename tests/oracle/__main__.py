"""Freeze what edgekit makes of the demo now, after a change of behaviour that is meant: `python -m tests.oracle`."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from edgekit.files.cache import CACHE_VARIABLE
from tests.oracle import making


def main() -> None:
    """Make everything in a temporary directory and write the record."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        os.environ[CACHE_VARIABLE] = str(root / "cache")
        folders = {each: root / each for each in ("bundles", "demo", "adapters", "packages")}
        for folder in folders.values():
            folder.mkdir()
        demo = making.demo(folders["demo"])
        adapted = dict(making.adapters(folders["adapters"]))
        record = {
            "bundles": {name: making.files_of(path) for name, path in making.bundles(folders["bundles"])},
            "adapters": {name: making.files_of(path) for name, path in adapted.items()},
            "packages": {
                name: making.files_of(path) for name, path in making.packages(demo, folders["packages"])
            },
            "reports": {name: making.masked(values) for name, values in making.reports(demo, adapted)},
        }
    making.FROZEN.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
