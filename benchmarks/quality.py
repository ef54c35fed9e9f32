"""Quality per megabyte on the real Gemma 3 270M: every recipe, and llama.cpp's Q8_0 and Q4_0 of the same weights.

    python benchmarks/quality.py [--recipes int8,int4] [--no-llama] [--tunes DIRECTORY]

KL is that of the next token's distribution against the checkpoint in Transformers (float32), at every position of
texts of 512 tokens. What is judged is the scoring form of the graph in LiteRT's interpreter: the engine's kernels.
--tunes: a directory with fine-tunes of the real model and their rows
(NAME/merged, data/NAME-eval.jsonl), whose tasks are tried with every recipe. Results go to
benchmarks/results/real-weights.json, which the documentation shows. See real_model.py for what is fetched.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import measure
import numpy as np
import real_model

RESULTS = measure.RESULTS / "real-weights.json"
COMMAND = [sys.executable, "-m", "edgekit"]
LENGTH = 512
CHUNK = 64
LLAMA = {"llama.cpp Q8_0": "Q8_0", "llama.cpp Q4_0": "Q4_0"}
VARIANTS: dict[str, tuple[str, tuple[str, ...], float]] = {
    "int8": ("int8", (), 0.0055),
    "int8 calibrated": ("int8", ("--calibrate",), 0.0035),
    "int8 with int8 KV cache": ("int8", ("--kv-precision", "int8"), 0.0095),
    "int4-head": ("int4-head", (), 0.06),
    "int4": ("int4", (), 0.13),
    "int4-all": ("int4-all", (), 0.25),
    "int8 without rotations": (str(Path(__file__).with_name("int8-plain.toml")), (), math.inf),
    "float32": ("float32", (), 1e-5),
}
"""Name → recipe and flags of convert, and the mean KL that --check holds it to: a little above what was measured, for
other processors."""

Floats = Any


def main() -> None:
    """Measure, print the table, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipes", default=",".join(VARIANTS), help="which of: " + ", ".join(VARIANTS))
    parser.add_argument("--no-llama", action="store_true", help="leave llama.cpp out")
    parser.add_argument("--tunes", type=Path, help="fine-tunes whose tasks are tried")
    parser.add_argument(
        "--check", action="store_true", help="exit 1 when a recipe is worse than it should be"
    )
    options = parser.parse_args()
    root = real_model.directory()
    root.mkdir(parents=True, exist_ok=True)
    model = real_model.real_model(root)
    chosen = [name for name in VARIANTS if name in options.recipes.split(",")]
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results = results if "rows" in results else {}
    results["machine"] = measure.machine()
    rows: dict[str, dict[str, Any]] = results.setdefault("rows", {})
    with tempfile.TemporaryDirectory(prefix="edgekit-quality-") as scratch:
        bundles = {
            name: convert(model, Path(scratch) / name.replace(" ", "-"), *VARIANTS[name][:2])
            for name in chosen
        }
        judge = Judge(model, real_model.texts(root))
        for name, bundle in bundles.items():
            row = rows.setdefault(name, {})
            row["mb"] = round(next(bundle.glob("*.litertlm")).stat().st_size / 1e6, 1)
            row |= judge.figures(bundle_logits(bundle))
            keep(results, name)
        results["positions"], results["reference_perplexity"] = judge.positions, judge.perplexity
        files = {} if options.no_llama else llama_files(root, model)
        for name, file in files.items():
            row = rows.setdefault(name, {"mb": round(file.stat().st_size / 1e6, 1)})
            row |= judge.figures(llama_logits(root, file))
            keep(results, name)
        if options.tunes is not None:
            for name, task, score in task_scores(options.tunes, chosen):
                rows.setdefault(name, {}).setdefault("tasks", {})[task] = score
                keep(results, name)
    print(table(rows))
    if options.check and (bad := problems(rows, chosen)):
        sys.exit("\n".join(bad))


def keep(results: dict[str, Any], name: str) -> None:
    """Write what is known so far, and tell the last of it: a run takes half an hour."""
    order = ["reference", *VARIANTS, *LLAMA]
    rows = dict(sorted(results["rows"].items(), key=lambda row: order.index(row[0])))
    RESULTS.write_text(json.dumps({**results, "rows": rows}, indent=1) + "\n")
    print(name, rows[name], flush=True)


def convert(model: Path, target: Path, recipe: str, flags: Sequence[str]) -> Path:
    """Convert as a user would."""
    command = [*COMMAND, "convert", model, "-o", target, "--recipe", recipe, "--no-check", "--quiet", *flags]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    return target


# ---------------------------------------- quality


class Judge:
    """The reference's distributions over some texts, to which others' are compared."""

    def __init__(self, model: Path, texts: dict[str, str]) -> None:
        """Run the texts through Transformers."""
        from edgekit.checkpoint import open_checkpoint
        from edgekit.runtime.reference import Reference

        reference = Reference(model)
        ids = [reference.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts.values()]
        self.texts: list[list[int]] = [[2, *each][:LENGTH] for each in ids]
        self._hidden = [reference.hidden(each) for each in self.texts]
        self._head = open_checkpoint(model).tensors["model.embed_tokens.weight"].read()
        self.positions = sum(map(len, self.texts))
        losses = [
            _losses(p, t, s) for t, h in zip(self.texts, self._hidden, strict=True) for s, p in self._own(h)
        ]
        self.perplexity = round(math.exp(np.concatenate(losses).mean()), 2)

    def _own(self, hidden: Floats) -> Iterator[tuple[int, Floats]]:
        for start in range(0, len(hidden), CHUNK):
            yield start, _log_softmax(hidden[start : start + CHUNK] @ self._head.T)

    def figures(self, logits: Callable[[list[int]], Iterator[Floats]]) -> dict[str, float]:
        """Compare. logits: of a text, in chunks of `CHUNK` positions."""
        divergence, same, losses = [], [], []
        for text, hidden in zip(self.texts, self._hidden, strict=True):
            for (start, p), chunk in zip(self._own(hidden), logits(text), strict=True):
                q = _log_softmax(chunk)
                divergence.append((np.exp(p) * (p - q)).sum(-1))
                same.append(p.argmax(-1) == q.argmax(-1))
                losses.append(_losses(q, text, start))
        kl = np.concatenate(divergence)
        return {
            "mean_kl": float(f"{kl.mean():.3g}"),
            "kl_99": float(f"{np.quantile(kl, 0.99):.3g}"),
            "kl_max": float(f"{kl.max():.3g}"),
            "same_top": round(float(np.concatenate(same).mean()), 4),
            "perplexity": round(math.exp(np.concatenate(losses).mean()), 2),
        }


def _log_softmax(x: Floats) -> Floats:
    x = x.astype(np.float32) - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def _losses(q: Floats, text: Sequence[int], start: int) -> Floats:
    following = text[start + 1 : start + 1 + len(q)]
    return -q[np.arange(len(following)), following]


def bundle_logits(bundle: Path) -> Callable[[list[int]], Iterator[Floats]]:
    """The logits of a bundle, by its scoring graph."""
    from edgekit.bundle.inspect import inspect
    from edgekit.scoring.scorer import open_scorer

    scorer = open_scorer(inspect(bundle), longest=LENGTH)
    return scorer.logits


# ---------------------------------------- llama.cpp


def llama_files(root: Path, model: Path) -> dict[str, Path]:
    """Quantized files of the same weights, made by llama.cpp itself."""
    python = real_model.llama_cpp(root)
    script = Path(__file__).with_name("llama_peer.py")
    made = {name: root / "gguf" / f"{kind}.gguf" for name, kind in LLAMA.items()}
    if not all(path.exists() for path in made.values()):
        (root / "gguf").mkdir(exist_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        subprocess.run([python, script, "quantize", model, root / "gguf"], check=True, env=environment)
    return made


def llama_logits(root: Path, file: Path) -> Callable[[list[int]], Iterator[Floats]]:
    """The logits of a GGUF file, text by text in a process of its own."""
    python, script = real_model.llama_cpp(root), Path(__file__).with_name("llama_peer.py")

    def logits(text: list[int]) -> Iterator[Floats]:
        with tempfile.TemporaryDirectory() as scratch:
            target = Path(scratch) / "logits.npy"
            subprocess.run(
                [python, script, "logits", file, target],
                check=True,
                input=json.dumps(text).encode(),
                stderr=subprocess.DEVNULL,
            )
            whole = np.load(target, mmap_mode="r")
            for start in range(0, len(text), CHUNK):
                yield np.asarray(whole[start : start + CHUNK])

    return logits


# ---------------------------------------- tasks


def task_scores(tunes: Path, chosen: Sequence[str]) -> Iterator[tuple[str, str, float]]:
    """The share of rows that each fine-tune answers right: (who, task, share), by the reference and by every recipe."""
    for rows in sorted((tunes / "data").glob("*-eval.jsonl")):
        task = rows.name.removesuffix("-eval.jsonl")
        model = tunes / task / "merged"
        for name in chosen:
            with tempfile.TemporaryDirectory(prefix="edgekit-task-") as scratch:
                bundle = convert(model, Path(scratch) / "b", *VARIANTS[name][:2])
                command = [
                    *COMMAND,
                    "validate",
                    bundle,
                    model,
                    "--data",
                    rows,
                    "--json",
                    "--no-report",
                    "--quiet",
                ]
                asked = [*command, "--limit", 0, "--positions", 200, "--max-tokens", 64]
                done = subprocess.run([str(part) for part in asked], stdout=subprocess.PIPE)
            metric = json.loads(done.stdout)["task"]["metrics"][0]
            for who, side in (("reference", "reference"), (name, "bundle")):
                yield who, task, round(metric[side]["value"], 3)


# ---------------------------------------- what is said


def problems(rows: dict[str, dict[str, Any]], chosen: Sequence[str]) -> list[str]:
    """What is worse than it should be."""
    return [
        f"{name}: mean KL {rows[name]['mean_kl']:.3g}, should be at most {VARIANTS[name][2]}"
        for name in chosen
        if rows[name]["mean_kl"] > VARIANTS[name][2]
    ]


def table(rows: dict[str, dict[str, Any]]) -> str:
    """The results, for a terminal."""
    columns = ("mb", "mean_kl", "kl_99", "kl_max", "same_top", "perplexity")
    lines = [f"{'':18}" + "".join(f"{column:>11}" for column in columns)]
    lines += [
        f"{name:18}" + "".join(f"{row.get(column, ''):>11}" for column in columns)
        for name, row in rows.items()
        if "mean_kl" in row
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
