"""Decode against its targets: edgekit's bundles and export_hf's, interleaved; then where a step's time goes.

    python benchmarks/decode.py [--runs 5] [--threads 2] [--default FILE] [--short FILE] [--conversation 16000]

One random checkpoint of Gemma 3 270M's shape. export_hf's bundles, int8 at KV 4096 (its default) and KV 1024, are
exported first (two minutes each) unless given. Every figure is a process of its own, A B C A B C, after a round that
fills the engine's caches. Three parts:

* 256 tokens in, 128 decoded; and 20 tokens in, for the time to the first token;
* a conversation of 16,000 tokens, fed in turns of 500 (--turn): decode behind 256 tokens and at its end, and the
  peak memory;
* how long the machine takes to read what a step must read (weights and the live cache) once, with as many threads.

Printed with the targets, and written to results/decode.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measure
import numpy as np
from convert import CONVERT, EXPORT
from engine import _run_once
from rich.console import Console
from rich.table import Table
from vocabulary import CORPUS

DECODE_TOKENS = 64
SHORT_PROMPT, PROMPT = 20, 256
LIVE_LAYERS = {"full": 3, "sliding": 15}
ROW_BYTES = 2 * 256 * 4
"""Keys and values of one position in one layer, float32."""
WINDOW = 512

CONVERSATION = """
import json, sys, time, litert_lm
litert_lm.set_min_log_severity(litert_lm.LogSeverity.ERROR)
path, length, turn, decode, threads, cache = sys.argv[1:]
length, turn, decode = int(length), int(turn), int(decode)
engine = litert_lm.Engine(
    path, litert_lm.Backend.CPU(thread_count=int(threads)), max_num_tokens=length + 4 * decode + 1024, cache_dir=cache
)
word = next(w for w in ("on", "a", "the", "e") if len(engine.tokenize(" " + w)) == 1)

def speed(session):
    began, count = time.perf_counter(), 0
    for _ in session.run_decode_async():
        count += 1
    return count / (time.perf_counter() - began)

def feed(session, tokens):
    session.run_prefill([(" " + word) * tokens])

greedy = litert_lm.SamplerConfig(top_k=1, top_p=1.0, temperature=1.0)
figures = {}
with engine.create_session(apply_prompt_template=False, sampler_config=greedy, max_output_tokens=decode) as session:
    feed(session, 256)
    figures["decode_behind_256"] = speed(session)
    began = time.perf_counter()
    for start in range(256 + decode, length, turn):
        feed(session, min(turn, length - start))
    figures["seconds_to_fill"] = time.perf_counter() - began
    figures["decode_at_end"] = speed(session)
with open("/proc/self/status") as status:
    figures["peak_bytes"] = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
print(json.dumps(figures))
"""


@dataclass(frozen=True)
class Target:
    """One of the promises: what it says, the figure that was met, and what it must be."""

    text: str
    figure: float
    bound: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Whether the figure keeps the promise."""
        return self.figure <= self.bound if self.at_most else self.figure >= self.bound


def main() -> None:
    """Measure, print, and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--default", type=Path, help="what export_hf writes by default")
    parser.add_argument("--short", type=Path, help="what export_hf writes with --cache_length=1024")
    parser.add_argument("--conversation", type=int, default=16_000, help="tokens; 0 leaves the part out")
    parser.add_argument("--turn", type=int, default=500, help="tokens that the conversation is fed at a time")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        checkpoint = measure.random_checkpoint(directory / "random-270m")
        trimming = ["--vocab-from", str(CORPUS), "--vocab-keep", "32768"]
        bundles = {
            "export_hf, KV 4096": arguments.default or _export(checkpoint, directory, 4096),
            "export_hf, KV 1024": arguments.short or _export(checkpoint, directory, 1024),
            "int8, full": _convert(checkpoint, directory, "full", "--kv-layout", "full"),
            "int8, window": _convert(checkpoint, directory, "window", "--kv-layout", "window"),
            "int4-head, full": _convert(checkpoint, directory, "head", "--recipe", "int4-head"),
            "int4-head, window": _convert(
                checkpoint, directory, "head-window", "--recipe", "int4-head", "--kv-layout", "window"
            ),
            "int8, full, float16": _convert(checkpoint, directory, "half", "--kv-precision", "float16"),
            "int4, 32k": _convert(
                checkpoint, directory, "small", "--kv-layout", "window", "--recipe", "int4-all", *trimming
            ),
        }
        results: dict[str, Any] = {"bytes": {name: path.stat().st_size for name, path in bundles.items()}}
        for prompt in (SHORT_PROMPT, PROMPT):

            def speed(name: str, path: Path, prompt: int = prompt) -> dict[str, float]:
                return _run_once(path, prompt, arguments.threads, directory / f"cache-{name}")

            results[f"prompt {prompt}"] = _interleaved(bundles, arguments.runs, speed)
        if arguments.conversation:

            def conversation(name: str, path: Path) -> dict[str, float]:
                cache = directory / f"cache-{name}"
                return _converse(path, arguments.conversation, arguments.turn, arguments.threads, cache)

            own = {name: path for name, path in bundles.items() if name.startswith("int8")}
            results["conversation"] = _interleaved(own, max(1, arguments.runs // 2), conversation)
        results["floor"] = _floor(results["bytes"], arguments.threads)
    _print(results)
    print(measure.save("decode", results))


def _export(checkpoint: Path, directory: Path, kv_length: int) -> Path:
    output = directory / f"export-{kv_length}"
    measure.run(
        [*EXPORT, f"--model={checkpoint}", f"--output_dir={output}", f"--cache_length={kv_length}"],
        directory / "export.log",
    )
    return next(output.glob("*.litertlm"))


def _convert(checkpoint: Path, directory: Path, name: str, *options: str) -> Path:
    output = directory / name
    measure.run([*CONVERT, str(checkpoint), "-o", str(output), "--no-check", *options])
    return next(output.glob("*.litertlm"))


def _interleaved(
    bundles: dict[str, Path], runs: int, measured: Callable[[str, Path], dict[str, float]]
) -> dict[str, dict[str, Any]]:
    """Median and runs by bundle; the first round warms up."""
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in bundles}
    for round_number in range(runs + 1):
        for name, path in bundles.items():
            figures = measured(name, path)
            if round_number:
                rows[name].append(figures)
    return {
        name: {
            "median": {key: statistics.median(row[key] for row in found) for key in found[0]},
            "runs": found,
        }
        for name, found in rows.items()
    }


def _converse(path: Path, length: int, turn: int, threads: int, cache: Path) -> dict[str, float]:
    cache.mkdir(exist_ok=True)
    command = [sys.executable, "-c", CONVERSATION, path, length, turn, DECODE_TOKENS, threads, cache]
    child = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if child.returncode:
        raise RuntimeError(f"the conversation failed:\n{child.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(child.stdout.splitlines()[-1])
    return figures


def _floor(sizes: dict[str, int], threads: int) -> dict[str, float]:
    """Steps per second if a step were one reading of the weights and of the cache behind PROMPT tokens."""
    bandwidth = _bandwidth(threads)
    cache = sum(LIVE_LAYERS.values()) * min(PROMPT, WINDOW) * ROW_BYTES
    steps = {name: bandwidth / (size + cache) for name, size in sizes.items()}
    return {"bytes_per_second": bandwidth, **steps}


def _bandwidth(threads: int, megabytes: int = 256) -> float:
    """Bytes per second that threads read together from memory no cache holds; the best of five."""
    blocks = [np.ones(megabytes << 17, np.float64) for _ in range(threads)]
    best = float("inf")
    for _ in range(5):
        readers = [
            threading.Thread(target=block.max) for block in blocks
        ]  # NumPy lets go of the interpreter's lock
        began = time.perf_counter()
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        best = min(best, time.perf_counter() - began)
    return sum(block.nbytes for block in blocks) / best


def _targets(results: dict[str, Any]) -> list[Target]:
    def median(part: str, name: str, key: str) -> float:
        return float(results[part][name]["median"][key])

    def decode(name: str) -> float:
        return median(f"prompt {PROMPT}", name, "decode_tokens_per_second")

    def prefill(name: str) -> float:
        return median(f"prompt {PROMPT}", name, "prefill_tokens_per_second")

    def first(name: str) -> float:
        return median(f"prompt {SHORT_PROMPT}", name, "first_token_seconds")

    default, short = "export_hf, KV 4096", "export_hf, KV 1024"
    targets = []
    for ours in ("int8, full", "int8, window", "int4-head, full", "int4-head, window"):
        targets += [
            Target(f"{ours}: decode against {default}", decode(ours) / decode(default), 2.0),
            Target(f"{ours}: decode against {short}", decode(ours) / decode(short), 1.2),
            Target(
                f"{ours}: prefill against export_hf's best",
                prefill(ours) / max(map(prefill, (default, short))),
                1.0,
            ),
            Target(f"{ours}: first token after 20 against {default}", first(default) / first(ours), 3.0),
        ]
        if ours in results.get("conversation", {}):
            end, start = (median("conversation", ours, key) for key in ("decode_at_end", "decode_behind_256"))
            targets += [
                Target(f"{ours}: decode at the end of the conversation against its start", end / start, 0.6),
                Target(
                    f"{ours}: its peak, MB",
                    median("conversation", ours, "peak_bytes") / 1e6,
                    650,
                    at_most=True,
                ),
            ]
    small = "int4, 32k"
    return [
        *targets,
        Target(f"{small}: file, MB", results["bytes"][small] / 1e6, 70, at_most=True),
        Target(f"{small}: decode against {short}", decode(small) / decode(short), 2.5),
    ]


def _print(results: dict[str, Any]) -> None:
    console = Console()
    table = Table("prompt", "bundle", "prefill tok/s", "decode tok/s", "first token", "peak", box=None)
    for part in (f"prompt {SHORT_PROMPT}", f"prompt {PROMPT}"):
        for name, found in results[part].items():
            median = found["median"]
            table.add_row(
                part,
                name,
                f"{median['prefill_tokens_per_second']:.0f}",
                f"{median['decode_tokens_per_second']:.1f}",
                f"{median['first_token_seconds'] * 1000:.0f} ms",
                f"{median['peak_bytes'] / 1e6:.0f} MB",
            )
    console.print(table)
    floor = results["floor"]
    console.print(f"memory: {floor['bytes_per_second'] / 1e9:.1f} GB/s read by all threads together")
    for name, found in results[f"prompt {PROMPT}"].items():
        decode = found["median"]["decode_tokens_per_second"]
        console.print(f"{name}: {decode:.1f} of {floor[name]:.1f} steps/s that reading alone allows")
    for target in _targets(results):
        sign = "≤" if target.at_most else "≥"
        verdict = "met" if target.met else "MISSED"
        console.print(f"{verdict:6} {target.text}: {target.figure:.2f} ({sign} {target.bound:g})")


if __name__ == "__main__":
    main()
