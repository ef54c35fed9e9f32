"""Size, prefill, decode, first token and memory: edgekit's bundles, export_hf's and llama.cpp's, in turns.

    python benchmarks/speed.py [--real] [--runs 3] [--threads 2] [--export FILE] [--no-llama]

By `edgekit bench`: 20 and 256 tokens in, 64 decoded, every run a process of its own, A B C A B C, after one that fills
the engine's cache. export_hf's bundle is the one that convert.py left, unless given. llama.cpp's files are of the same
weights, so they stand beside real ones only. Written to results/speed.json.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import measure
import real_model
from convert import EXPORTED

import edgekit
from edgekit.benchmark.plan import BenchPlan
from edgekit.benchmark.result import Run

CORPUS = Path(__file__).parents[1] / "examples" / "settings-navigator" / "train.jsonl"
PROMPTS, DECODE = (20, 256), 64
BUNDLES: dict[str, Sequence[str]] = {
    "int8": (),
    "int8, window": ("--kv-layout", "window"),
    "int8, float16 KV cache": ("--kv-precision", "float16"),
    "int8, int8 KV cache": ("--kv-precision", "int8"),
    "int4-head": ("--recipe", "int4-head"),
    "int4": ("--recipe", "int4"),
    "int4-all": ("--recipe", "int4-all"),
    "int4-all, 32k pieces, window": (
        *("--recipe", "int4-all", "--kv-layout", "window"),
        *("--vocab-from", str(CORPUS), "--vocab-keep", "32768"),
    ),
}


def main() -> None:
    """Measure, and save."""
    parser = measure.parser(__doc__, runs=3)
    parser.add_argument(
        "--export", type=Path, default=EXPORTED, help="a bundle of export_hf's, or its directory"
    )
    parser.add_argument("--no-llama", action="store_true", help="leave llama.cpp out")
    parser.add_argument("--only", action="append", choices=list(BUNDLES), help="one of edgekit's bundles")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        model = measure.model(directory, real=given.real)
        files = {
            name: measure.convert(model, directory / str(number), *BUNDLES[name])
            for number, name in enumerate(given.only or BUNDLES)
        }
        exported = [given.export] if given.export.is_file() else sorted(given.export.glob("*.litertlm"))
        files |= {f"export_hf {kind}": path for kind, path in zip(("int8",), exported, strict=False)}
        rivals = {} if given.no_llama or not given.real else _llama(model)
        first, *others = files.values()
        report = edgekit.bench(
            first,
            against=[*others, *rivals.values()],
            plan=BenchPlan(PROMPTS, (DECODE,), threads=(given.threads,), runs=given.runs, kv_length=4096),
            reports=directory / "reports",
        )
        names = [*files, *rivals]
        rows: dict[str, dict[str, Any]] = {
            str(prompt): {
                name: _figures(result.cases[number].measured, result.cases[number].failure)
                for name, result in zip(names, report.results, strict=True)
            }
            for number, prompt in enumerate(PROMPTS)
        }
        sizes = {name: result.bundle.size for name, result in zip(names, report.results, strict=True)}
    results = {"of": measure.what(real=given.real), "bytes": sizes, "rows": rows}
    print(measure.save("speed", results))


def _llama(model: Path) -> dict[str, str]:
    from quality import llama_files

    root = real_model.directory()
    python = real_model.llama_cpp(root)
    return {name: f"llama.cpp={path}@{python}" for name, path in llama_files(root, model).items()}


def _figures(runs: Sequence[Run], failure: str | None) -> dict[str, Any]:
    if failure is not None:
        return {"failure": failure}
    kinds = {"prefill": "prefill_tps", "decode": "decode_tps", "first": "ttft", "peak": "rss_peak"}
    return {kind: statistics.median(getattr(run, field) for run in runs) for kind, field in kinds.items()}


if __name__ == "__main__":
    main()
