"""Logit parity at the 270M shape: time, memory, and how much the scoring graph saves over stepping.

    python benchmarks/validate.py [--positions 2000] [--runtime 0.11.0]

The reference pass runs first and is cached, so that the measured run is the bundle's alone; then the decode
signature is stepped over some of the same tokens. Results go to benchmarks/results/validate.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import measure
import numpy as np
from checkpoint_270m import write_checkpoint

STEPS = 128
ROUNDS = 7
PROMPTS = 20
WORDS = 110
COMMAND = [sys.executable, "-m", "edgekit"]
STEP = """
import json, sys, time
from pathlib import Path
import numpy as np
from edgekit.bundle.container import read_container
from edgekit.bundle.opening import open_bundle
from edgekit.bundle.stored import model_bytes, stored_weights
from edgekit.graph import find_graph
from edgekit.scoring.scorer import GraphScorer, relink, scoring_key

opened = open_bundle(sys.argv[1])
model = model_bytes(read_container(opened.model_path))
tokens = np.random.default_rng(0).integers(10, 1500, int(sys.argv[2])).tolist()
key = scoring_key(opened.manifest.graph, None)
scoring = relink(find_graph(key), stored_weights(model))
scorers = {
    "decode signature": GraphScorer(bytes(model), longest=len(tokens), by_prefill=False),
    "scoring graph": GraphScorer(scoring, longest=len(tokens), by_prefill=True),
}
seconds = {name: [] for name in scorers}
logits = {}
for scorer in scorers.values():
    next(scorer.logits(tokens[:64]))  # the first call packs the weights
for _ in range(int(sys.argv[3])):  # in turn, so that what else runs here slows both
    for name, scorer in scorers.items():
        began = time.perf_counter()
        logits[name] = np.concatenate(list(scorer.logits(tokens)))
        seconds[name].append(time.perf_counter() - began)
difference = float(np.abs(logits["decode signature"] - logits["scoring graph"]).max())
print(json.dumps({"seconds": seconds, "difference": difference}))
"""


def main() -> None:
    """Measure, print, and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--positions", type=int, default=2000)
    parser.add_argument("--runtime", help="another release to try as well, such as 0.11.0")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        os.environ["EDGEKIT_CACHE"] = str(directory / "cache")
        checkpoint = write_checkpoint(directory / "random-270m")
        bundle = directory / "bundle"
        measure.run([*COMMAND, "convert", str(checkpoint), "-o", str(bundle), "--no-check"])
        data = _texts(directory / "texts.jsonl")
        results = _validate(checkpoint, bundle, data, arguments.positions, directory)
        results["stepping"] = _step(bundle, directory)
        if arguments.runtime:
            results["runtime"] = _runtime(checkpoint, arguments.runtime)
    print(json.dumps(results, indent=2))
    print(measure.save("validate", results))


def _texts(path: Path) -> Path:
    """Prompts and expected outputs long enough for 2,000 positions in a few rows."""
    words = ["the", "screen", "is", "too", "dark", "turn", "it", "up", "and", "lower", "volume", "again"]
    generator = np.random.default_rng(7)
    rows = [
        {
            "prompt": " ".join(generator.choice(words, WORDS)),
            "expected": " ".join(generator.choice(words, 20)),
        }
        for _ in range(PROMPTS)
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return path


def _validate(checkpoint: Path, bundle: Path, data: Path, positions: int, directory: Path) -> dict[str, Any]:
    command = [*COMMAND, "validate", str(bundle), str(checkpoint), "--data", str(data), "--limit", "16"]
    command += ["--positions", str(positions), "--max-tokens", "8", "--quiet"]
    # Random weights have nothing but ties: what they answer is noise, and no gate is to stop the clock.
    command += ["--max-kl", "10", "--min-top1", "0", "--max-task-drop", "1", "--max-loop", "1"]
    first = measure.run(command, directory / "first.log")
    second = measure.run(command, directory / "second.log")
    report = json.loads((bundle / "reports" / "validate.json").read_text())
    logits = report["logits"]
    seconds = {check["name"]: check["seconds"] for check in report["checks"]}
    return {
        "positions": logits["figures"]["positions"],
        "method": logits["method"],
        "logit_parity_seconds": seconds["logits"],
        "of_which_the_bundle_reads_seconds": logits["seconds"],
        "whole_command_seconds": second.seconds,
        "whole_command_peak_bytes": second.peak_bytes,
        "with_reference_pass_seconds": first.seconds,
        "with_reference_pass_peak_bytes": first.peak_bytes,
        "mean_kl": logits["figures"]["kl_mean"]["value"],
        "top1": logits["figures"]["top1"]["value"],
        "check_seconds": seconds,
        "verdict": report["headline"],
    }


def _step(bundle: Path, directory: Path) -> dict[str, Any]:
    """The same tokens through both signatures, in one process, one after the other."""
    log = directory / "step.log"
    measure.run([sys.executable, "-c", STEP, str(bundle), str(STEPS), str(ROUNDS)], log)
    found = json.loads(log.read_text().splitlines()[-1])
    decode, scoring = found["seconds"]["decode signature"], found["seconds"]["scoring graph"]
    return {
        "tokens": STEPS,
        "decode_signature_seconds": decode,
        "scoring_graph_seconds": scoring,
        "times_faster": statistics.median(d / s for d, s in zip(decode, scoring, strict=True)),
        "largest_logit_difference": found["difference"],
    }


def _runtime(checkpoint: Path, release: str) -> dict[str, Any]:
    """Another release on the demo's bundle: what a user gets who types --runtime."""
    demo = Path(__file__).parents[1] / "examples" / "settings-navigator"
    bundle = checkpoint.parent / "demo"
    measure.run([*COMMAND, "convert", str(demo / "checkpoint"), "-o", str(bundle), "--no-check"])
    began = time.perf_counter()
    command = [
        *COMMAND,
        "validate",
        str(bundle),
        str(demo / "checkpoint"),
        "--data",
        str(demo / "eval.jsonl"),
    ]
    measure.run([*command, "--limit", "20", "--runtime", release, "--quiet"])
    report = json.loads((bundle / "reports" / "validate.json").read_text())
    check = next(check for check in report["checks"] if check["name"] == "runtimes")
    return {"release": release, "seconds": time.perf_counter() - began, "said": check["summary"]}


if __name__ == "__main__":
    main()
