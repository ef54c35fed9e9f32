"""Binary XML: what is read is written again, and damage is told."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given

from edgekit.errors import InputError
from edgekit.packaging.targets.apk import axml
from edgekit.packaging.targets.apk.axml import ANDROID, Attribute, Document, End, Namespace, Start, Text
from edgekit.packaging.targets.apk.base import read_base
from edgekit.packaging.targets.apk.manifest import MANIFEST
from tests.packaging.damage import damaged

LABEL = 0x01010001
NAME = 0x01010003


def document(*texts: str, utf8: bool = False) -> Document:
    """An element for each text, with the text as its label."""
    nodes: list[axml.Node] = [Namespace(1, None, "android", ANDROID, True)]
    for line, text in enumerate(texts):
        name = Attribute(ANDROID, "name", NAME, text, axml.TYPE_STRING, 0, text)
        plain = Attribute(None, "name", None, None, axml.TYPE_INTEGER, line)
        nodes += [Start(line, None, None, "item", (name, plain)), End(line, text, None, "item")]
    nodes = [*nodes[:1], Start(1, None, None, "list", ()), *nodes[1:], End(9, None, None, "list")]
    return Document((*nodes, Namespace(9, None, "android", ANDROID, False)), utf8)


TEXTS = (
    "",
    "plain",
    "blåbær 設定",
    "🎈 beyond the basic plane",
    "x" * 127,
    "y" * 128,
    "z" * 20_000,
    "æ" * 200,
)


@pytest.mark.parametrize("utf8", [True, False])
def test_texts_of_any_length_and_script_come_back(utf8: bool) -> None:
    written = document(*TEXTS, utf8=utf8)
    assert axml.decode(axml.encode(written), "x") == written


def test_a_very_long_text_comes_back_in_utf_16() -> None:
    written = document("v" * 40_000)
    assert axml.decode(axml.encode(written), "x") == written


def test_a_text_that_utf_8_has_no_room_for_is_refused() -> None:
    with pytest.raises(InputError, match="too long for binary XML"):
        axml.encode(document("v" * 40_000, utf8=True))


def test_characters_beyond_the_basic_plane_are_two_surrogates_in_utf_8() -> None:
    """Java's modified UTF-8, as aapt2 writes it."""
    assert "🎈".encode("utf-16-be").hex() == "d83cdf88"
    assert b"\xed\xa0\xbc\xed\xbe\x88" in axml.encode(document("🎈", utf8=True))


def test_what_aapt2_wrote_comes_back_as_the_same_document_and_no_larger() -> None:
    base = read_base()
    names = [member.name for member in base.members if member.name.endswith(".xml")]
    assert len(names) > 5
    for name in names:
        data = base.content(name)
        read = axml.decode(data, name)
        written = axml.encode(read)
        assert axml.decode(written, name) == read
        assert len(written) <= len(data)


def test_a_replaced_text_is_gone_from_the_file() -> None:
    before = document("old text", "other")
    start = next(node for node in before.nodes if isinstance(node, Start) and node.attributes)
    changed = replace(start, attributes=(start.attributes[0].with_text("new"), *start.attributes[1:]))
    nodes = [
        changed if node is start else node for node in before.nodes if getattr(node, "comment", None) is None
    ]
    data = axml.encode(replace(before, nodes=tuple(nodes)))
    assert "old text".encode("utf-16-le") not in data
    assert "new".encode("utf-16-le") in data


def test_an_element_is_taken_out_with_what_is_in_it() -> None:
    def element(name: str, *inside: axml.Node) -> list[axml.Node]:
        return [Start(1, None, None, name, ()), *inside, End(1, None, None, name)]

    deep = element("a", *element("b", *element("b"), Text(1, None, "t", 0, 0)), *element("c"))
    assert Document(tuple(deep), False).without("b").nodes == tuple(element("a", *element("c")))


def test_elements_know_what_is_around_them() -> None:
    around = {element.name: path for path, element in document("a").elements()}
    assert around == {"list": (), "item": ("list",)}


def test_numbers_and_texts_replace_each_other() -> None:
    attribute = Attribute(ANDROID, "label", LABEL, None, axml.TYPE_REFERENCE, 0x7F010000)
    assert attribute.with_text("x").with_integer(7) == Attribute(
        ANDROID, "label", LABEL, None, axml.TYPE_INTEGER, 7
    )


@given(damaged(read_base().content(MANIFEST)) | damaged(axml.encode(document(*TEXTS[:4], utf8=True))))
def test_damage_is_an_error_that_names_the_file_or_goes_unnoticed_but_never_breaks(data: bytes) -> None:
    with contextlib.suppress(InputError):
        try:
            read = axml.decode(data, "the manifest")
        except InputError as error:
            assert error.where == "the manifest"
            raise
        assert axml.decode(axml.encode(read), "again") == read


@pytest.mark.parametrize("length", [0, 1, 7, 8, 60, 500, 2000])
def test_a_truncated_file_is_refused(length: int) -> None:
    with pytest.raises(InputError, match="binary XML"):
        axml.decode(read_base().content(MANIFEST)[:length], "the manifest")


def test_text_xml_is_refused() -> None:
    with pytest.raises(InputError, match="its beginning is another file's"):
        axml.decode(b"<?xml version='1.0'?><manifest/>", "AndroidManifest.xml")
