"""Whatever a text holds, it stands for itself in the file that is generated: read back, it is the same."""

from __future__ import annotations

import json
import re
import tomllib
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from edgekit.quoting import (
    android_string,
    groovy_string,
    json_text,
    kotlin_comment,
    kotlin_package,
    kotlin_string,
    markdown,
    markdown_cell,
    terminal,
    toml_string,
    xml_text,
)

SPECIAL = st.sampled_from(
    ["\\", "'", '"', "$", "${x}", "/*", "*/", "\n", "\f", "<", "&amp;", "@", "?", " ", "1.", "- ", "\ud800"]
)
TEXT = st.lists(SPECIAL | st.text(max_size=4), max_size=8).map("".join)
VALUES = st.recursive(
    TEXT | st.integers() | st.booleans() | st.none(),
    lambda inner: st.dictionaries(TEXT, inner) | st.lists(inner),
    max_leaves=5,
)
ONE_LINE = TEXT.map(lambda text: " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", "", text).split()))
"""What a title or a label can be: without control characters."""


def unescaped(text: str, names: dict[str, str]) -> str:
    """Resolve backslashes as Kotlin and Groovy do: by a letter, or by four digits after a u."""

    def meant(found: re.Match[str]) -> str:
        return chr(int(found[1][1:], 16)) if found[1][0] == "u" else names[found[1]]

    return re.sub(r"\\(u[0-9a-fA-F]{4}|[^u])", meant, text, flags=re.DOTALL)


COMMON = {"b": "\b", "t": "\t", "n": "\n", "r": "\r", "'": "'", '"': '"', "\\": "\\", "$": "$"}


@given(TEXT)
def test_a_kotlin_string_is_one_literal_without_a_template(text: str) -> None:
    literal = kotlin_string(text)
    assert re.fullmatch(r'"(?:\\.|[^"\\$\n\r])*"', literal)
    assert unescaped(literal[1:-1], COMMON) == text
    literal.encode()


@given(TEXT)
def test_a_groovy_string_is_one_literal(text: str) -> None:
    literal = groovy_string(text)
    assert re.fullmatch(r"'(?:\\.|[^'\\\n\r])*'", literal)
    assert unescaped(literal[1:-1], {**COMMON, "f": "\f"}) == text
    literal.encode()


@given(TEXT)
def test_a_kotlin_comment_ends_where_it_should(text: str) -> None:
    """Kotlin's comments nest: each /* needs a */ of its own."""
    comment = f"/** {kotlin_comment(text)}. */"
    assert [found.start() for found in re.finditer(r"/\*|\*/", comment)] == [0, len(comment) - 2]
    assert "\n" not in comment
    comment.encode()


@given(TEXT.map(lambda text: re.sub("[\ud800-\udfff]", "", text)))
def test_a_toml_string_is_read_back(text: str) -> None:
    assert tomllib.loads(f"x = {toml_string(text)}") == {"x": text}


@given(VALUES)
def test_json_is_read_back_and_is_utf8(value: object) -> None:
    assert json.loads(json_text(value).encode()) == value


def seen(text: str) -> str:
    """A text without what XML cannot hold, which is replaced."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)


@given(TEXT)
def test_xml_holds_a_text(text: str) -> None:
    element = ElementTree.fromstring(f"<a>{xml_text(text)}</a>".encode())
    assert (element.text or "") == re.sub("\r\n?", "\n", seen(text))


def android_reads(resource: str) -> str:
    """What aapt2 makes of the content of a <string>: white space collapsed outside of quotes, backslashes resolved."""
    out, quoted, position = [], False, 0
    assert not resource.startswith(("@", "?")), "a reference"
    while position < len(resource):
        character = resource[position]
        position += 1
        if character == "\\":
            out.append(resource[position])
            position += 1
        elif character == '"':
            quoted = not quoted
        else:
            assert character != "'" or quoted, "an apostrophe that is not escaped"
            out.append(" " if character.isspace() and not quoted else character)
    assert not quoted
    text = "".join(out)
    return text if '"' in resource.replace('\\"', "") else re.sub(" +", " ", text).strip()


@given(TEXT.map(lambda text: re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", "", text)))
def test_android_shows_a_string_as_it_is(text: str) -> None:
    element = ElementTree.fromstring(f"<string>{android_string(text)}</string>".encode())
    assert android_reads(element.text or "") == seen(text)


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("It's", "It\\'s"),
        ('"a"', '\\"a\\"'),
        ("@x", "\\@x"),
        ("?x", "\\?x"),
        ("a & <b>", "a &amp; &lt;b&gt;"),
        ("a  b", '"a  b"'),
    ],
)
def test_a_label_is_written_as_android_reads_it(label: str, written: str) -> None:
    assert android_string(label) == written


@given(ONE_LINE)
def test_markdown_means_nothing_but_the_text(text: str) -> None:
    """As an item of a list, where a bullet or a number would begin another."""
    tokens = MarkdownIt("commonmark").enable("table").parse(f"* x {markdown(text)}\n* {markdown(text)}")
    inline = [token for token in tokens if token.type == "inline"]
    shown = ["".join(child.content for child in token.children or ()) for token in inline]
    expected = re.sub("[\ud800-\udfff]", "\ufffd", text)
    assert shown == [f"x {expected}".strip(), *([expected] if expected else [])]
    assert {child.type for token in inline for child in token.children or ()} <= {"text", "text_special"}


def test_words_of_kotlin_in_a_package_are_quoted() -> None:
    assert kotlin_package("com.example.fun") == "com.example.`fun`"


STEERING = st.text(st.characters(max_codepoint=0xA0) | st.sampled_from("\u202e\u2066\ud800"), max_size=20)
SEQUENCES = st.sampled_from(
    [
        "\x1b]0;title\x07",
        "\x1b]52;c;cm0gLXJmIH4=\x07",
        "\x1b[2J",
        "\x9b31m",
        "\x90q\x9c",
        "\r",
        "\x08",
        "\x1bP",
    ]
)


@given(st.lists(STEERING | SEQUENCES | TEXT).map("".join))
def test_nothing_steers_the_terminal(text: str) -> None:
    """A name or an answer could otherwise set the clipboard, the title, or hide what was printed."""
    shown = terminal(text)
    shown.encode()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown)
    assert terminal(shown) == shown
    assert len(shown) == len(text.replace("\r\n", "\n"))


@given(TEXT)
def test_a_cell_of_a_markdown_table_is_one_cell(text: str) -> None:
    table = (
        MarkdownIt("commonmark")
        .enable("table")
        .render(f"| a | b |\n| --- | --- |\n| {markdown_cell(text)} | x |")
    )
    assert table.count("<td>") == 2
    assert "<script" not in table
