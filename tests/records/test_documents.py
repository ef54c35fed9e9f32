"""Files of others: bounded, UTF-8, no key twice; and more strictly our own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import CheckpointError, InputError
from edgekit.records.documents import loads, parse_json, read_json_object, read_toml_table
from edgekit.records.extent import MAX_DEPTH


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not JSON (line 1, column 1"),
        (b'{"a": 1,\n}', "is not JSON (line 2, column 1"),
        (b"\xff\xfe", "is not UTF-8 text (byte 0)"),
        (b"[" * 100_000, "is JSON nested deeper than 200 levels"),
        (b'{"a": NaN}', "is not usable JSON (NaN is no JSON number)"),
        (b'{"a": 1e999}', "is not usable JSON (1e999 is no number that can be used)"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "is not usable JSON (99999999999999999999… has 10,000 digits)"),
        (b'{"a": 1, "a": 2}', "is not usable JSON (key 'a' appears twice)"),
        (rb'{"a": ["\ud800"]}', r"is not usable JSON ('\ud800' holds half of a surrogate pair)"),
        (rb'{"\udc00": 1}', r"is not usable JSON ('\udc00' holds half of a surrogate pair)"),
        (b"[]", "holds a JSON list, not an object"),
        (b"null", "holds a JSON NoneType, not an object"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_file(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        read_json_object(path, remedy="mend it", strict=True)
    assert caught.value.message.startswith(said)
    assert (caught.value.where, caught.value.remedy) == (str(path), "mend it")


def test_depth_is_bounded_whatever_recursion_python_allows() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000_000)  # as the exporter does; the parser would then run over the stack's end
    try:
        for opening in (b"[", b'{"a":', b'["\\\\", {"\\"": '):
            with pytest.raises(InputError, match="nested deeper than 200 levels"):
                parse_json(opening * 100_000, where="a.json")
    finally:
        sys.setrecursionlimit(limit)


def test_brackets_in_strings_are_no_nesting() -> None:
    strings = ["[" * 300, '{"' * 300, "\\" + "[" * 300, '\\"' + "{" * 300]
    assert parse_json(json.dumps(strings).encode(), where="x") == strings
    deepest = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert parse_json(b"[" + deepest[1:], where="x")
    assert parse_json(b"[" + b"[],{}," * 1000 + b"1]", where="x")[-1] == 1


def test_a_whole_pair_of_surrogates_is_one_letter() -> None:
    assert parse_json(rb'["\ud83d\ude00"]', where="x", strict=True) == ["😀"]


def test_what_others_write_where_it_does_no_harm_is_read() -> None:
    assert parse_json(rb'[1e999, -Infinity, "\ud800"]', where="x") == [float("inf"), float("-inf"), "\ud800"]


def test_missing_and_unreadable_files_and_those_that_are_too_large(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(CheckpointError, match="no such file"):
        read_json_object(path)
    path.mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        read_json_object(path, error=InputError)
    path.rmdir()
    path.write_bytes(b"{}" + b" " * (2 << 20))
    assert read_json_object(path) == {}
    with pytest.raises(CheckpointError, match="is larger than 1 MiB"):
        read_json_object(path, max_bytes=1 << 20)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"a = ", "is not TOML"), (b"a = inf", "inf is no number"), (b"\xff", "is not UTF-8 text")],
)
def test_toml_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        read_toml_table(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, b'{"a":' * 100_000, "[" * 201 + "]" * 201], ids=["list", "object", "201"]
)
def test_texts_of_others_are_bounded_where_a_library_has_raised_the_limit(text: str | bytes) -> None:
    """torch raises it: the parser would end the process there."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    try:
        with pytest.raises(ValueError, match="nested deeper than 200 levels"):
            loads(text)
    finally:
        sys.setrecursionlimit(limit)


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_other_texts_are_what_json_says(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert loads(text) == loads(text.encode()) == value
