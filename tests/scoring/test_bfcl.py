"""Calls held to the leaderboard's published rules, a case each."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit.calling.calls import Call
from edgekit.calling.tools import Tool
from edgekit.scoring.bfcl import Accepted, accepted_by, same_call, same_set


def tool(properties: dict[str, Any], required: list[str]) -> Tool:
    return Tool("f", "", {"type": "object", "properties": properties, "required": required})


TRIP = tool(
    {
        "city": {"type": "string"},
        "days": {"type": "integer"},
        "price": {"type": "number"},
        "fast": {"type": "boolean"},
        "stops": {"type": "array", "items": {"type": "string"}},
        "who": {"type": "object", "properties": {}, "required": []},
        "any": {},
    },
    ["city"],
)

CASES: dict[str, tuple[dict[str, Any], Accepted, bool]] = {
    "the accepted value": ({"city": "Oslo"}, {"city": ["Oslo"]}, True),
    "another value": ({"city": "Bergen"}, {"city": ["Oslo"]}, False),
    "one of several accepted": ({"city": "Oslo"}, {"city": ["Bergen", "Oslo"]}, True),
    "a required one is missing": ({}, {"city": ["Oslo", ""]}, False),
    "one that the tool does not have": ({"city": "Oslo", "sea": 1}, {"city": ["Oslo"], "sea": [1]}, False),
    "one that is not listed": ({"city": "Oslo", "days": 2}, {"city": ["Oslo"]}, False),
    "one that may be absent is": ({"city": "Oslo"}, {"city": ["Oslo"], "days": [2, ""]}, True),
    "one that may be absent is not": ({"city": "Oslo", "days": 2}, {"city": ["Oslo"], "days": [2, ""]}, True),
    "one that must be there is not": ({"city": "Oslo"}, {"city": ["Oslo"], "days": [2]}, False),
    "whole for fraction": ({"city": "Oslo", "price": 2}, {"city": ["Oslo"], "price": [2.0]}, True),
    "fraction for whole": ({"city": "Oslo", "days": 2.0}, {"city": ["Oslo"], "days": [2]}, False),
    "text for number": ({"city": "Oslo", "days": "2"}, {"city": ["Oslo"], "days": [2]}, False),
    "truth for number": ({"city": "Oslo", "days": True}, {"city": ["Oslo"], "days": [1]}, False),
    "number for truth": ({"city": "Oslo", "fast": 1}, {"city": ["Oslo"], "fast": [True]}, False),
    "truth": ({"city": "Oslo", "fast": True}, {"city": ["Oslo"], "fast": [True]}, True),
    "case, spaces and punctuation": ({"city": "NEW-york ,./_*^"}, {"city": ["New York"]}, True),
    "kind of quotes": ({"city": "'Oslo'"}, {"city": ['"Oslo"']}, True),
    "other punctuation counts": ({"city": "Oslo!"}, {"city": ["Oslo"]}, False),
    "letters with marks count": ({"city": "Tromsø"}, {"city": ["Tromso"]}, False),
    "list": ({"city": "Oslo", "stops": ["a b", "C"]}, {"city": ["Oslo"], "stops": [["AB", "c"]]}, True),
    "list in another order": (
        {"city": "Oslo", "stops": ["b", "a"]},
        {"city": ["Oslo"], "stops": [["a", "b"]]},
        False,
    ),
    "object": (
        {"city": "Oslo", "who": {"name": "ANNA"}},
        {"city": ["Oslo"], "who": [{"name": ["Anna"], "age": [3, ""]}]},
        True,
    ),
    "object with a key too many": (
        {"city": "Oslo", "who": {"name": "Anna", "age": 3}},
        {"city": ["Oslo"], "who": [{"name": ["Anna"]}]},
        False,
    ),
    "object with a key too few": (
        {"city": "Oslo", "who": {"name": "Anna"}},
        {"city": ["Oslo"], "who": [{"name": ["Anna"], "age": [3]}]},
        False,
    ),
    "a variable's name in place of a number": (
        {"city": "Oslo", "days": "n"},
        {"city": ["Oslo"], "days": ["n"]},
        True,
    ),
    "no type": ({"city": "Oslo", "any": 3}, {"city": ["Oslo"], "any": [3]}, True),
}


@pytest.mark.parametrize("case", CASES)
def test_a_call_is_held_to_what_each_parameter_accepts(case: str) -> None:
    arguments, accepted, right = CASES[case]
    assert same_call(Call("f", arguments), "f", accepted, [TRIP]) is right


def test_the_name_must_be_the_same() -> None:
    assert not same_call(Call("g", {"city": "Oslo"}), "f", {"city": ["Oslo"]}, [TRIP])


def wanted(*cities: str) -> list[tuple[str, Accepted]]:
    return [("f", {"city": [city]}) for city in cities]


def said(*cities: str) -> list[Call]:
    return [Call("f", {"city": city}) for city in cities]


def test_parallel_calls_match_in_any_order_and_each_once() -> None:
    assert same_set(said("b", "a"), wanted("a", "b"), [TRIP])
    assert not same_set(said("a", "a"), wanted("a", "b"), [TRIP])
    assert not same_set(said("a"), wanted("a", "b"), [TRIP])
    assert not same_set(said("a", "b", "c"), wanted("a", "b"), [TRIP])
    assert same_set([], [], [TRIP])


def test_an_expected_call_accepts_its_own_values() -> None:
    call = Call("f", {"city": "Oslo", "who": {"name": "Anna"}})
    assert accepted_by(call) == {"city": ["Oslo"], "who": [{"name": ["Anna"]}]}
    assert same_call(call, "f", accepted_by(call), [TRIP])
