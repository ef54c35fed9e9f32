"""Values as the languages of generated files, and the terminal, write them: a text stands for itself there, whatever is
in it. The device's shell is `edgekit.device.adb.quote`, HTML is Jinja's autoescape (`edgekit.html`)."""

from __future__ import annotations

import html
import json
import re
from typing import Any, Final

HARD_KEYWORDS: Final = frozenset(
    "as break class continue do else false for fun if in interface is null object package return super this throw true "
    "try typealias typeof val var when while".split()
)
"""Words that Kotlin takes as a name in backticks only."""

_SURROGATES = re.compile("[\ud800-\udfff]")
_NOT_ON_A_LINE = re.compile("[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]")
_STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]")
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no way to write (its production 2, Char)."""

_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>|#~]|&(?=#?\w+;)")
_MARKDOWN_START = re.compile(r"^(\d{1,9}(?=[.)](?: |$))|(?=[-+=]))")
"""Before what makes a line a list or a heading: a bullet, a line under a text, a number with a point."""


def json_text(value: Any) -> str:
    """JSON as a file: indented, keys in their order, with a newline at the end.

    Half a surrogate pair, which UTF-8 cannot hold, is written as an escape.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return f"{_SURROGATES.sub(_escaped, text)}\n"


def kotlin_string(text: str) -> str:
    """A Kotlin string literal on one line.

    Kotlin has JSON's escapes but for the form feed (grammar, EscapedIdentifier), and a template begins with a dollar.
    """
    quoted = json.dumps(text, ensure_ascii=False).replace("$", "\\$").replace("\\f", "\\u000c")
    return _SURROGATES.sub(_escaped, quoted)


def kotlin_comment(text: str) -> str:
    """A text as one line of a block comment, which it neither ends nor nests another in, as Kotlin's comments do."""
    line = _SURROGATES.sub("\ufffd", " ".join(text.split()))
    return line.replace("*/", "* /").replace("/*", "/ *")


def kotlin_package(name: str) -> str:
    """A package's name, such as com.example.fun, as Kotlin writes it."""
    return ".".join(f"`{word}`" if word in HARD_KEYWORDS else word for word in name.split("."))


def groovy_string(text: str) -> str:
    """A Groovy string literal in single quotes, in which nothing is a template (Groovy's syntax, 4.4)."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{_NOT_ON_A_LINE.sub(_escaped, escaped)}'"


def toml_string(text: str) -> str:
    """A TOML basic string. Half a surrogate pair, which TOML cannot hold, becomes a replacement character."""
    quoted = json.dumps(_SURROGATES.sub("\ufffd", text), ensure_ascii=False)
    return quoted.replace("\x7f", "\\u007f")


def xml_text(text: str) -> str:
    """A text as the content of an XML element; a character that XML cannot hold becomes a replacement character."""
    return html.escape(_NOT_IN_XML.sub("\ufffd", text), quote=False)


def android_string(text: str) -> str:
    """A text as the content of a <string> resource, where quotes, @ and ? have meanings of their own.

    Source: Android's guide on string resources, "Handle special characters".
    """
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"')
    if escaped[:1] in ("@", "?"):
        escaped = f"\\{escaped}"
    if escaped != " ".join(escaped.split()):  # white space would be collapsed
        escaped = f'"{escaped}"'
    return xml_text(escaped)


def markdown(text: str) -> str:
    """A text as one line of Markdown that means nothing but itself (CommonMark 0.31, backslash escapes)."""
    line = _SURROGATES.sub("\ufffd", " ".join(text.split()))
    line = _MARKDOWN.sub(lambda found: f"\\{found[0]}", line)
    return _MARKDOWN_START.sub(r"\1\\", line)


def markdown_cell(text: str) -> str:
    """A text as a cell of a Markdown table."""
    return markdown(terminal(text))


def terminal(text: str) -> str:
    """A text that steers no terminal: control characters become their pictures (␛), but for newline and tab.

    The second half of Latin-1's control characters steers as well (ECMA-48, 5.3: 9B is ESC [), and overrides of the
    direction show letters in an order that they do not have.
    """
    return _STEERS.sub(_picture, text.replace("\r\n", "\n"))


def _picture(found: re.Match[str]) -> str:
    code = ord(found[0])
    return chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else "\ufffd"


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
