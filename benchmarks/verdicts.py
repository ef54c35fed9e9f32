"""What validate says of sound and of broken bundles of two real fine-tunes: verdict, task and cause, as a table.

    python benchmarks/verdicts.py --tunes DIRECTORY [--rows 40] [--work DIRECTORY] [--only event]

--tunes: fine-tunes of the real model and their rows (NAME/merged, data/NAME-train.jsonl, data/NAME-eval.jsonl), as for
quality.py. Each bundle is held against its checkpoint as a user would; the reference is asked once for each task.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import edgekit
from edgekit.conversion.options import Calibrate, Trim
from edgekit.figures import size

TASKS = ("intent", "event")
ROWS_OF_4_BITS = """\
description = "8-bit layers, the embedding in 4 bits with one scale a row: broken on purpose"

[[rule]]
tensors = ["model.embed_tokens.weight", "lm_head.weight"]
bits = 4

[[rule]]
tensors = "*"
bits = 8
"""
RECIPES = ("int8", "int8 --calibrate", "int4-head", "int4", "int4-all", "4 bits a row")
TRIMMED = {
    "intent": (("int4-all", 32_000), ("int8", 4_000)),
    "event": (("int8", 160_000), ("int8", 2_000), ("int4-all", 32_000)),
}
"""Task → recipe and pieces."""


def main() -> None:
    """Convert, validate, and print a row for each bundle."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tunes", type=Path, required=True, help="fine-tunes and their rows")
    parser.add_argument("--rows", type=int, default=100, help="rows of each task")
    parser.add_argument("--work", type=Path, help="where bundles stay (default: they do not)")
    parser.add_argument("--only", help="one task")
    options = parser.parse_args()
    print("| bundle | size | verdict | task | cause or remedy | s |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        for task in TASKS if options.only is None else (options.only,):
            for name, bundle in bundles(options.tunes, task, work):
                print(verdict(name, bundle, options.tunes, task, options.rows), flush=True)


def bundles(tunes: Path, task: str, work: Path) -> Iterator[tuple[str, Path]]:
    """Yield a name and a bundle for each recipe, whole and trimmed; those that are there are not made again."""
    broken = work / "rows.toml"
    broken.parent.mkdir(parents=True, exist_ok=True)
    broken.write_text(ROWS_OF_4_BITS, encoding="utf-8")
    train = tunes / "data" / f"{task}-train.jsonl"
    made: list[tuple[str, int]] = [*((recipe, 0) for recipe in RECIPES), *TRIMMED[task]]
    for title, pieces in made:
        recipe, *flags = title.split(" --")
        name = f"{task} {title}" + (f", {pieces:,} pieces" if pieces else "")
        target = work / name.replace(" ", "-").replace(",", "")
        if not target.exists():
            edgekit.convert(
                tunes / task / "merged",
                target,
                recipe=broken if title == RECIPES[-1] else recipe,
                trim=Trim((train,), pieces, ("en",)) if pieces else None,
                calibrate=Calibrate() if flags else None,
                check=False,
            )
        yield name, target


def verdict(name: str, bundle: Path, tunes: Path, task: str, rows: int) -> str:
    """Validate a bundle; return a row of the table."""
    found = edgekit.validate(
        bundle, tunes / task / "merged", data=tunes / "data" / f"{task}-eval.jsonl", limit=rows
    )
    weight = size(edgekit.inspect(bundle).size)
    told = dict.fromkeys(check.remedy for check in found.checks if check.remedy and check.status != "passed")
    decision = found.decision or found.verdict
    cells = (
        name,
        weight,
        decision,
        found.check("task").summary,
        "; ".join(told) or "—",
        f"{found.seconds:.0f}",
    )
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


if __name__ == "__main__":
    main()
