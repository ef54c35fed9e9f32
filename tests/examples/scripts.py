"""The examples' scripts as modules: their folders are no packages, and their names repeat."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from unittest.mock import patch


def load_script(path: Path) -> ModuleType:
    """Import a script as `python PATH` would, modules beside it first; none of them stays importable."""
    beside = {script.stem for script in path.parent.glob("*.py")}
    hidden = {name: sys.modules.pop(name) for name in beside & sys.modules.keys()}
    try:
        with patch.object(sys, "path", [str(path.parent), *sys.path]):
            return importlib.import_module(path.stem)
    finally:
        for name in beside:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)
