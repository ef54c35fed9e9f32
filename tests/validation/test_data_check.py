"""How rows will be read, told before anything is run on them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.errors import GateError
from edgekit.validation.data_check import check_data
from tests.conftest import EXAMPLE


def rows(path: Path, *found: tuple[str, str | None]) -> Path:
    lines = [json.dumps({"prompt": p, "completion": c, "id": 7}) for p, c in found]
    path.write_text("\n".join(lines))
    return path


def test_labels_lengths_and_columns_are_told(tmp_path: Path) -> None:
    found = check_data(rows(tmp_path / "d.jsonl", ("one", "yes"), ("two", "no"), ("three", "yes")))
    assert found.passed
    assert found.prompts is not None and found.prompts.maximum == 5
    assert any("not read: id" in remark for remark in found.remarks)
    many = check_data(rows(tmp_path / "m.jsonl", *[(f"say {n}", "yes" if n % 3 else "no") for n in range(9)]))
    assert [(label.text, label.rows) for label in many.labels] == [("yes", 6), ("no", 3)]


def test_rows_that_were_trained_on_and_rows_that_contradict_are_wrong(tmp_path: Path) -> None:
    data = rows(tmp_path / "d.jsonl", ("a", "1"), ("a", "2"), ("b", "3"), ("b", "3"))
    found = check_data(data, train=rows(tmp_path / "t.jsonl", ("b", "3")))
    assert (found.repeated, found.contradicting, found.in_train) == (2, 1, 2)
    with pytest.raises(GateError, match="2 of 4 prompts are in the training file"):
        found.raise_if_failed()


def test_with_a_checkpoint_prompts_go_through_its_template(demo_path: Path) -> None:
    found = check_data(EXAMPLE / "eval.jsonl", demo_path, train=EXAMPLE / "train.jsonl")
    assert found.unit == "tokens"
    assert "<start_of_turn>user" in found.first[0].prompt
    assert found.to_json()["kind"] == "json"
