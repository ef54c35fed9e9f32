"""What `inspect` finds in an adapter bundle, judged by the adapter as PEFT saved it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from edgekit.bundle.adapter.summary import inspect_adapter
from edgekit.bundle.sidecar import read_sidecar, sidecar_bytes
from edgekit.checkpoint.lora.merge import open_adapter_weights
from edgekit.conversion.adapter.making import adapter
from edgekit.errors import AdapterError
from edgekit.examples import sentiment, support_triage


def norms(directory: Path) -> dict[str, list[float]]:
    """‖alpha / rank · B A‖ of each projection, layer by layer, from the adapter as it was trained."""
    config = json.loads((directory / "adapter_config.json").read_text())
    tensors = {name: tensor.read() for name, tensor in open_adapter_weights(directory).items()}
    found: dict[str, dict[int, float]] = {}
    for name, down in tensors.items():
        if ".lora_A." in name:
            words = name.split(".")
            change = tensors[name.replace(".lora_A.", ".lora_B.")].astype(np.float64) @ down
            norm = config["lora_alpha"] / config["r"] * np.linalg.norm(change)
            found.setdefault(words[words.index("lora_A") - 1], {})[int(words[words.index("layers") + 1])] = (
                norm
            )
    return {target: [by_layer[layer] for layer in sorted(by_layer)] for target, by_layer in found.items()}


def test_the_changes_are_those_that_were_trained(sentiment_adapter: Path, triage_adapter: Path) -> None:
    for bundle, trained in ((sentiment_adapter, sentiment()), (triage_adapter, support_triage())):
        summary = inspect_adapter(bundle)
        expected = norms(trained / "adapter")
        assert {target.target for target in summary.targets} == set(expected)
        for target in summary.targets:
            assert list(target.norms) == pytest.approx(expected[target.target], rel=1e-4)


def test_the_bytes_are_those_of_the_sidecar(triage_adapter: Path) -> None:
    summary = inspect_adapter(triage_adapter)
    values = sum(target.bytes for target in summary.targets)
    assert values == sum(matrix.nbytes for matrix in read_sidecar(summary.path).values())
    assert values < summary.manifest.sidecar.size == summary.path.stat().st_size


def test_a_sidecar_stands_for_its_bundle(sentiment_adapter: Path) -> None:
    assert inspect_adapter(next(sentiment_adapter.glob("*.lora.tflite"))) == inspect_adapter(
        sentiment_adapter
    )


def partial_adapter(directory: Path, trained: Path, keep: tuple[str, ...]) -> Path:
    """An adapter of which only some projections were trained."""
    directory.mkdir()
    config = json.loads((trained / "adapter_config.json").read_text())
    targets = sorted({name for name in config["target_modules"] if any(name in part for part in keep)})
    (directory / "adapter_config.json").write_text(json.dumps(config | {"target_modules": targets}))
    tensors = {
        name: np.ascontiguousarray(tensor.read())
        for name, tensor in open_adapter_weights(trained).items()
        if any(part in name for part in keep)
    }
    save_file(tensors, directory / "adapter_model.safetensors")
    return directory


@pytest.mark.parametrize(
    ("keep", "layers"),
    [
        (("gate_proj", "down_proj"), {"gate_proj": 6, "down_proj": 6}),
        (("layers.2.self_attn.q_proj", "gate_proj"), {"q_proj": 1, "gate_proj": 6}),
        (("layers.5.self_attn.v_proj", "layers.1.mlp.down_proj"), {"v_proj": 1, "down_proj": 1}),
    ],
)
@pytest.mark.slow
def test_projections_that_share_names_are_told_apart(
    tmp_path: Path, adapter_ready_bundle: Path, keep: tuple[str, ...], layers: Mapping[str, int]
) -> None:
    """The MLP's go under the attention's names, with numbers beyond the last layer's."""
    trained = support_triage() / "adapter"
    made = adapter(
        partial_adapter(tmp_path / "part", trained, keep), adapter_ready_bundle, tmp_path / "out", check=False
    )
    summary = inspect_adapter(made.directory)
    assert {target.target: len(target.norms) for target in summary.targets} == layers
    for target in summary.targets:
        assert set(np.round(target.norms, 3)) <= set(np.round(norms(trained)[target.target], 3))


def changed(bundle: Path, copy: Path, matrices: dict[str, np.ndarray]) -> Path:
    """A copy of an adapter bundle with another sidecar that its manifest describes."""
    shutil.copytree(bundle, copy)
    values = json.loads((copy / "adapter.json").read_text())
    data = sidecar_bytes(matrices, values["rank"])
    (copy / values["sidecar"]["file"]).write_bytes(data)
    values["sidecar"] |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (copy / "adapter.json").write_text(json.dumps(values))
    return copy


def test_a_sidecar_that_does_not_agree_with_its_manifest(
    tmp_path: Path, sentiment_adapter: Path, triage_adapter: Path
) -> None:
    matrices = read_sidecar(inspect_adapter(sentiment_adapter).path)
    alone = dict(matrices)
    alone.pop("lora_atten_q_b_prime_weight_0")
    with pytest.raises(AdapterError, match="no pair for lora_atten_q_a_prime_weight_0"):
        inspect_adapter(changed(sentiment_adapter, tmp_path / "alone", alone))
    values = json.loads((triage_adapter / "adapter.json").read_text())
    more = changed(triage_adapter, tmp_path / "more", read_sidecar(inspect_adapter(triage_adapter).path))
    described = json.loads((more / "adapter.json").read_text())
    described["targets"] = [target for target in values["targets"] if target != "o_proj"]
    (more / "adapter.json").write_text(json.dumps(described))
    with pytest.raises(AdapterError, match="changes o_proj, of which the manifest says nothing"):
        inspect_adapter(more)
