"""What taking adapters at run time costs: a step, a prompt, a switch, a file; against plain and merged bundles.

    python benchmarks/adapters.py [--real] [--runs 5] [--threads 2]

One checkpoint (random weights of Gemma 3 270M's shape, or its own) and a random LoRA of rank 16 on it, int8. Every
figure is a process of its own, A B C A B C, after a round that warms up: 256 tokens in, 128 decoded. Compared are

* the plain bundle, which is also what a merged one costs;
* bases that take adapters (all projections or attention only, rank 16 or 32), with the empty sidecar;
* the base with the adapter.

Then, in one process, what it takes to switch: a new conversation with the other sidecar, up to its first token, against
opening a merged bundle anew. And what `edgekit adapter` takes, whole command. Printed, and written to
results/adapters.json.
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
from rich.console import Console
from rich.table import Table

PROMPT, DECODE, SWITCHES = 256, 128, 20

STEPS = """
import json, sys, time, litert_lm
litert_lm.set_min_log_severity(litert_lm.LogSeverity.ERROR)
path, sidecar, prompt, decode, threads, cache = sys.argv[1:]
engine = litert_lm.Engine(
    path, litert_lm.Backend.CPU(thread_count=int(threads)), max_num_tokens=1024, cache_dir=cache
)
word = next(w for w in ("on", "a", "the", "e") if len(engine.tokenize(" " + w)) == 1)
greedy = litert_lm.SamplerConfig(top_k=1, top_p=1.0, temperature=1.0)
lora = litert_lm.LoraConfig(lora_path=sidecar) if sidecar else None
figures = {}
for _ in range(2):  # the first warms up
    with engine.create_session(
        apply_prompt_template=False, sampler_config=greedy, max_output_tokens=int(decode), lora_config=lora
    ) as session:
        began = time.perf_counter()
        session.run_prefill([(" " + word) * int(prompt)])
        figures["prefill_ms"] = (time.perf_counter() - began) * 1e3
        began, count = time.perf_counter(), 0
        for _ in session.run_decode_async():
            count += 1
        figures["decode_ms"] = (time.perf_counter() - began) / count * 1e3
print(json.dumps(figures))
"""

SWITCH = """
import json, statistics, sys, time, litert_lm
litert_lm.set_min_log_severity(litert_lm.LogSeverity.ERROR)
base, first, second, merged, switches, threads, cache = sys.argv[1:]

def opened(path):
    return litert_lm.Engine(
        path, litert_lm.Backend.CPU(thread_count=int(threads)), max_num_tokens=1024, cache_dir=cache
    )

def first_token(engine, sidecar):
    lora = litert_lm.LoraConfig(lora_path=sidecar) if sidecar else None
    with engine.create_conversation(max_output_tokens=1, lora_config=lora) as chat:
        made = time.perf_counter()
        chat.send_message("Hello")
    return made

engine = opened(base)
first_token(engine, first)
made, answered = [], []
for number in range(int(switches)):
    began = time.perf_counter()
    ready = first_token(engine, (second, first)[number % 2])
    made.append((ready - began) * 1e3)
    answered.append((time.perf_counter() - began) * 1e3)
engine.close()
opened(merged).close()  # fills the engine's cache
reopened = []
for _ in range(5):
    began = time.perf_counter()
    engine = opened(merged)
    first_token(engine, None)
    reopened.append((time.perf_counter() - began) * 1e3)
    engine.close()
print(json.dumps({
    "new_conversation_ms": statistics.median(made), "to_first_token_ms": statistics.median(answered),
    "reopening_merged_to_first_token_ms": statistics.median(reopened),
}))
"""


def main() -> None:
    """Measure, print, and save."""
    arguments = measure.parser(__doc__, runs=5).parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        checkpoint = measure.model(directory, real=arguments.real)
        trained = [_random_adapter(checkpoint, directory / f"lora-{seed}", seed) for seed in (1, 2)]
        base = _convert(directory, "base", str(checkpoint), "--adapters", "16")
        made = [
            measure.run(
                [
                    *(
                        sys.executable,
                        "-m",
                        "edgekit",
                        "adapter",
                        str(lora),
                        "--base-bundle",
                        str(base.parent),
                    ),
                    *("-o", str(directory / f"sidecar-{lora.name}"), "--no-check", "--quiet"),
                ]
            ).seconds
            for lora in trained
        ]
        sidecars = [next((directory / f"sidecar-{lora.name}").glob("*.lora.tflite")) for lora in trained]
        merged = _convert(directory, "merged", str(trained[0]), "--base", str(checkpoint))
        bases = {
            "all, rank 16": base,
            "all, rank 32": _convert(directory, "all32", str(checkpoint), "--adapters", "32"),
            "attention, rank 16": _convert(directory, "att16", str(checkpoint), "--adapters", "16:attention"),
        }
        compared: dict[str, tuple[Path, Path | None]] = {
            "plain": (_convert(directory, "plain", str(checkpoint)), None),
            **{name: (path, path.parent / "empty.lora.tflite") for name, path in bases.items()},
            "all, rank 16, with an adapter": (base, sidecars[0]),
        }
        results: dict[str, Any] = {
            "of": measure.what(real=arguments.real),
            "steps": _interleaved(compared, arguments.runs, arguments.threads, directory),
            "switch": _run(
                SWITCH, base, sidecars[0], sidecars[1], merged, SWITCHES, arguments.threads, directory
            ),
            "adapter_seconds": statistics.median(made),
            "bytes": {
                "base": base.stat().st_size,
                "sidecar": sidecars[0].stat().st_size,
                "merged": merged.stat().st_size,
            },
        }
    _print(results)
    print(measure.save("adapters", results))


def _random_adapter(checkpoint: Path, directory: Path, seed: int) -> Path:
    """Write a LoRA of rank 16 on every projection, with random values of the size that training gives."""
    import numpy as np
    from safetensors.numpy import save_file

    config = json.loads((checkpoint / "config.json").read_text())
    hidden, mlp, head = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    query, key = head * config["num_attention_heads"], head * config["num_key_value_heads"]
    shapes = {
        "self_attn.q_proj": (query, hidden),
        "self_attn.k_proj": (key, hidden),
        "self_attn.v_proj": (key, hidden),
        "self_attn.o_proj": (hidden, query),
        "mlp.gate_proj": (mlp, hidden),
        "mlp.up_proj": (mlp, hidden),
        "mlp.down_proj": (hidden, mlp),
    }
    generator = np.random.default_rng(seed)
    tensors = {}
    for layer in range(config["num_hidden_layers"]):
        for module, (rows, columns) in shapes.items():
            name = f"base_model.model.model.layers.{layer}.{module}"
            tensors[f"{name}.lora_A.weight"] = generator.normal(0, 0.02, (16, columns)).astype(np.float32)
            tensors[f"{name}.lora_B.weight"] = generator.normal(0, 0.02, (rows, 16)).astype(np.float32)
    directory.mkdir()
    save_file(tensors, directory / "adapter_model.safetensors")
    document = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 16, "lora_alpha": 16}
    (directory / "adapter_config.json").write_text(json.dumps(document))
    return directory


def _convert(directory: Path, name: str, *arguments: str) -> Path:
    output = directory / name
    measure.run([*measure.CONVERT, *arguments, "-o", str(output), "--no-check"], directory / "convert.log")
    return next(output.glob("*.litertlm"))


def _interleaved(
    compared: dict[str, tuple[Path, Path | None]], runs: int, threads: int, directory: Path
) -> dict[str, dict[str, Any]]:
    """Figures by bundle: medians, and the median of the ratios to the first one, round by round."""
    rounds: list[dict[str, dict[str, float]]] = []
    for number in range(runs + 1):
        figures = {
            name: _run(STEPS, path, sidecar or "", PROMPT, DECODE, threads, directory)
            for name, (path, sidecar) in compared.items()
        }
        if number:
            rounds.append(figures)
    first = next(iter(compared))
    return {
        name: {
            measure_: {
                "median": statistics.median(r[name][measure_] for r in rounds),
                "ratio": statistics.median(r[name][measure_] / r[first][measure_] for r in rounds),
                "runs": [r[name][measure_] for r in rounds],
            }
            for measure_ in rounds[0][name]
        }
        for name in compared
    }


def _run(script: str, *arguments: object) -> dict[str, float]:
    *front, directory = arguments
    cache = Path(str(directory)) / "engine-cache"
    cache.mkdir(exist_ok=True)
    command = [sys.executable, "-c", script, *(str(part) for part in front), str(cache)]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    if child.returncode != 0:
        raise RuntimeError(child.stderr)
    figures: dict[str, float] = json.loads(child.stdout.splitlines()[-1])
    return figures


def _print(results: dict[str, Any]) -> None:
    table = Table("bundle", "ms per step", "of plain", "ms for 256 tokens", "of plain", box=None)
    for name, figures in results["steps"].items():
        decode, prefill = figures["decode_ms"], figures["prefill_ms"]
        table.add_row(
            name,
            f"{decode['median']:.2f}",
            f"{decode['ratio']:.3f}",
            f"{prefill['median']:.0f}",
            f"{prefill['ratio']:.3f}",
        )
    Console().print(table)
    switch, sizes = results["switch"], results["bytes"]
    print(f"new conversation with another adapter: {switch['new_conversation_ms']:.1f} ms")
    print(f"  to its first token: {switch['to_first_token_ms']:.1f} ms")
    print(f"  merged bundle opened anew: {switch['reopening_merged_to_first_token_ms']:.0f} ms")
    print(f"edgekit adapter: {results['adapter_seconds']:.2f} s, whole command")
    print(f"base {sizes['base'] / 1e6:.1f} MB, sidecar {sizes['sidecar'] / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
