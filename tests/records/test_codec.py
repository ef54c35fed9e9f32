"""Records: written in the order of their fields, read strictly, with the file and the whole key in every error."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import BundleError, InputError
from edgekit.records.codec import decode, plain, read, read_toml


@dataclass(frozen=True)
class Part:
    ids: tuple[int, ...]
    text: str = ""
    figures: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Whole:
    form: Literal["dynamic", "static"]
    weight: float
    parts: tuple[Part, ...] = ()
    pieces: Mapping[int, str] = field(default_factory=dict)
    pair: tuple[int, int] = (0, 0)
    anything: Mapping[str, Any] | None = None
    last: bool = field(default=False, kw_only=True)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
numbers = st.floats(allow_nan=False, allow_infinity=False)
parts = st.builds(
    Part,
    st.lists(st.integers(), max_size=3).map(tuple),
    texts,
    st.dictionaries(texts, st.none() | numbers, max_size=3),
)
wholes = st.builds(
    Whole,
    st.sampled_from(["dynamic", "static"]),
    numbers,
    st.lists(parts, max_size=3).map(tuple),
    st.dictionaries(st.integers(), texts, max_size=3),
    st.tuples(st.integers(), st.integers()),
    st.none() | st.dictionaries(texts, st.lists(st.integers() | st.booleans()), max_size=2),
    last=st.booleans(),
)


@given(wholes)
def test_what_is_written_is_read(whole: Whole) -> None:
    assert decode(Whole, json.loads(json.dumps(plain(whole))), where="x") == whole


def test_keys_are_written_in_the_order_of_the_fields_and_lists_are_lists() -> None:
    assert json.dumps(plain(Part((1, 2), "a", MappingProxyType({"z": 1.0, "a": None})))) == (
        '{"ids": [1, 2], "text": "a", "figures": {"z": 1.0, "a": null}}'
    )


GOOD: dict[str, Any] = {"form": "static", "weight": 1, "parts": [{"ids": [1]}, {"ids": [2]}]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"form": ...}, "the key form is missing"),
        ({"parts": [{"text": "a"}]}, "the key parts[0].ids is missing"),
        ({"form": "round"}, "form must be 'dynamic' or 'static', not \"round\""),
        ({"form": 1}, "form must be 'dynamic' or 'static', not 1"),
        ({"weight": True}, "weight must be a number, not true"),
        ({"weight": "1"}, 'weight must be a number, not "1"'),
        ({"weight": 10**400}, "weight must be a number, not 1" + "0" * 56 + "…"),
        ({"parts": [{"ids": [1]}, {"ids": [1, 2.0]}]}, "parts[1].ids[1] must be a whole number, not 2.0"),
        ({"parts": {}}, "parts must be a list, not {}"),
        ({"parts": [[]]}, "parts[0] must be an object, not []"),
        ({"pieces": {"1": 1}}, "pieces.1 must be a string, not 1"),
        ({"pieces": {"one": "a"}}, "a key of pieces is not what it must be: Expected `int`, got `str`"),
        ({"pair": [1]}, "pair must be a list of 2, not [1]"),
        ({"anything": 1}, "anything must be an object, not 1"),
        ({"last": None}, "last must be true or false, not null"),
    ],
)
def test_what_is_wrong_is_named(changes: Mapping[str, Any], said: str) -> None:
    values = {key: value for key, value in {**GOOD, **changes}.items() if value is not ...}
    with pytest.raises(BundleError) as caught:
        decode(Whole, values, where="there", remedy="do so", error=BundleError)
    assert (caught.value.message, caught.value.where, caught.value.remedy) == (said, "there", "do so")


@given(st.lists(st.sampled_from(["a", "b", "", "a.b"]), unique=True, min_size=1), st.data())
def test_the_first_wrong_key_of_a_mapping_is_found(keys: list[str], data: st.DataObject) -> None:
    wrong = data.draw(st.sets(st.sampled_from(keys), min_size=1))
    figures = {key: "x" if key in wrong else 1 for key in keys}
    with pytest.raises(InputError) as caught:
        decode(Whole, {**GOOD, "parts": [{"ids": []}, {"ids": [], "figures": figures}]}, where="x")
    first = next(key for key in keys if key in wrong)
    assert caught.value.message == f'parts[1].figures.{first} must be a number, not "x"'


def test_unknown_keys_are_ignored_in_json() -> None:
    assert decode(Whole, {**GOOD, "mood": 1}, where="x") == decode(Whole, GOOD, where="x")


def test_infinite_numbers_are_texts_where_they_may_be() -> None:
    part = Part((), "nan", {"a": math.inf, "b": -math.inf, "c": 1.0})
    written = plain(part, infinite=True)
    assert json.loads(json.dumps(written, allow_nan=False))["figures"] == {"a": "inf", "b": "-inf", "c": 1.0}
    assert decode(Part, written, where="x", infinite=True) == part
    with pytest.raises(InputError, match=r"figures\.a must be a number"):
        decode(Part, written, where="x")


def test_a_file_is_read_and_named(tmp_path: Path) -> None:
    path = tmp_path / "whole.json"
    path.write_text(json.dumps(GOOD))
    assert read(Whole, path).parts == (Part((1,)), Part((2,)))
    path.write_text(json.dumps({**GOOD, "weight": None}))
    with pytest.raises(InputError, match=r"whole\.json: weight must be a number, not null"):
        read(Whole, path)


# ---------------------------------------- TOML


@pytest.mark.parametrize(
    ("text", "said", "remedy"),
    [
        ("form = 'static'\nweight = 1\nwieght = 2", "the key wieght is not known", "did you mean weight?"),
        (
            "form = 'static'\nweight = 1\n[[parts]]\nids = [1]\nmood = 1",
            "the key parts[0].mood is not known",
            "keys are ids, text, figures",
        ),
        ("form = 'static'", "the key weight is missing", None),
    ],
)
def test_toml_refuses_unknown_keys_too(tmp_path: Path, text: str, said: str, remedy: str | None) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_toml(Whole, path)
    assert (caught.value.message, caught.value.where, caught.value.remedy) == (said, str(path), remedy)


def test_toml_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("form = 'static'\nweight = 2\n[[parts]]\nids = [1]\nfigures = {free = 1.5}")
    assert read_toml(Whole, path) == Whole("static", 2.0, (Part((1,), figures={"free": 1.5}),))
