"""A trimmed vocabulary: size of the file, time to convert, and decode speed against the whole one, interleaved.

    python benchmarks/vocabulary.py [--keep 32000] [--runs 5] [--threads 2] [--no-speed]

The checkpoint has Gemma 3 270M's shape and a tokenizer of 262,144 pieces; what the trimmed ones keep is chosen by the
demo's training data. Conversions are whole processes without the engine check, in turn. Speed: 256 tokens in, 128
decoded, a process of its own each, A B C A B C, after a round that fills the engine's cache. Printed, and written to
results/vocabulary.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import measure
from convert import CONVERT
from engine import DECODE_TOKENS, KV_LENGTH, RUN
from rich.console import Console
from rich.table import Table

CORPUS = Path(__file__).parents[1] / "examples" / "settings-navigator" / "train.jsonl"
PROMPT_TOKENS = 256
RECIPES = ("int8", "int4", "int4-head", "int4-all")


def main() -> None:
    """Measure, print, and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--keep", type=int, default=32_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-speed", action="store_true", help="sizes and conversion times only")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        checkpoint = measure.random_checkpoint(directory / "random-270m")
        trimming = ["--vocab-from", str(CORPUS), "--vocab-keep", str(arguments.keep)]
        bundles: dict[str, Path] = {}
        results: dict[str, Any] = {}
        for recipe in RECIPES:
            for label, options in ((f"{recipe}, whole", []), (f"{recipe}, {arguments.keep:,}", trimming)):
                runs, bundles[label] = _convert(checkpoint, directory, recipe, options, arguments.runs)
                results[label] = {
                    "bytes": bundles[label].stat().st_size,
                    "seconds": [run.seconds for run in runs],
                    "peak_bytes": max(run.peak_bytes for run in runs),
                }
        if not arguments.no_speed:
            for label, runs in _speed(bundles, arguments.runs, arguments.threads, directory).items():
                results[label]["speed"] = runs
    _print(results)
    print(measure.save("vocabulary", results))


def _convert(
    checkpoint: Path, directory: Path, recipe: str, options: list[str], count: int
) -> tuple[list[measure.Run], Path]:
    output = directory / f"{recipe}-{'trimmed' if options else 'whole'}"
    command = [
        *CONVERT,
        str(checkpoint),
        "-o",
        str(output),
        "--no-check",
        "--force",
        "--recipe",
        recipe,
        *options,
    ]
    runs = [measure.run(command) for _ in range(count)]
    return runs, next(output.glob("*.litertlm"))


def _speed(
    bundles: dict[str, Path], count: int, threads: int, directory: Path
) -> dict[str, list[dict[str, float]]]:
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in bundles}
    for round_number in range(count + 1):
        for name, path in bundles.items():
            cache = directory / f"cache-{path.parent.name}"
            cache.mkdir(exist_ok=True)
            command = [
                sys.executable,
                "-c",
                RUN,
                path,
                PROMPT_TOKENS,
                DECODE_TOKENS,
                threads,
                KV_LENGTH,
                cache,
            ]
            child = subprocess.run(
                [str(part) for part in command], capture_output=True, text=True, check=True
            )
            figures: dict[str, float] = json.loads(child.stdout.splitlines()[-1])
            if not figures["decode_tokens_per_second"]:
                raise RuntimeError(f"{path.name} did not decode:\n{child.stderr}")
            if round_number:
                measured[name].append(figures)
    return measured


def _print(results: dict[str, Any]) -> None:
    table = Table("recipe, pieces", "file", "convert", "peak", "prefill tok/s", "decode tok/s", box=None)
    for label, found in results.items():
        speed = found.get("speed", [])

        def median(key: str, runs: list[dict[str, float]] = speed) -> str:
            return f"{statistics.median(run[key] for run in runs):,.1f}" if runs else ""

        table.add_row(
            label,
            f"{found['bytes'] / 1e6:.1f} MB",
            f"{statistics.median(found['seconds']):.2f} s",
            f"{found['peak_bytes'] / 1e6:.0f} MB",
            median("prefill_tokens_per_second"),
            median("decode_tokens_per_second"),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
