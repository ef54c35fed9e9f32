"""Make any text safe to show: what a model wrote, what a file is named."""

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
