"""An adapter in peft against its merged weights; and answers that are labels or free text."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgekit
from edgekit.conversion.convert import convert
from edgekit.gates import Gates, Thresholds
from edgekit.validation.answers import check_task, task_kind, worst_examples
from edgekit.validation.result import GenerationRow

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
    assert report.merge is not None
    assert report.merge.merged.kl_mean < 1e-5, "merged weights are rounded to the dtype of the base"
    assert report.merge.changed_tensors == (12 if spread else 0)
    assert (report.merge.from_base.kl_mean > 1e-6) is bool(spread)
    again = edgekit.validate(
        bundle, adapter, base=demo_path, data=few_rows, limit=4, max_tokens=32, report=False
    )
    assert again.reference.cached
    assert again.merge == report.merge


def row(expected: str, reference: str | None, bundle: str, *, loops: bool = False) -> GenerationRow:
    return GenerationRow(
        "p", expected, reference, bundle, *(None, None), 3, 3, False, loops, True, True, None
    )


def gates(**thresholds: float) -> Gates:
    return Gates(Thresholds(**thresholds), Thresholds())


def test_labels_are_scored_by_accuracy_and_macro_f1_and_compared_in_pairs() -> None:
    rows = [row(label, label, label if i else "no idea") for i, label in enumerate(["yes", "no"] * 10)]
    check, section = check_task(rows, gates(min_task=0.99))
    assert section.kind == "labels"
    accuracy, f1 = section.metrics
    assert (accuracy.name, accuracy.bundle.value, accuracy.reference and accuracy.reference.value) == (
        "accuracy",
        0.95,
        1.0,
    )
    assert accuracy.p_value == 1.0
    assert accuracy.difference is not None
    assert accuracy.difference.value == pytest.approx(-0.05)
    assert f1.bundle.value == pytest.approx((18 / 19 + 1) / 2)
    assert check.status == "failed"
    assert "task metric is 0.95, allowed is at least 0.99" in check.summary


def test_free_text_is_scored_by_chrf() -> None:
    pytest.importorskip("sacrebleu")
    texts = [f"A sentence of its own, number {n}, about something else" for n in range(6)]
    rows = [row(text, text, text[:-4]) for text in texts]
    check, section = check_task(rows, gates(max_task_drop=0.5))
    assert section.kind == "text"
    assert section.metrics[0].name == "chrF"
    assert section.metrics[0].reference is not None
    assert section.metrics[0].reference.value == pytest.approx(1)
    assert 0.8 < section.metrics[0].bundle.value < 1
    assert check.status == "passed"


def test_a_drop_counts_as_far_as_the_interval_vouches_for_it() -> None:
    rows = [row('{"a": 1}', '{"a": 1}', '{"a": 2}' if i % 2 else '{"a": 1}') for i in range(40)]
    check, section = check_task(rows, gates(max_task_drop=0.1))
    assert section.kind == "json"
    assert check.status == "failed"
    assert 0.3 < check.gates[0].value < 0.5
    assert [metric.name for metric in section.metrics] == [
        "exact match",
        "valid JSON",
        "field precision",
        "field recall",
        "field F1",
    ]


def test_kinds_of_tasks() -> None:
    assert task_kind(['{"a": 1}', "{}"]) == "json"
    assert task_kind(["a", "b", "a", "b"]) == "labels"
    assert task_kind(["one thing", "another thing", "a third thing"]) == "text"


def test_the_worst_come_first() -> None:
    rows = [row("x", "x", "x"), row("x", "y", "z"), row("x", "x", "z"), row("x", "x", "z z", loops=True)]
    assert [example.why for example in worst_examples(rows)] == [
        "ends in a loop",
        "became wrong",
        "wrong in both",
    ]
