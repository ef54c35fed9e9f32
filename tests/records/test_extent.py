"""What a text would become is told before it is built."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.records.extent import json_excess, protobuf_excess, toml_excess

NESTED = st.recursive(
    st.none() | st.booleans() | st.text('[]{},"\\a'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('[]{},"\\a'), inner),
)


def counted(value: object) -> int:
    """Commas and opening brackets that the value is written with."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(0, len(inner) - 1) + sum(map(counted, inner))


@given(NESTED)
def test_values_are_counted_whatever_strings_hold(value: object) -> None:
    text, count = json.dumps([value]).encode(), counted([value])
    assert json_excess(text, values=max(count, 1), depth=1000) is None
    assert count == 1 or json_excess(text, values=count - 1, depth=0) is not None


@pytest.mark.parametrize(
    "text", [b"{}," * 1000, b'"",' * 1000, b'{"a":' * 1000, b'"[",' * 1000, b'"[' * 3000, b"[" * 1001]
)
def test_many_values_are_told(text: bytes) -> None:
    assert json_excess(text, values=999) == "of more than 999 values"
    assert json_excess(text, values=8000) in (None, "nested deeper than 200 levels")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a = 1", None),
        (b"[" * 30_000, "holds more than 20,000 brackets"),
        (b"a = 1\n[a" + b".a" * 500 + b"]\n", "holds more than 400 points in line 2"),
    ],
)
def test_toml_that_its_parser_would_take_long_for_is_told(text: bytes, said: str | None) -> None:
    assert toml_excess(text) == said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", None),
        (b"\x0a\x00" * 10, None),
        (b"\x0a\x00" * 11, "holds more than 10 fields"),
        (b"\x0a\x7f" + bytes(127), "holds a field of 127 bytes"),
        (b"\x08\xff\xff\xff", None),
        (b"\x0b" * 100, None),
        (b"\x0d" + bytes(4) + b"\x09" + bytes(8), None),
    ],
)
def test_fields_of_protobuf_are_counted(content: bytes, said: str | None) -> None:
    assert protobuf_excess(content, 10, 100) == said


@given(st.binary())
def test_damaged_protobuf_has_an_end(content: bytes) -> None:
    protobuf_excess(content, 1 << 20, 1 << 20)
