"""What edgekit's runner costs: its decode time against litert_lm.Benchmark's, interleaved.

    python benchmarks/bench_overhead.py [BUNDLE] [--runs 20] [--threads 2] [--prefill 256] [--decode 128]

Both measure the same file, each in a process of its own, in turns: A B A B. Figures are the engine's own decode speed,
which is all that litert_lm.Benchmark tells; the runner's difference is what callbacks and time stamps add to a step.
BUNDLE is a 270M-shaped one made from random weights unless given. Written to results/bench_overhead.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import measure
from checkpoint_270m import write_checkpoint

from edgekit.benchmark.plan import BenchPlan, Files, run_task
from edgekit.benchmark.process import run_here
from edgekit.bundle.opening import open_bundle
from edgekit.stats import median_ratio, summarize

TARGET = 0.01

OFFICIAL = """
import json, sys, litert_lm
litert_lm.set_min_log_severity(litert_lm.LogSeverity.ERROR)
path, prefill, decode, threads, cache = sys.argv[1:]
info = litert_lm.Benchmark(
    path, litert_lm.Backend.CPU(thread_count=int(threads)), prefill_tokens=int(prefill), decode_tokens=int(decode),
    cache_dir=cache,
).run()
print(json.dumps([info.last_decode_token_count, info.last_decode_tokens_per_second]))
"""


def main() -> None:
    """Measure, print, and save; exit 1 when the overhead's whole interval lies above the target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bundle", type=Path, nargs="?")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prefill", type=int, default=256)
    parser.add_argument("--decode", type=int, default=128)
    arguments = parser.parse_args()
    plan = BenchPlan(
        (arguments.prefill,), (arguments.decode,), threads=(arguments.threads,), warmup=0, runs=1
    )
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        model = open_bundle(arguments.bundle or _bundle(directory)).model_path
        ours: list[float] = []
        theirs: list[float] = []
        for number in range(arguments.runs + 1):
            figures = (_ours(plan, model, directory), _theirs(plan, model, directory))
            if number:  # the first round fills the engine's cache
                ours.append(1 / figures[0])
                theirs.append(1 / figures[1])
    ratio = median_ratio(ours, theirs, paired=True)
    assert ratio is not None and ratio.low is not None and ratio.high is not None
    fastest = min(ours) / min(theirs) - 1
    result: dict[str, Any] = {
        "overhead": ratio.value - 1,
        "overhead_of_the_fastest_runs": fastest,
        "interval": [ratio.low - 1, ratio.high - 1],
        "seconds_per_token": {
            "edgekit": vars(summarize(ours)),
            "litert_lm.Benchmark": vars(summarize(theirs)),
        },
        "runs": {"edgekit": ours, "litert_lm.Benchmark": theirs},
    }
    print(
        f"decode overhead {100 * result['overhead']:+.2f}%  "
        f"(95% interval {100 * (ratio.low - 1):+.2f}% to {100 * (ratio.high - 1):+.2f}%, {len(ours)} runs each); "
        f"fastest run against fastest run {100 * fastest:+.2f}%"
    )
    print(measure.save("bench_overhead", result))
    sys.exit(1 if ratio.low - 1 > TARGET else 0)


def _bundle(directory: Path) -> Path:
    output = directory / "bundle"
    checkpoint = write_checkpoint(directory / "random-270m")
    measure.run([*measure.CONVERT, str(checkpoint), "-o", str(output), "--no-check"])
    return output


def _ours(plan: BenchPlan, model: Path, directory: Path) -> float:
    cache = directory / "cache-ours"
    cache.mkdir(exist_ok=True)
    task = run_task(plan, plan.cases()[0], Files(str(model), cache_dir=str(cache)), warmup=0, runs=1)
    outcome = run_here(task)
    if outcome.failure is not None or not outcome.runs[0].decode_tps:
        raise RuntimeError(f"the runner failed: {outcome.failure}")
    return outcome.runs[0].decode_tps


def _theirs(plan: BenchPlan, model: Path, directory: Path) -> float:
    cache = directory / "cache-theirs"
    cache.mkdir(exist_ok=True)
    case = plan.cases()[0]
    command = [sys.executable, "-c", OFFICIAL, model, case.prefill, case.decode, case.threads, cache]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
    count, speed = json.loads(done.stdout.splitlines()[-1])
    if count != case.decode or not speed:
        raise RuntimeError(f"litert_lm.Benchmark did not decode:\n{done.stderr}")
    return float(speed)


if __name__ == "__main__":
    main()
