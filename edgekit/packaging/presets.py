"""Presets, `edgekit.toml`: what an app is called; and what a task is for, what to try, what its answers open.

The file beside a bundle says both, of the app and of the bundle's own task; the one beside an adapter says what its
task is. The options of `edgekit package` win over the file. Reading is strict: an unknown key is a mistake that would
otherwise go unnoticed until the app is on a phone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from edgekit.errors import InputError
from edgekit.gates import Thresholds
from edgekit.records.codec import decode_toml, read_toml
from edgekit.records.documents import read_toml_table
from edgekit.text.messages import Turns

PRESETS_NAME: Final = "edgekit.toml"
INTENT_PREFIX: Final = "android.settings."
"""With which an action must begin; the app starts no others (docs/design/app.md)."""


@dataclass(frozen=True)
class Action:
    """A button under an answer: it starts an activity with the action `intent` when every field of `when` has that
    text in the JSON answer."""

    when: Mapping[str, str]
    intent: str


@dataclass(frozen=True)
class TaskPresets:
    """What `edgekit.toml` says of a task; None and empty where it says nothing.

    system_prompt: sent before each conversation. turns: in the manifest's place. source: the file itself, None when
    there is none.
    """

    title: str | None = None
    description: str | None = None
    system_prompt: str | None = None
    turns: Turns | None = None
    examples: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()
    source: Path | None = None


@dataclass(frozen=True)
class Presets(TaskPresets):
    """What it says of an app and of its bundle's own task.

    icon: an absolute path; in the file it is relative to the file.
    """

    application_id: str | None = None
    label: str | None = None
    icon: Path | None = None
    version_name: str | None = None
    version_code: int | None = None


def find_presets(bundle: Path, named: Path | None = None) -> Presets:
    """Read the presets that belong to a bundle: the file named, else the one beside the bundle, else the one in the
    current directory, else none.

    bundle: its directory. Raises InputError when the named file is not there, or any of them cannot be used.
    """
    if named is not None:
        return read_presets(named)
    for place in (bundle / PRESETS_NAME, Path(PRESETS_NAME)):
        if place.is_file():
            return read_presets(place)
    return Presets()


def find_task_presets(adapter: Path) -> TaskPresets:
    """Read the presets beside an adapter's manifest, if there are any.

    adapter: the directory of its bundle. Raises InputError when they cannot be used, or say something of the app.
    """
    path = adapter / PRESETS_NAME
    return read_task_presets(path) if path.is_file() else TaskPresets()


def read_presets(path: Path) -> Presets:
    """Read one file. Raises InputError, with the file and the key, for whatever it should not hold."""
    file = read_toml(_AppFile, path, remedy=_REMEDY)
    _check(path, file)
    values = _said(file)
    icon = None if file.icon is None else path.absolute().parent / file.icon
    return Presets(**{**values, "icon": icon}, source=path)


def read_task_presets(path: Path) -> TaskPresets:
    """Read one file beside an adapter. Raises InputError as `read_presets` does, and for what only an app has."""
    table = read_toml_table(path, remedy=_REMEDY)
    for key in (field.name for field in fields(_AppFile)[len(fields(_TaskFile)) :]):
        if key in table:
            raise InputError(
                f"{key} is the app's, and this file is about one adapter's task",
                where=path,
                remedy="move it into the edgekit.toml beside the base bundle",
            )
    file = decode_toml(_TaskFile, table, where=path)
    _check(path, file)
    return TaskPresets(**_said(file), source=path)


# ---------------------------------------- the file


@dataclass(frozen=True)
class _TaskFile:
    """What a file may say of a task. validate: of `edgekit validate`, which reads the same file."""

    title: str | None = None
    description: str | None = None
    system_prompt: str | None = None
    turns: Turns | None = None
    examples: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()
    validate: Thresholds | None = None


@dataclass(frozen=True)
class _AppFile(_TaskFile):
    """What the one beside a base bundle may say besides."""

    application_id: str | None = None
    label: str | None = None
    icon: str | None = None
    version_name: str | None = None
    version_code: int | None = None


_REMEDY: Final = "name a TOML file, or leave --presets away"


def _said(file: _TaskFile) -> dict[str, Any]:
    """What a file says of task and app."""
    return {field.name: getattr(file, field.name) for field in fields(file) if field.name != "validate"}


def _check(path: Path, file: _TaskFile) -> None:
    """Refuse what types cannot: empty texts, and actions that the app would not start."""
    for key, text in _texts(file):
        if not text.strip():
            raise InputError(f"{key} is empty", where=path, remedy="write something, or leave the key away")
    for number, action in enumerate(file.actions):
        intent = action.intent
        name = intent.removeprefix(INTENT_PREFIX)
        if name in ("", intent) or not name.replace("_", "").isascii():
            raise InputError(
                f"actions[{number}].intent is {intent!r}, which the app would not start",
                where=path,
                remedy=f"an action that begins with {INTENT_PREFIX}, such as {INTENT_PREFIX}DISPLAY_SETTINGS",
            )
        if not action.when:
            raise InputError(
                f"actions[{number}].when must be a table of fields and their texts, not empty", where=path
            )


def _texts(file: _TaskFile) -> Iterator[tuple[str, str]]:
    """Every text of a file with its key."""
    for field in fields(file):
        value = getattr(file, field.name)
        if isinstance(value, str):
            yield field.name, value
    yield from ((f"examples[{number}]", text) for number, text in enumerate(file.examples))
    for number, action in enumerate(file.actions):
        yield f"actions[{number}].intent", action.intent
        yield from ((f"actions[{number}].when.{name}", text) for name, text in action.when.items())
