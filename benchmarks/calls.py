"""What it costs to hold calls to their tools: the same call with and without the format, in turns.

    python benchmarks/calls.py [--bundle DIRECTORY] [--data ROWS] [--rows 60] [--runs 5] [--threads 2] [--differ]

Without --bundle, the demo model that calls and its test.jsonl. One engine; each prompt in a conversation of its own,
free and held one behind the other, and the next time the other way round. A row counts when both say the same; with
--differ each counts, for random weights, whose answers differ and have only the time per token in common.
Written to results/calls.json: seconds per token generated, as the engine measures them, and of the whole answer, the
tools' prefill included, which is the same in both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import measure

from edgekit.bundle.manifest import read_manifest
from edgekit.calling.tools import Calling
from edgekit.examples import phone_actions
from edgekit.runtime.ask.protocol import Decoding
from edgekit.runtime.ask.session import Session, ask
from edgekit.text.answers import AnswerFormat
from edgekit.text.generation import GREEDY

BAR = 1.1
KINDS = ("free", "held")


def main() -> None:
    """Measure, and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, help="a bundle that calls")
    parser.add_argument(
        "--data", type=Path, default=phone_actions() / "test.jsonl", help="rows with messages"
    )
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--differ", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        bundle = given.bundle or _demo(Path(name))
        calling = read_manifest(bundle).calling
        if calling is None or calling.format is None:
            parser.error(f"{bundle} calls nothing")
        prompts = _prompts(given.data, given.rows)
        with ask(next(bundle.glob("*.litertlm")), threads=given.threads) as session:
            rows = [_row(session, calling, prompt, given.runs, n) for n, prompt in enumerate(prompts)]
    counted = [row for row, same in rows if same or given.differ]
    results: dict[str, Any] = {"rows": len(rows), "counted": len(counted), "runs": given.runs, "bar": BAR}
    for what in ("token",) if given.differ else ("token", "answer"):
        seconds = {kind: sum(row[f"{kind} {what}"] for row in counted) / len(counted) for kind in KINDS}
        ratios = sorted(row[f"held {what}"] / row[f"free {what}"] for row in counted)
        results[what] = {
            **seconds,
            "ratio": seconds["held"] / seconds["free"],
            "quartiles": statistics.quantiles(ratios, n=4),
        }
    print(json.dumps(results, indent=2))
    print(measure.save("calls", results))


def _demo(directory: Path) -> Path:
    measure.convert(
        phone_actions() / "checkpoint", directory / "demo", "--tools", str(phone_actions() / "tools.json")
    )
    return directory / "demo"


def _prompts(data: Path, count: int) -> list[str]:
    """Prompts that take a call, from all over the file."""
    rows = [json.loads(line) for line in data.read_text("utf-8").splitlines()]
    calls = [row["messages"][0]["content"] for row in rows if row["messages"][-1].get("tool_calls")]
    return calls[:: max(1, len(calls) // count)][:count]


def _row(
    session: Session, calling: Calling, prompt: str, runs: int, number: int
) -> tuple[dict[str, float], bool]:
    """The medians of one prompt in seconds, and whether free and held say the same."""
    assert calling.format is not None
    formats = {"free": None, "held": AnswerFormat("regex", calling.format)}
    texts: set[str] = set()
    found: dict[str, list[float]] = {f"{kind} {what}": [] for kind in KINDS for what in ("token", "answer")}
    for turn in range(runs + 1):
        for kind in KINDS if (number + turn) % 2 else KINDS[::-1]:
            decoding = Decoding(sampler=GREEDY, max_tokens=128, answers=formats[kind])
            first = calling.first()
            with session.talk(decoding, [] if first is None else [first]) as talk:
                began = time.perf_counter()
                reply = talk.say(prompt)
                took = time.perf_counter() - began
            texts.add(reply.text)
            if turn:  # the first one warms up
                found[f"{kind} token"].append(1 / reply.stats.decode_tokens_per_second)
                found[f"{kind} answer"].append(took)
    return {name: statistics.median(some) for name, some in found.items()}, len(texts) == 1


if __name__ == "__main__":
    main()
