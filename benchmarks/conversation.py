"""A long conversation: the time to feed it, decode at its start and its end, and the peak memory.

    python benchmarks/conversation.py [--real] [--runs 2] [--threads 2] [--length 16000] [--turn 128]

The KV cache in its forms, weights in int8, in processes of their own, in turns, after a round that fills the engine's
caches. Fed as `edgekit chat` feeds: in pieces of 128, and glibc gives freed caches back.
Written to results/conversation.json.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import measure

DECODE_TOKENS = 64
LAYOUTS = {
    "full": (),
    "full, int8": ("--kv-precision", "int8"),
    "window": ("--kv-layout", "window"),
    "window, int8": ("--kv-layout", "window", "--kv-precision", "int8"),
}

CONVERSATION = """
import ctypes, json, sys, time, litert_lm
ctypes.CDLL(None).mallopt(-3, 4 << 20)
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
# Not ru_maxrss: it counts what the process was before it became this one.
with open("/proc/self/status") as status:
    figures["peak_bytes"] = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
print(json.dumps(figures))
"""


def main() -> None:
    """Measure, and save."""
    parser = measure.parser(__doc__, runs=2)
    parser.add_argument("--length", type=int, default=16_000, help="tokens of the conversation")
    parser.add_argument("--turn", type=int, default=128, help="tokens that it is fed at a time")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        model = measure.model(directory, real=given.real)
        paths = {
            kind: measure.convert(model, directory / kind.replace(", ", "-"), *flags)
            for kind, flags in LAYOUTS.items()
        }
        rows: dict[str, list[dict[str, float]]] = {kind: [] for kind in LAYOUTS}
        for number in range(given.runs + 1):
            for kind, path in paths.items():
                figures = _converse(
                    path, given.length, given.turn, given.threads, directory / f"cache-{path.parent.name}"
                )
                if number:
                    rows[kind].append(figures)
    results: dict[str, Any] = {
        "of": measure.what(real=given.real),
        "length": given.length,
        "turn": given.turn,
        "rows": {
            kind: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            for kind, runs in rows.items()
        },
        "runs": rows,
    }
    print(measure.save("conversation", results))


def _converse(path: Path, length: int, turn: int, threads: int, cache: Path) -> dict[str, float]:
    cache.mkdir(exist_ok=True)
    command = [sys.executable, "-c", CONVERSATION, path, length, turn, DECODE_TOKENS, threads, cache]
    child = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if child.returncode:
        raise RuntimeError(f"the conversation failed:\n{child.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(child.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    main()
