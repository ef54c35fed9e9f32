"""Make any text fit to show: what a model wrote, what a file is named, what an engine complains about."""

from __future__ import annotations

import re

# HTML forbids these characters; lone surrogates cannot even be written as UTF-8.
_UNSHOWABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def printable(text: str) -> str:
    """Replace what HTML cannot hold: control characters by their pictures (␀, ␛), anything else by U+FFFD."""
    return _UNSHOWABLE.sub(_picture, text.replace("\r\n", "\n").replace("\r", "␍"))


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else "\ufffd"


def shorten(text: str, length: int) -> str:
    """Cut the middle out of a text that is too long, and say how much is gone."""
    if len(text) <= length + 40:
        return text
    head = length * 2 // 3
    return (
        f"{text[:head]}… [{len(text) - length:,} characters left out] …{text[len(text) - (length - head) :]}"
    )


def visible(text: str) -> str:
    """Show white space: that is where token ids and templates differ."""
    return text.replace("\n", "↵").replace("\t", "⇥").replace(" ", "␣")


def sentence(text: str) -> str:
    """Begin with a capital letter."""
    return text[:1].upper() + text[1:]
