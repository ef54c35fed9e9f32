"""Eval data: every form, and every bad row named by its line."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pytest

from edgekit.errors import InputError, MissingToolError
from edgekit.text.data import Row, built_in, parse_fields, read_data
from edgekit.text.messages import Message, text_of


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
        (tmp_path / "state.json").touch()
        with pytest.raises(MissingToolError, match="datasets package"):
            read_data(tmp_path)
        return
    datasets.Dataset.from_list([{"prompt": "a", "expected": "b"}]).save_to_disk(tmp_path / "saved")
    assert read_data(tmp_path / "saved").rows[0].expected == "b"


def test_a_parquet_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    turns = [[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]] * 300
    parquet.write_table(pyarrow.table({"messages": turns, "n": list(range(300))}), tmp_path / "d.parquet")
    data = read_data(tmp_path / "d.parquet")
    assert len(data.rows) == 300
    assert (data.rows[299].line, data.rows[299].prompt, data.rows[299].expected) == (300, "a", "b")
    assert data.identity.unread == ("n",)
    (tmp_path / "d.parquet").write_bytes((tmp_path / "d.parquet").read_bytes()[:-40])
    with pytest.raises(InputError, match="no sound Parquet file"):
        read_data(tmp_path / "d.parquet")


def test_a_data_set_as_the_hub_keeps_it_gives_its_test_split(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("train-00000-of-00001", "test-00000-of-00002", "test-00001-of-00002"):
        jsonl(tmp_path / "data" / f"{name}.jsonl", {"prompt": name, "expected": "x"})
    (tmp_path / "README.md").write_text("---\n")
    data = read_data(tmp_path)
    assert [(row.line, row.prompt) for row in data.rows] == [
        (1, "test-00000-of-00002"),
        (2, "test-00001-of-00002"),
    ]


def test_a_directory_that_does_not_tell_which_rows_are_meant_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="files of rows: none"):
        read_data(tmp_path)
    for name in ("a.jsonl", "b.jsonl"):
        jsonl(tmp_path / name, {"prompt": "a"})
    with pytest.raises(InputError, match=r"files of rows: a\.jsonl, b\.jsonl"):
        read_data(tmp_path)
    (tmp_path / "b.jsonl").unlink()
    assert read_data(tmp_path).rows[0].prompt == "a"


@pytest.mark.parametrize(
    "name", ["hf:owner/rows", "owner/rows", "https://huggingface.co/datasets/owner/rows"]
)
def test_a_data_set_of_the_hub_is_told_how_to_be_had(name: str) -> None:
    with pytest.raises(InputError, match="is not on this machine") as caught:
        read_data(Path(name))
    assert (caught.value.remedy or "").startswith("hf download owner/rows --repo-type dataset")


def test_the_same_rows_have_the_same_digest_wherever_they_are(tmp_path: Path) -> None:
    first = read_data(jsonl(tmp_path / "a.jsonl", {"prompt": "x"}))
    second = read_data(jsonl(tmp_path / "b.jsonl", {"prompt": "x", "more": 1}))
    assert first.identity.sha256 == second.identity.sha256
    assert built_in().identity.sha256 != built_in(3).identity.sha256


def said(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


@pytest.mark.parametrize(
    ("row", "asked", "expected"),
    [
        ({"prompt": "a", "completion": "b"}, ["a"], "b"),
        ({"prompt": [said("user", "a")], "completion": [said("assistant", "b")]}, ["a"], "b"),
        ({"prompt": [said("system", "s"), said("user", "a")], "completion": "b"}, ["s", "a"], "b"),
        ({"messages": [said("user", "a"), said("assistant", "b")], "label": "x"}, ["a"], "b"),
        ({"instruction": "a", "input": "", "output": "b"}, ["a"], "b"),
        ({"instruction": "a", "input": "i", "output": "b", "system": "s"}, ["s", "a\ni"], "b"),
        ({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}, ["a"], "b"),
        ({"prompt": "a", "response": "b"}, ["a"], "b"),
        ({"prompt": "a", "expected": "b", "completion": "c"}, ["a"], "b"),
    ],
)
def test_rows_as_trainers_have_them(
    tmp_path: Path, row: dict[str, object], asked: list[str], expected: str
) -> None:
    (found,) = read_data(jsonl(tmp_path / "d.jsonl", row)).rows
    assert [text_of(message) for message in found.messages] == asked
    assert found.messages[-1]["role"] == "user"
    assert found.expected == expected


def test_columns_that_are_not_read_are_named(tmp_path: Path) -> None:
    rows = [{"prompt": "a", "completion": "b", "id": 1, "tools": None}, {"prompt": "c", "tools": []}]
    identity = read_data(jsonl(tmp_path / "d.jsonl", *rows)).identity
    assert identity.columns == ("prompt", "completion")
    assert identity.unread == ("id", "tools")


def test_two_columns_that_may_be_the_answer_are_a_question(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "d.jsonl", {"prompt": "a", "answer": "b", "label": "c"})
    with pytest.raises(InputError, match="may be answer or label: name one with --field expected=answer"):
        read_data(path)
    assert read_data(path, fields={"expected": "label"}).rows[0].expected == "c"


def test_arrays_and_compressed_files(tmp_path: Path) -> None:
    rows = [{"prompt": "a", "expected": "b"}, {"prompt": "c"}]
    array = tmp_path / "d.json"
    array.write_text(json.dumps(rows, indent=1))
    packed = tmp_path / "d.jsonl.gz"
    packed.write_bytes(gzip.compress(jsonl(tmp_path / "d.jsonl", *rows).read_bytes()))
    table = tmp_path / "d.csv.gz"
    table.write_bytes(gzip.compress(b"prompt,expected\na,b\nc,\n"))
    wanted = read_data(tmp_path / "d.jsonl").identity.sha256
    assert {read_data(path).identity.sha256 for path in (array, packed, table)} == {wanted}
    (tmp_path / "broken.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(InputError, match="cannot be unpacked"):
        read_data(tmp_path / "broken.jsonl.gz")


@pytest.mark.parametrize(("name", "package"), [("d.parquet", "pyarrow"), ("d.jsonl.zst", "zstandard")])
def test_what_needs_a_package_says_which(tmp_path: Path, name: str, package: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"PAR1")
    try:
        import_module(package)
    except ImportError:
        with pytest.raises(MissingToolError, match=f"needs the {package} package"):
            read_data(path)


def test_a_conversation_that_the_caller_refuses_is_a_bad_row(tmp_path: Path) -> None:
    turns = [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}]
    path = jsonl(tmp_path / "d.jsonl", {"messages": turns}, {"prompt": "b"})

    def refusal(messages: Sequence[Message]) -> str | None:
        return "the chat template refuses it (No)" if messages[0]["role"] == "system" else None

    with pytest.raises(InputError, match=r"line 1: the chat template refuses it \(No\)") as caught:
        read_data(path, refusal=refusal)
    assert caught.value.remedy == "take the system message out, or pass --skip-bad-rows"
    data = read_data(path, refusal=refusal, skip_bad_rows=True)
    assert [row.line for row in data.rows] == [2]
    assert [row.line for row in data.identity.skipped] == [1]
