"""Conversion side by side: `litert-torch export_hf` and `edgekit convert` on one checkpoint.

    python benchmarks/convert.py [--real] [--recipes int8] [--runs 5] [--no-export] [--capture]

Whole processes without the engine's check. edgekit runs in turns with an empty cache and with what that left; export_hf
once for each recipe. --real: Gemma 3 270M's own weights and tokenizer (33 MB), else random weights of
its shape and a tokenizer made for it, which reads faster; the result says which. Written to results/convert.json.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import measure

from edgekit.files.cache import CACHE_VARIABLE

EXPORT = [sys.executable, "-m", "litert_torch.generative.export_hf"]
EXPORTED = measure.WORK / "export-int8"
"""Where export_hf's bundle stays, for speed.py."""


def main() -> None:
    """Measure, and save."""
    parser = measure.parser(__doc__, runs=5)
    parser.add_argument("--recipes", default="int8", help="some of int8, int4, int4-all")
    parser.add_argument("--no-export", action="store_true", help="leave export_hf out")
    parser.add_argument("--capture", action="store_true", help="time the capture of a graph, too")
    given = parser.parse_args()
    results: dict[str, Any] = {"of": measure.what(real=given.real), "rows": {}}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        model = measure.model(directory, real=given.real)
        for recipe in given.recipes.split(","):
            exported = None if given.no_export else _export(model, directory, recipe)
            first, after = [], []
            for turn in range(given.runs):
                os.environ[CACHE_VARIABLE] = str(directory / f"cache-{recipe}-{turn}")
                first.append(_convert(model, directory, recipe))
                after.append(_convert(model, directory, recipe))
            results["rows"][recipe] = _row(exported, first, after)
            print(recipe, results["rows"][recipe], flush=True)
        if given.capture:
            results["capture_seconds"] = _capture().seconds
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


def _export(model: Path, directory: Path, recipe: str) -> measure.Run:
    path = directory / f"{recipe}.json"
    path.write_text(json.dumps(stock_recipe(recipe)))
    into = EXPORTED if recipe == "int8" else directory / f"export-{recipe}"
    shutil.rmtree(into, ignore_errors=True)
    into.parent.mkdir(parents=True, exist_ok=True)
    names = [f"--model={model}", f"--output_dir={into}", f"--quantization_recipe={path}"]
    return measure.run([*EXPORT, *names], directory / "export.log")


def _convert(model: Path, directory: Path, recipe: str) -> measure.Run:
    output = directory / f"bundle-{recipe}"
    command = [*measure.CONVERT, str(model), "-o", str(output), "--recipe", recipe, "--force", "--no-check"]
    return measure.run(command, directory / "convert.log")


def _capture() -> measure.Run:
    """What a first use of another shape costs on top: the capture of the dynamic 270M graph."""
    code = (
        "from edgekit_converters.gemma3 import capture; from edgekit_converters.ship import shipped_keys; "
        "capture(shipped_keys('270m')['270m-dynamic'])"
    )
    return measure.run([sys.executable, "-c", code])


def _row(stock: measure.Run | None, first: list[measure.Run], after: list[measure.Run]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "first_seconds": statistics.median(run.seconds for run in first),
        "all_first_seconds": [run.seconds for run in first],
        "first_peak_bytes": max(run.peak_bytes for run in first),
        "seconds": statistics.median(run.seconds for run in after),
        "all_seconds": [run.seconds for run in after],
        "peak_bytes": max(run.peak_bytes for run in after),
    }
    if stock is not None:
        row |= {"export_hf_seconds": stock.seconds, "export_hf_peak_bytes": stock.peak_bytes}
    return row


if __name__ == "__main__":
    main()
