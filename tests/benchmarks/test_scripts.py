"""Each script of benchmarks/ imports, explains itself, and names what edgekit has, also in what its children run."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCRIPTS = sorted(BENCHMARKS.glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=[script.stem for script in SCRIPTS])
def test_a_script_imports_what_there_is(script: Path) -> None:
    tree = ast.parse(script.read_text(encoding="utf-8"))
    named = [name for program in (tree, *_children(tree)) for name in _own_imports(program)]
    for module, name in named:
        found = importlib.import_module(module)
        assert name is None or hasattr(found, name) or importlib.import_module(f"{module}.{name}"), name


@pytest.mark.slow
def test_every_script_explains_itself() -> None:
    code = """if True:
        import contextlib, runpy, sys
        for script in sys.argv[1:]:
            sys.path.insert(0, script.rpartition("/")[0])
            sys.argv = [script, "--help"]
            with contextlib.suppress(SystemExit):
                runpy.run_path(script, run_name="__main__")
            print("explained", script)
    """
    scripts = [str(script) for script in SCRIPTS if script.stem != "measure"]  # which others import
    done = subprocess.run([sys.executable, "-c", code, *scripts], capture_output=True, text=True, check=True)
    parts = done.stdout.split("explained ")
    for script, told in zip(scripts, parts, strict=False):
        assert f"usage: {Path(script).name}" in told, script


def _children(tree: ast.AST) -> Iterator[ast.AST]:
    """The programs that a script holds as text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "import " in node.value:
            try:
                yield ast.parse(node.value)
            except SyntaxError:
                continue  # prose


def _own_imports(program: ast.AST) -> Iterator[tuple[str, str | None]]:
    for node in ast.walk(program):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("edgekit"):
            yield from ((str(node.module), alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names if alias.name.startswith("edgekit"))
