"""A large object is read as the ordinary parser reads it, and refused with the same words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edgekit.errors import EdgekitError
from edgekit.records.documents import parse_json_object
from edgekit.records.large import parse_large_object

LARGE = {"vocab": (dict[str, int],), "merges": (list[tuple[str, str]], list[str])}
IDS = {f'piece {i:0120} \\ " , [': i for i in range(9_000)}
PAIRS = [[f"a{i}", "b"] for i in range(3_000)]
WHOLE = {
    "first": [1],
    "model": {"type": "BPE", "vocab": IDS | {"vocab": 7}, "merges": PAIRS},
    "vocab": {"x": 1},
}


def parsed(content: bytes) -> dict[str, Any]:
    return parse_large_object(content, parent="model", large=LARGE, where="a.json", max_values=50_000)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_it_is_what_the_ordinary_parser_reads(indent: int | None, ascii_only: bool) -> None:
    found = parsed(json.dumps(WHOLE, indent=indent, ensure_ascii=ascii_only).encode())
    assert found == WHOLE | {"model": WHOLE["model"] | {"merges": [tuple(pair) for pair in PAIRS]}}  # type: ignore[operator]
    assert list(found) == list(WHOLE)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"vocab": {', '"vocab": {"twice": 1, "twice": 2, '),
        ('"type":', '"merges": [], "type":'),
        ('"first":', '"model": {}, "first":'),
        ('"vocab": {', '"vocab": {"many": ' + "9" * 5000 + ", "),
        ('"vocab": {', r'"vocab": {"\ud800": 1, '),
        ('"vocab": {', '"vocab": {"a\x01": 1, '),
        ('"first": [1]', '"first": [NaN]'),
        ('"first": [1]', '"first": ' + "[" * 300 + "]" * 300),
        ('"first": [1]', '"first": [' + "1," * 50_000 + "1]"),
        ('"merges": [', '"merges": [[["deep"]], '),
        ('"vocab": {', '"vocab": {"real": 1.5, '),
        ('"merges": [', '"merges": [1, 2, '),
        ('"model": {', '"model": 3, "other": {'),
    ],
)
def test_what_is_odd_is_judged_by_the_ordinary_parser(before: str, after: str) -> None:
    content = json.dumps(WHOLE).replace(before, after, 1).encode()

    def outcome(parse: Any) -> object:
        try:
            return parse()
        except EdgekitError as error:
            return str(error)

    wanted = outcome(lambda: parse_json_object(content, where="a.json", max_values=50_000, strict=True))
    assert outcome(lambda: parsed(content)) == wanted
