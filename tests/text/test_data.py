"""Eval data: every form, and every bad row named by its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.errors import InputError, MissingToolError
from edgekit.text.data import Row, built_in, parse_fields, read_data
from edgekit.text.messages import text_of


def jsonl(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows) + "\n")
    return path


def test_jsonl_with_prompts_and_with_messages(tmp_path: Path) -> None:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": "Hello"},
    ]
    path = jsonl(tmp_path / "d.jsonl", {"prompt": "a", "expected": {"x": 1}}, "", {"messages": turns})
    data = read_data(path)
    assert data.rows[0] == Row(1, ({"role": "user", "content": "a"},), '{"x": 1}')
    assert data.rows[1].line == 3
    assert data.rows[1].expected == "Hello", "a last answer is what is expected"
    assert data.rows[1].prompt == text_of(turns[1]) == "Hi"
    assert (data.identity.rows, data.identity.used, data.identity.expected) == (2, 2, 2)


def test_fields_may_have_other_names_and_rows_a_limit(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "d.jsonl", {"text": "a", "label": "yes"}, {"text": "b", "label": "no"})
    data = read_data(path, fields=parse_fields(["prompt=text", "expected=label"]), limit=1)
    assert [(row.prompt, row.expected) for row in data.rows] == [("a", "yes")]
    assert data.identity.rows == 2
    with pytest.raises(InputError, match="NAME=COLUMN"):
        parse_fields(["prompt"])
    with pytest.raises(InputError, match="promt"):
        read_data(path, fields={"promt": "text"})


def test_csv_counts_lines_as_an_editor_does(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text('prompt,expected\n"two\nlines",x\nb,\nc,d,e\n')
    data = read_data(path, skip_bad_rows=True)
    assert [(row.prompt, row.expected) for row in data.rows] == [("two\nlines", "x"), ("b", None)]
    assert [(row.line, row.reason) for row in data.identity.skipped] == [
        (5, "not as many cells as the header has")
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ({"text": "x"}, 'neither "prompt" nor "messages"'),
        ({"prompt": ""}, '"prompt" is not a text'),
        ({"prompt": "a\0b"}, "NUL"),
        ({"prompt": "\ud800"}, "surrogate"),
        ({"messages": []}, "not a list of messages"),
        ({"messages": [{"content": "x"}]}, "without a role"),
        ({"messages": [{"role": "user", "content": 5}]}, "content is no text"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "a part that is no text"),
        ({"messages": [{"role": "system", "content": "x"}]}, "does not ask anything"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, row: object, reason: str) -> None:
    path = jsonl(tmp_path / "d.jsonl", {"prompt": "good"}, row, {"prompt": "good too"})
    with pytest.raises(InputError, match=f"line 2: .*{reason}") as caught:
        read_data(path)
    assert "--skip-bad-rows" in (caught.value.remedy or "")
    data = read_data(path, skip_bad_rows=True)
    assert [row.line for row in data.rows] == [1, 3]
    assert data.identity.skipped[0].line == 2


def test_bytes_that_are_no_text_are_a_bad_row(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_bytes(b'{"prompt": "a"}\n{"prompt": "\xff"}\n')
    with pytest.raises(InputError, match="line 2: not UTF-8"):
        read_data(tmp_path / "d.jsonl")


def test_what_is_no_data_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_data(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match="no row to use"):
        read_data(jsonl(tmp_path / "empty.jsonl"))


def test_a_datasets_directory_needs_the_package_and_says_so(tmp_path: Path) -> None:
    try:
        import datasets
    except ImportError:
        with pytest.raises(MissingToolError, match="datasets package"):
            read_data(tmp_path)
        return
    datasets.Dataset.from_list([{"prompt": "a", "expected": "b"}]).save_to_disk(tmp_path / "saved")
    assert read_data(tmp_path / "saved").rows[0].expected == "b"
    with pytest.raises(InputError, match="no dataset"):
        read_data(tmp_path)


def test_the_same_rows_have_the_same_digest_wherever_they_are(tmp_path: Path) -> None:
    first = read_data(jsonl(tmp_path / "a.jsonl", {"prompt": "x"}))
    second = read_data(jsonl(tmp_path / "b.jsonl", {"prompt": "x", "more": 1}))
    assert first.identity.sha256 == second.identity.sha256
    assert built_in().identity.sha256 != built_in(3).identity.sha256
