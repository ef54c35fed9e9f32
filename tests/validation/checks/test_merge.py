"""An adapter in peft against its merged weights."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgekit
from edgekit.conversion.convert import convert
from edgekit.validation.checks import (
    merge,
)
from tests.validation.reading import section

pytestmark = pytest.mark.slow


def adapter_of(base: Path, target: Path, spread: float) -> Path:
    """A LoRA adapter with random matrices, saved by peft."""
    import peft
    import torch
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM")
    adapted = peft.get_peft_model(model, config)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * spread)
    adapted.save_pretrained(target)
    return target


@pytest.mark.parametrize(("spread", "status"), [(0.05, "passed"), (0.0, "failed")])
def test_an_adapter_is_held_to_what_peft_makes_of_it(
    demo_path: Path, few_rows: Path, tmp_path: Path, spread: float, status: str
) -> None:
    adapter = adapter_of(demo_path, tmp_path / "adapter", spread)
    bundle = convert(adapter, tmp_path / "b", base=demo_path, recipe="float32", check=False).bundle
    report = edgekit.validate(
        bundle, adapter, base=demo_path, data=few_rows, limit=4, max_tokens=32, report=False
    )
    assert report.check("merge").status == status
    assert report.check("logits").status == report.check("weights").status == "passed"
    assert section(report, merge.Section).merged.kl_mean < 1e-5, (
        "merged weights are rounded to the dtype of the base"
    )
    assert section(report, merge.Section).changed_tensors == (12 if spread else 0)
    assert (section(report, merge.Section).from_base.kl_mean > 1e-6) is bool(spread)
    again = edgekit.validate(
        bundle, adapter, base=demo_path, data=few_rows, limit=4, max_tokens=32, report=False
    )
    assert again.reference.cached
    assert section(again, merge.Section) == section(report, merge.Section)
