"""A task's texts, as the model reads them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.errors import InputError
from edgekit.text.corpus import read_corpora
from edgekit.text.settle import Text, read_text
from edgekit.text.template.parse import ChatTemplate


@pytest.fixture(scope="module")
def text(demo_path: Path) -> Text:
    return read_text(demo_path, rows=2048)


def write(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_prompt_and_answer_go_through_the_chat_template(tmp_path: Path, text: Text) -> None:
    path = write(tmp_path / "t.jsonl", {"prompt": "too dark", "expected": "YES"})
    (sample,) = read_corpora([path], text)
    turn = "<bos><start_of_turn>user\ntoo dark<end_of_turn>\n<start_of_turn>model\n"
    assert sample.text == f"{turn}YES<end_of_turn>\n"
    assert sample.parts == (turn, "YES")


def test_messages_mean_the_same_and_other_columns_can_be_named(tmp_path: Path, text: Text) -> None:
    messages = [{"role": "user", "content": "too dark"}, {"role": "assistant", "content": "YES"}]
    samples = read_corpora([write(tmp_path / "m.jsonl", {"messages": messages})], text)
    other = write(tmp_path / "o.jsonl", {"q": "too dark", "a": "YES"})
    named = read_corpora([other], text, fields={"prompt": "q", "expected": "a"})
    assert samples[0].text == named[0].text
    csv = tmp_path / "t.csv"
    csv.write_text("prompt,expected\ntoo dark,YES\n", encoding="utf-8")
    assert read_corpora([csv], text)[0].parts == samples[0].parts


def test_any_other_file_is_plain_text_line_by_line(tmp_path: Path, text: Text) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("first line\n\n  indented  \n", encoding="utf-8")
    assert [sample.text for sample in read_corpora([path], text)] == ["first line", "  indented  "]


def test_files_are_read_one_after_the_other(tmp_path: Path, text: Text) -> None:
    first, second = tmp_path / "a.txt", write(tmp_path / "b.jsonl", {"prompt": "b"})
    first.write_text("a", encoding="utf-8")
    samples = read_corpora([first, second], text)
    assert [sample.where for sample in samples] == [f"{first}, line 1", f"{second}, line 1"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.txt", b"\n \n", "there is no text in it"),
        ("bytes.txt", b"caf\xe9", "not UTF-8"),
        ("broken.jsonl", b'{"prompt": "a"}\n{', "line 2: not JSON"),
        ("other.jsonl", b'{"text": "a"}', '"prompt" nor "messages"'),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(
    tmp_path: Path, text: Text, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_corpora([path], text)
    assert said in str(error.value)
    assert name in str(error.value)


def test_a_missing_file_is_refused(tmp_path: Path, text: Text) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_corpora([tmp_path / "none.txt"], text)


def test_a_conversation_that_the_template_refuses_names_its_line(tmp_path: Path, text: Text) -> None:
    source = "{% if messages|length > 2 %}{{ raise_exception('one turn only') }}{% endif %}{{ messages[0].content }}"
    strict = replace(text, template=ChatTemplate(source, "chat_template.jinja"))
    turns = [{"role": role, "content": "a"} for role in ("user", "assistant", "user")]
    path = write(tmp_path / "t.jsonl", {"prompt": "a"}, {"messages": turns})
    with pytest.raises(InputError, match="one turn only") as error:
        read_corpora([path], strict)
    assert "line 2" in str(error.value)
