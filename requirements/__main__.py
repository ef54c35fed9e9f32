"""Compile the files beside this one: every package that `make` installs, with the SHA-256 of each of its files.

Versions are those of `constraints.txt`. What `base.txt` has is in no other file. `make lock` runs it.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
LOCKS: Final = Path(__file__).parent
PROJECT: Final = "pyproject.toml"
CONVERTERS: Final = "converters/pyproject.toml"

EXTRAS: Final = {"base": (), "docs": ("docs",), "android": ("android",), "all": ("data", "reference", "dev")}
"""The project's extras in each file."""

TOOLS: Final = {"build": ("hatchling", "editables"), "uv": ("uv",)}
"""What builds the project, and what compiles these files."""


_PROJECT: Final = """
[project]
name = "locked"
version = "0"
requires-python = ">=3.11,<3.14"
dependencies = {dependencies}

[tool.uv]
environments = [
  "sys_platform == 'linux' and python_version < '3.14'",
  "sys_platform == 'darwin' and python_version < '3.14'",
]
"""


_EVERYWHERE: Final = (
    " ; python_full_version < '3.14' and (sys_platform == 'darwin' or sys_platform == 'linux')",
    "python_full_version < '3.14' and ",
)
"""Markers that hold wherever the project runs."""


def wanted(name: str) -> list[str]:
    """Return the requirements of a file as they are written in pyproject.toml."""
    if name in TOOLS:
        return list(TOOLS[name])
    project = _project(PROJECT)
    found = list(project["dependencies"])
    for extra in EXTRAS[name]:
        found += project["optional-dependencies"][extra]
    if name == "all":
        found += [each for each in _project(CONVERTERS)["dependencies"] if not each.startswith("edgekit")]
    return found


def compiled(name: str) -> list[str]:
    """Return the packages of a file, each with its hashes."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "pyproject.toml"
        project.write_text(_PROJECT.format(dependencies=json.dumps(wanted(name))), encoding="utf-8")
        subprocess.run(
            [
                *("uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header"),
                *("--no-annotate", "--python-version", "3.11.5", "--constraints", ROOT / "constraints.txt"),
                *("--output-file", "locked.txt", project),
            ],
            check=True,
            cwd=folder,
        )
        text = (Path(folder) / "locked.txt").read_text(encoding="utf-8")
    for everywhere in _EVERYWHERE:
        text = text.replace(everywhere, "")
    return re.split(r"\n(?=\S)", text.rstrip("\n"))


def main() -> None:
    """Write all files."""
    base = compiled("base")
    for name in (*EXTRAS, *TOOLS):
        packages = base if name == "base" else [each for each in compiled(name) if each not in base]
        (LOCKS / f"{name}.txt").write_text("\n".join(packages) + "\n", encoding="utf-8")


def _project(path: str) -> dict[str, list[str] | dict[str, list[str]] | str]:
    return dict(tomllib.loads((ROOT / path).read_text(encoding="utf-8"))["project"])


if __name__ == "__main__":
    main()
