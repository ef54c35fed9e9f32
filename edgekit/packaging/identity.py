"""What an app is called: application id, label and version, and what Android takes for them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from edgekit.errors import InputError

MAX_ID_LENGTH = 127
"""As many characters as the resource table has room for (`ResTable_package.name`)."""

MAX_LABEL_LENGTH = 100
MAX_VERSION_NAME_LENGTH = 100
MAX_VERSION_CODE = 2_100_000_000
"""Google Play's limit; Android's own is 2³¹ - 1."""

_SEGMENT = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
_JAVA_WORDS = frozenset(
    "abstract assert boolean break byte case catch char class const continue default do double else enum extends false "
    "final finally float for goto if implements import instanceof int interface long native new null package private "
    "protected public return short static strictfp super switch synchronized this throw throws transient true try void "
    "volatile while".split()
)


def identifier(name: str) -> str:
    """A word for code and for Google Play from a bundle's name: settings-navigator → settings_navigator."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")
    return plain if plain[:1].isalpha() else f"model_{plain}"


@dataclass(frozen=True)
class Identity:
    """What an app is called. Raises InputError when Android, or Google Play, would not take it.

    application_id: by which Android knows the app, such as com.example.settings. label: the name under its icon.
    version_name: what users see. version_code: which of two versions is newer.
    """

    application_id: str
    label: str
    version_name: str = "1.0"
    version_code: int = 1

    def __post_init__(self) -> None:
        check_application_id(self.application_id)
        _check_text("label", self.label, MAX_LABEL_LENGTH)
        _check_text("version", self.version_name, MAX_VERSION_NAME_LENGTH)
        if not 1 <= self.version_code <= MAX_VERSION_CODE:
            raise InputError(
                f"the version code {self.version_code} is out of range",
                remedy=f"a whole number from 1 to {MAX_VERSION_CODE:,}, higher with every release",
            )


def check_application_id(application_id: str) -> None:
    """Raise InputError unless this is an application id."""

    def refuse(why: str) -> InputError:
        return InputError(
            f"“{application_id}” is no application id: {why}",
            remedy="two or more words with dots between them, such as com.example.settings",
        )

    segments = application_id.split(".")
    if len(application_id) > MAX_ID_LENGTH:
        raise refuse(f"it has {len(application_id)} characters, {MAX_ID_LENGTH} are allowed")
    if len(segments) < 2:
        raise refuse("there is no dot in it")
    for segment in segments:
        if not _SEGMENT.fullmatch(segment):
            raise refuse(f"“{segment}” must begin with a letter and hold only A-Z, a-z, 0-9 and _")
        if segment in _JAVA_WORDS:
            raise refuse(f"“{segment}” is a word of the Java language")


def _check_text(what: str, text: str, longest: int) -> None:
    if not text.strip():
        raise InputError(f"the {what} is empty")
    if len(text) > longest:
        raise InputError(
            f"the {what} has {len(text)} characters, {longest} are allowed", where=text[:40] + "…"
        )
    bad = next((c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")), None)
    if bad is not None:
        raise InputError(
            f"the {what} holds the control character U+{ord(bad):04X}",
            where=repr(text),
            remedy="one line of plain text is needed",
        )
