"""Conversion side by side: `litert-torch export_hf` and `edgekit convert` on one 270M-shaped checkpoint.

    python benchmarks/convert.py [--recipes int8,int4,int4-all] [--repeat 3] [--no-capture]

Each recipe is exported once by the stock path and converted `--repeat` times by edgekit, in turn; medians and
ratios are printed and written to benchmarks/results/convert.json. Takes about ten minutes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import measure
from rich.console import Console
from rich.table import Table

EXPORT = [sys.executable, "-m", "litert_torch.generative.export_hf"]
CONVERT = [sys.executable, "-m", "edgekit", "convert"]


def main() -> None:
    """Measure, print, and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--recipes", default="int8,int4,int4-all")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--no-capture", action="store_true", help="leave the first-use capture out")
    arguments = parser.parse_args()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        checkpoint = measure.random_checkpoint(directory / "random-270m")
        for recipe in arguments.recipes.split(","):
            exported = _export(checkpoint, directory, recipe, dynamic=False)
            converted = [_convert(checkpoint, directory, recipe) for _ in range(arguments.repeat)]
            results.append(_row(f"convert {recipe}", exported, converted))
        if not arguments.no_capture:
            exported = _export(checkpoint, directory, "int8", dynamic=True)
            results.append(_row("first-use capture", exported, [_capture()]))
    _print(results)
    print(measure.save("convert", results))


def stock_recipe(name: str) -> list[dict[str, Any]]:
    """An edgekit recipe in ai-edge-quantizer's own words."""
    from ai_edge_quantizer import recipe_manager
    from ai_edge_quantizer.qtyping import QuantGranularity, TFLOperationName

    wide = {"num_bits": 8, "granularity": QuantGranularity.CHANNELWISE}
    block = {"num_bits": 4, "granularity": QuantGranularity.BLOCKWISE_32}
    layers, table = {"int8": (wide, wide), "int4": (block, wide), "int4-all": (block, block)}[name]
    manager = recipe_manager.RecipeManager()
    manager.add_dynamic_config(regex=".*", operation_name=TFLOperationName.FULLY_CONNECTED, **layers)
    manager.add_dynamic_config(regex=".*", operation_name=TFLOperationName.EMBEDDING_LOOKUP, **table)
    if layers is not table:  # the tied head reads the embedding's table
        manager.add_dynamic_config(
            regex=".*logits.*", operation_name=TFLOperationName.FULLY_CONNECTED, **table
        )
    return list(manager.get_quantization_recipe())


def _export(checkpoint: Path, directory: Path, recipe: str, *, dynamic: bool) -> measure.Run:
    path = directory / f"{recipe}.json"
    path.write_text(json.dumps(stock_recipe(recipe)))
    return measure.run(
        [
            *EXPORT,
            f"--model={checkpoint}",
            f"--output_dir={directory / f'export-{recipe}-{dynamic}'}",
            f"--quantization_recipe={path}",
            f"--enable_dynamic_shape={dynamic}",
        ],
        directory / "export.log",
    )


def _convert(checkpoint: Path, directory: Path, recipe: str) -> measure.Run:
    output = directory / f"bundle-{recipe}"
    return measure.run(
        [*CONVERT, str(checkpoint), "-o", str(output), "--recipe", recipe, "--force", "--no-check"],
        directory / "convert.log",
    )


def _capture() -> measure.Run:
    """What a first use costs on top of the conversion: the capture of the dynamic 270M graph."""
    code = (
        "from edgekit_converters.gemma3 import capture; from edgekit_converters.ship import shipped_keys; "
        "capture(shipped_keys('270m')['270m-dynamic'])"
    )
    return measure.run([sys.executable, "-c", code])


def _row(name: str, stock: measure.Run, ours: list[measure.Run]) -> dict[str, Any]:
    seconds = statistics.median(run.seconds for run in ours)
    return {
        "name": name,
        "export_hf_seconds": stock.seconds,
        "export_hf_peak_bytes": stock.peak_bytes,
        "edgekit_seconds": seconds,
        "edgekit_all_seconds": [run.seconds for run in ours],
        "edgekit_peak_bytes": max(run.peak_bytes for run in ours),
        "times_faster": stock.seconds / seconds,
    }


def _print(results: list[dict[str, Any]]) -> None:
    table = Table("", "export_hf", "edgekit", "ratio", "peak export_hf", "peak edgekit", box=None)
    for row in results:
        table.add_row(
            row["name"],
            f"{row['export_hf_seconds']:.1f} s",
            f"{row['edgekit_seconds']:.2f} s",
            f"{row['times_faster']:.1f}x",
            f"{row['export_hf_peak_bytes'] / 1e9:.2f} GB",
            f"{row['edgekit_peak_bytes'] / 1e9:.2f} GB",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
