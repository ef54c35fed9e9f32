"""The engine's speed: edgekit's default bundle against what export_hf writes by default, interleaved.

    python benchmarks/engine.py [--runs 5] [--threads 2] [--reference FILE.litertlm]

Both come from one 270M-shaped checkpoint, int8. The reference has a static KV cache of 4,096 and one prefill
length of 128; it is exported first (two minutes) unless given. Every figure is a process of its own, A B A B,
after a run that fills the engine's cache; medians and ratios are printed and written to results/engine.json.
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
from convert import CONVERT, EXPORT
from rich.console import Console
from rich.table import Table

KV_LENGTH = 4096
PROMPTS = (20, 256)
DECODE_TOKENS = 128

RUN = """
import json, sys, litert_lm
litert_lm.set_min_log_severity(litert_lm.LogSeverity.ERROR)
path, prompt, decode, threads, kv_length, cache = sys.argv[1:]
info = litert_lm.Benchmark(
    path, litert_lm.Backend.CPU(thread_count=int(threads)), prefill_tokens=int(prompt), decode_tokens=int(decode),
    max_num_tokens=int(kv_length), cache_dir=cache,
).run()
# Not ru_maxrss: it counts what the process was before it became this one.
with open("/proc/self/status") as status:
    peak_bytes = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
print(json.dumps({
    "init_seconds": info.init_time_in_second,
    "first_token_seconds": info.time_to_first_token_in_second,
    "prefill_tokens_per_second": info.last_prefill_tokens_per_second,
    "decode_tokens_per_second": info.last_decode_tokens_per_second,
    "peak_bytes": peak_bytes,
}))
"""


def main() -> None:
    """Measure, print, and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--reference", type=Path, help="a bundle that export_hf wrote by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        checkpoint = measure.random_checkpoint(directory / "random-270m")
        bundles = {
            "export_hf": arguments.reference or _export(checkpoint, directory),
            "edgekit": _convert(checkpoint, directory, "dynamic"),
            "edgekit static": _convert(checkpoint, directory, "static"),
        }
        results = {
            str(prompt): _interleaved(bundles, prompt, arguments.runs, arguments.threads, directory)
            for prompt in PROMPTS
        }
    _print(results)
    print(measure.save("engine", results))


def _export(checkpoint: Path, directory: Path) -> Path:
    output = directory / "export"
    measure.run([*EXPORT, f"--model={checkpoint}", f"--output_dir={output}"], directory / "export.log")
    return next(output.glob("*.litertlm"))


def _convert(checkpoint: Path, directory: Path, shape: str) -> Path:
    output = directory / shape
    measure.run([*CONVERT, str(checkpoint), "-o", str(output), "--no-check", "--form", shape])
    return next(output.glob("*.litertlm"))


def _interleaved(
    bundles: dict[str, Path], prompt: int, runs: int, threads: int, directory: Path
) -> dict[str, dict[str, Any]]:
    """Figures by bundle: the median of every measure, and all runs; the first round warms up."""
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in bundles}
    for round_number in range(runs + 1):
        for name, path in bundles.items():
            figures = _run_once(path, prompt, threads, directory / f"engine-cache-{name}")
            if round_number:
                measured[name].append(figures)
    return {
        name: {
            "median": {key: statistics.median(run[key] for run in rows) for key in rows[0]},
            "runs": rows,
        }
        for name, rows in measured.items()
    }


def _run_once(path: Path, prompt: int, threads: int, cache: Path) -> dict[str, float]:
    cache.mkdir(exist_ok=True)
    command = [sys.executable, "-c", RUN, path, prompt, DECODE_TOKENS, threads, KV_LENGTH, cache]
    child = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(child.stdout.splitlines()[-1])
    if not figures["decode_tokens_per_second"]:
        raise RuntimeError(f"{path.name} did not decode:\n{child.stderr}")
    return figures


def _print(results: dict[str, dict[str, dict[str, Any]]]) -> None:
    table = Table(
        "prompt", "bundle", "prefill tok/s", "decode tok/s", "first token", "peak", "init", box=None
    )
    for prompt, bundles in results.items():
        reference = bundles["export_hf"]["median"]
        for name, figures in bundles.items():
            median = figures["median"]
            table.add_row(
                prompt,
                name,
                f"{median['prefill_tokens_per_second']:.0f} "
                f"({median['prefill_tokens_per_second'] / reference['prefill_tokens_per_second']:.2f}x)",
                f"{median['decode_tokens_per_second']:.1f} "
                f"({median['decode_tokens_per_second'] / reference['decode_tokens_per_second']:.2f}x)",
                f"{median['first_token_seconds'] * 1000:.0f} ms "
                f"({reference['first_token_seconds'] / median['first_token_seconds']:.2f}x)",
                f"{median['peak_bytes'] / 1e6:.0f} MB",
                f"{median['init_seconds']:.2f} s",
            )
    Console().print(table)


if __name__ == "__main__":
    main()
