"""What Android takes for an application id, a label, a version."""

from __future__ import annotations

import pytest

from edgekit.errors import InputError
from edgekit.packaging.identity import Identity


@pytest.mark.parametrize(
    "application_id", ["a.b", "com.example.settings", "No.Example_2.x9", "a." + "b" * 125]
)
def test_ids_that_android_takes(application_id: str) -> None:
    assert Identity(application_id, "x").application_id == application_id


@pytest.mark.parametrize(
    ("application_id", "why"),
    [
        ("", "no dot"),
        ("settings", "no dot"),
        ("com.example.", "“” must begin"),
        (".com.example", "“” must begin"),
        ("com..example", "“” must begin"),
        ("com.9lives", "“9lives” must begin with a letter"),
        ("com._x", "“_x” must begin with a letter"),
        ("com.exa-mple", "“exa-mple” must begin"),
        ("com.exämple", "must begin"),
        ("com.example\n", "must begin"),
        ("com.new.app", "“new” is a word of the Java language"),
        ("a." + "b" * 126, "128 characters, 127 are allowed"),
    ],
)
def test_ids_that_it_does_not_take(application_id: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        Identity(application_id, "x")


@pytest.mark.parametrize("label", ["Settings", "設定", "عربي", "🎈", "@string/app_name", "A & B <c>"])
def test_any_line_of_text_is_a_label(label: str) -> None:
    assert Identity("a.b", label).label == label


@pytest.mark.parametrize(
    ("label", "why"),
    [
        ("", "empty"),
        (" \u00a0", "empty"),
        ("a\nb", r"U\+000A"),
        ("a\0b", r"U\+0000"),
        ("a\u2028b", r"U\+2028"),
        ("\ud800", r"U\+D800"),
        ("x" * 101, "101 characters"),
    ],
)
def test_what_is_no_line_of_text_is_no_label(label: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        Identity("a.b", label)


@pytest.mark.parametrize("code", [0, -1, 2_100_000_001])
def test_a_version_code_has_a_range(code: int) -> None:
    with pytest.raises(InputError, match="version code"):
        Identity("a.b", "x", "1.0", code)


def test_a_version_name_is_a_line_of_text() -> None:
    assert Identity("a.b", "x", "1.0-β", 2_100_000_000).version_name == "1.0-β"
    with pytest.raises(InputError, match="the version is empty"):
        Identity("a.b", "x", "")
