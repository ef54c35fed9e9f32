"""Presets, `edgekit.toml`: what an app is called; and what a task is for, what to try, what its answers open.

The file beside a bundle says both, of the app and of the bundle's own task; the one beside an adapter says what its
task is. The options of `edgekit package` win over the file. Reading is strict: an unknown key is a mistake that would
otherwise go unnoticed until the app is on a phone.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, NoReturn

from edgekit.errors import InputError

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

    system_prompt: sent before each conversation. source: the file itself, None when there is none.
    """

    title: str | None = None
    description: str | None = None
    system_prompt: str | None = None
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
    values = _read_toml(path)
    known = _keys(Presets)
    for key in values:
        if key not in known:
            _refuse_unknown(path, key, known)
    read = _read_values(path, values)
    if "icon" in read:
        read["icon"] = path.absolute().parent / read["icon"]
    return Presets(**read, source=path)


def read_task_presets(path: Path) -> TaskPresets:
    """Read one file beside an adapter. Raises InputError as `read_presets` does, and for what only an app has."""
    values = _read_toml(path)
    known = _keys(TaskPresets)
    for key in values:
        if key in known:
            continue
        if key in _keys(Presets):
            raise InputError(
                f"{key} is the app's, and this file is about one adapter's task",
                where=path,
                remedy="move it into the edgekit.toml beside the base bundle",
            )
        _refuse_unknown(path, key, known)
    return TaskPresets(**_read_values(path, values), source=path)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"the presets cannot be read: {error.strerror}",
            where=path,
            remedy="name a TOML file, or leave --presets away",
        ) from error
    except UnicodeDecodeError as error:
        raise InputError("the presets are not text in UTF-8", where=path) from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"not TOML: {error}", where=path) from error


def _keys(kind: type[TaskPresets]) -> list[str]:
    return [field.name for field in fields(kind) if field.name != "source"]


def _read_values(path: Path, values: Mapping[str, object]) -> dict[str, Any]:
    return {key: _READERS[key](path, key, value) for key, value in values.items()}


# ---------------------------------------- the kinds of values


def _text(path: Path, key: str, value: object) -> str:
    if not isinstance(value, str):
        _refuse(path, key, "a text", value)
    if not value.strip():
        raise InputError(f"{key} is empty", where=path, remedy="write something, or leave the key away")
    return value


def _whole_number(path: Path, key: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        _refuse(path, key, "a whole number", value)
    return value


def _texts(path: Path, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        _refuse(path, key, "a list of texts", value)
    return tuple(_text(path, f"{key}[{number}]", item) for number, item in enumerate(value))


def _actions(path: Path, key: str, value: object) -> tuple[Action, ...]:
    if not isinstance(value, list):
        _refuse(path, key, "a list of tables ([[actions]])", value)
    return tuple(_action(path, f"{key}[{number}]", item) for number, item in enumerate(value))


def _action(path: Path, key: str, value: object) -> Action:
    if not isinstance(value, dict):
        _refuse(path, key, "a table", value)
    for name in value:
        if name not in ("when", "intent"):
            _refuse_unknown(path, f"{key}.{name}", ("when", "intent"))
    for name in ("when", "intent"):
        if name not in value:
            raise InputError(f"{key}.{name} is missing", where=path)
    intent = _text(path, f"{key}.intent", value["intent"])
    if (
        not intent.startswith(INTENT_PREFIX)
        or intent == INTENT_PREFIX
        or not intent.replace("_", "").isascii()
    ):
        raise InputError(
            f"{key}.intent is {intent!r}, which the app would not start",
            where=path,
            remedy=f"an action that begins with {INTENT_PREFIX}, such as {INTENT_PREFIX}DISPLAY_SETTINGS",
        )
    when = value["when"]
    if not isinstance(when, dict) or not when:
        _refuse(path, f"{key}.when", "a table of fields and their texts", when)
    return Action({name: _text(path, f"{key}.when.{name}", text) for name, text in when.items()}, intent)


_READERS: Final[Mapping[str, Callable[[Path, str, object], Any]]] = {
    "application_id": _text,
    "label": _text,
    "icon": _text,
    "version_name": _text,
    "version_code": _whole_number,
    "title": _text,
    "description": _text,
    "system_prompt": _text,
    "examples": _texts,
    "actions": _actions,
}


def _refuse(path: Path, key: str, wanted: str, value: object) -> NoReturn:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "…"
    raise InputError(f"{key} must be {wanted}, not {shown}", where=path)


def _refuse_unknown(path: Path, key: str, known: object) -> NoReturn:
    names = list(known) if isinstance(known, list | tuple) else []
    close = difflib.get_close_matches(key.split(".")[-1], names, 1)
    remedy = f"did you mean {close[0]}?" if close else f"there are: {', '.join(names)}"
    raise InputError(f"the key {key} is not known", where=path, remedy=remedy)
