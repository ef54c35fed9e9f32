"""A tokenizer reduced to what some texts need cuts these as the whole one does, or is not reduced at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tokenizers import Tokenizer

from edgekit.text.tokenizer.compare import AWKWARD_TEXTS
from edgekit.text.tokenizer.document import dump
from edgekit.text.tokenizer.reduced import pairs, reduced_document
from tests.fixtures.checkpoints import DEMO_CHECKPOINT
from tests.fixtures.tokenizers import awkward_strings


def document(change: Callable[[dict[str, Any]], object] = lambda _: None) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((DEMO_CHECKPOINT / "tokenizer.json").read_text())
    change(values)
    return values


def reduced(values: dict[str, Any], texts: list[str]) -> dict[str, Any] | None:
    added = {entry["content"]: entry["id"] for entry in values["added_tokens"]}
    merged = pairs(values["model"]["merges"])
    assert merged is not None
    return reduced_document(values, values["model"]["vocab"], added, merged, texts)


def test_its_texts_have_the_same_ids() -> None:
    values = document(
        lambda d: d["added_tokens"].append(d["added_tokens"][-1] | {"id": 2048, "content": "<new>"})
    )
    texts = [*AWKWARD_TEXTS, *awkward_strings(50, ["<new>"]), "a<new>b"]
    small = reduced(values, texts)
    assert small is not None
    whole, part = (Tokenizer.from_str(dump(each).decode()) for each in (values, small))
    for text in texts:
        assert part.encode(text).ids == whole.encode(text).ids, text
    few = reduced(values, ["x"])
    assert few is not None and len(few["model"]["vocab"]) < 400


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["model"]["merges"].append(["zzz", "yyy"]),
        lambda d: d["model"].update(continuing_subword_prefix="##"),
        lambda d: d["model"]["vocab"].update(twice=5),
        lambda d: d["added_tokens"].append(d["added_tokens"][-1] | {"id": 2050, "content": "<gap>"}),
        lambda d: d["model"]["vocab"].update(negative=-1),
    ],
)
def test_what_only_the_whole_file_tells_is_left_to_it(change: Callable[[dict[str, Any]], object]) -> None:
    assert reduced(document(change), ["x"]) is None


@pytest.mark.parametrize(
    ("merges", "made"),
    [
        ([("a", "b")], ["ab"]),
        ([["a", "b"]], ["ab"]),
        (["a b"], ["ab"]),
        ([], []),
        (["a b c"], None),
        (["a b", ["a", "b"]], None),
        ([["a"]], None),
        ([["a", 1]], None),
        ({"a": "b"}, None),
    ],
)
def test_merges_are_pairs(merges: object, made: list[str] | None) -> None:
    assert pairs(merges) == made
