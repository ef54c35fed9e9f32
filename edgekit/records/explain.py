"""What msgspec found wrong, as a sentence with the full key.

msgspec names the place as `$.cases[2].runs[...]`, where `[...]` stands for some key of a mapping; and for a choice it
does not say what there is to choose from. Both are found out here, once something is wrong.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import inspect as kinds

Step = str | int
"""A field or key of an object, or an index of a list."""

_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]+)`")
_PLACE = re.compile(r"(?P<what>.*?)(?: - at (?:`key` in )?`\$(?P<path>.*)`)?", re.DOTALL)
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]|\[(\.\.\.)\]")

_WORDS: Mapping[type[kinds.Type], str] = {
    kinds.BoolType: "true or false",
    kinds.IntType: "a whole number",
    kinds.FloatType: "a number",
    kinds.StrType: "a string",
    kinds.VarTupleType: "a list",
    kinds.ListType: "a list",
    kinds.DictType: "an object",
    kinds.DataclassType: "an object",
}


@dataclass(frozen=True)
class Wrong:
    """What is wrong. value: what stands there. wants_number: there should be a number."""

    sentence: str
    value: Any
    wants_number: bool
    path: tuple[Step, ...]
    values: Any

    def replaced(self, value: Any) -> Any:
        """Return the values with another one in this place."""
        values = copy.deepcopy(self.values)
        place = _at(values, self.path[:-1])
        place[self.path[-1]] = value
        return values


def explanation(error: msgspec.ValidationError, kind: Any, values: Any) -> Wrong:
    """Explain why values are no `kind`."""
    match = _PLACE.fullmatch(str(error))
    assert match is not None
    path = _full_path(kind, values, str(error), match["path"] or "")
    key = _name(path)
    if missing := _MISSING.match(match["what"]):
        inner = _name((*path, missing["name"]))
        return Wrong(f"the key {inner} is missing", None, False, path, values)
    value, wanted = _at(values, path), _kind_at(kinds.type_info(kind), path)
    number = any(isinstance(one, kinds.FloatType) for one in _options(wanted))
    words = _words(wanted)
    shown = json.dumps(value, default=str)
    shown = shown if len(shown) <= 60 else shown[:57] + "…"
    if "`key` in" in str(error):
        return Wrong(f"a key of {key} is not what it must be: {match['what']}", value, False, path, values)
    if words is None or not re.match("Expected|Invalid enum|Number out of range", match["what"]):
        return Wrong(f"{key}: {match['what']}", value, number, path, values)
    return Wrong(f"{key} must be {words}, not {shown}", value, number, path, values)


def unknown_key(kind: Any, values: Any) -> tuple[str, tuple[str, ...]] | None:
    """Find the first key that a record has no field for; returns it, in full, and the keys that there are."""
    return next(_unknown(kinds.type_info(kind), values, ()), None)


def _unknown(kind: kinds.Type, value: Any, path: tuple[Step, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for one in _options(kind):
        if isinstance(one, kinds.DataclassType) and isinstance(value, dict):
            known = {part.encode_name: part.type for part in one.fields}
            for key in value:
                if key not in known:
                    yield _name((*path, key)), tuple(known)
            for key, part in known.items():
                if key in value:
                    yield from _unknown(part, value[key], (*path, key))
        elif isinstance(one, kinds.VarTupleType | kinds.ListType) and isinstance(value, list):
            for index, item in enumerate(value):
                yield from _unknown(one.item_type, item, (*path, index))
        elif isinstance(one, kinds.DictType) and isinstance(value, dict):
            for key, item in value.items():
                yield from _unknown(one.value_type, item, (*path, key))


# ---------------------------------------- places


def _full_path(kind: Any, values: Any, error: str, text: str) -> tuple[Step, ...]:
    """Read msgspec's path, and find out which key of a mapping it means where it only says `[...]`."""
    found: list[Step] = []
    for field, index, _ in _STEP.findall(text):
        if field:
            found.append(field)
        elif index:
            found.append(int(index))
        else:
            found.append(_first_wrong_key(kind, values, error, found))
    return tuple(found)


def _first_wrong_key(kind: Any, values: Any, error: str, path: Sequence[Step]) -> str:
    """Halve the mapping until one key is left: msgspec reads it in order and stops at the first that is wrong."""
    items = list(_at(values, path).items())
    good, bad = 0, len(items)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            msgspec.convert(_with(values, path, dict(items[:middle])), kind, str_keys=True)
        except msgspec.ValidationError as found:
            good, bad = (good, middle) if str(found) == error else (middle, bad)
        else:
            good = middle
    return str(items[good][0])


def _with(values: Any, path: Sequence[Step], value: Any) -> Any:
    """Return the values with another one in a place; the rest is shared."""
    if not path:
        return value
    changed = copy.copy(values)
    changed[path[0]] = _with(values[path[0]], path[1:], value)
    return changed


def _at(values: Any, path: Sequence[Step]) -> Any:
    for step in path:
        values = values[step]
    return values


def _name(path: Sequence[Step]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".") or "the whole"


# ---------------------------------------- types


def _options(kind: kinds.Type) -> tuple[kinds.Type, ...]:
    """What a type may be, None aside."""
    if isinstance(kind, kinds.UnionType):
        return tuple(one for one in kind.types if not isinstance(one, kinds.NoneType))
    return (kind,)


def _kind_at(kind: kinds.Type, path: Sequence[Step]) -> kinds.Type:
    for step in path:
        for one in _options(kind):
            if isinstance(one, kinds.DataclassType):
                kind = next(part.type for part in one.fields if part.encode_name == step)
            elif isinstance(one, kinds.VarTupleType | kinds.ListType):
                kind = one.item_type
            elif isinstance(one, kinds.TupleType) and isinstance(step, int):
                kind = one.item_types[step]
            elif isinstance(one, kinds.DictType):
                kind = one.value_type
            else:
                continue
            break
    return kind


def _words(kind: kinds.Type) -> str | None:
    """What should stand there, in words; None for a type that has none here."""
    words: list[str] = []
    for one in _options(kind):
        if isinstance(one, kinds.LiteralType):
            words += [repr(value) for value in one.values]
        elif isinstance(one, kinds.TupleType):
            words.append(f"a list of {len(one.item_types)}")
        elif type(one) in _WORDS:
            words.append(_WORDS[type(one)])
        else:
            return None
    return " or ".join(dict.fromkeys(words))
