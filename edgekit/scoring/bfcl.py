"""Calls held to the rules of the Berkeley Function Calling Leaderboard.

Source: ShishirPatil/gorilla, berkeley-function-call-leaderboard, eval_checker/ast_eval/ast_checker.py. There each
parameter has a list of accepted values, in which "" says that it may be left out; here a call that is expected accepts
its own arguments alone, unless `Accepted` says more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from edgekit.calling.calls import Call
from edgekit.calling.tools import Tool

Accepted = Mapping[str, Sequence[Any]]
"""The values that each parameter may have; "" among them lets it be left out."""

_IGNORED: Final = re.compile(r"[ ,./\-_*^]")
_PYTHON: Final[Mapping[str, type]] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list,
    "object": dict,
}


def accepted_by(expected: Call) -> dict[str, list[Any]]:
    """The values that an expected call accepts: its own."""
    return {name: [_inner(value)] for name, value in expected.arguments.items()}


def same_set(
    said: Sequence[Call],
    expected: Sequence[tuple[str, Accepted]],
    tools: Sequence[Tool],
) -> bool:
    """Whether calls are as many as are expected, and each is one of them, in any order."""
    if len(said) != len(expected):
        return False
    left = list(said)
    for name, accepted in expected:
        found = next((call for call in left if same_call(call, name, accepted, tools)), None)
        if found is None:
            return False
        left = [one for one in left if one is not found]
    return True


def same_call(call: Call, name: str, accepted: Accepted, tools: Sequence[Tool]) -> bool:
    """Whether one call is the expected one: no parameter too few or too many, and each of an accepted value."""
    tool = next((tool for tool in tools if tool.name == name), None)
    if call.name != name or tool is None:
        return False
    if any(parameter not in call.arguments for parameter in tool.required):
        return False
    for parameter, value in call.arguments.items():
        if parameter not in tool.properties or parameter not in accepted:
            return False
        if not same_value(value, accepted[parameter], tool.properties[parameter].get("type")):
            return False
    return all(parameter in call.arguments or "" in values for parameter, values in accepted.items())


def same_value(value: Any, accepted: Sequence[Any], kind: str | None) -> bool:
    """Whether an argument is an accepted one.

    kind: the type in the parameter's schema. A whole number passes for one with a fraction, not the reverse. Texts are
    compared in lower case, without white space and most punctuation; lists in order; objects one level deep.
    """
    if kind == "number" and type(value) is int:
        value = float(value)
    wanted = _PYTHON.get(kind or "")
    # A value that stands for another, such as a variable's name, has the type of what is accepted.
    if wanted is not None and type(value) is not wanted and all(type(value) is not type(a) for a in accepted):
        return False
    if isinstance(value, dict):
        return any(_same_object(value, one) for one in accepted if isinstance(one, dict))
    plain = normalised(value)
    return any(_same_plain(plain, normalised(one)) for one in accepted)


def normalised(value: Any) -> Any:
    """A text without what does not count: case, white space, `,./-_*^`, the kind of its quotes. So in lists."""
    if isinstance(value, str):
        return _IGNORED.sub("", value).lower().replace("'", '"')
    if isinstance(value, list):
        return [normalised(one) for one in value]
    return value


def _inner(value: Any) -> Any:
    """An accepted value; an object says of each of its keys what is accepted."""
    return {key: [one] for key, one in value.items()} if isinstance(value, dict) else value


def _same_object(value: Mapping[str, Any], accepted: Mapping[str, Sequence[Any]]) -> bool:
    for key, one in value.items():
        if key not in accepted:
            return False
        if all(not _same_plain(normalised(one), normalised(other)) for other in accepted[key]):
            return False
    return all(key in value or "" in values for key, values in accepted.items())


def _same_plain(value: Any, other: Any) -> bool:
    """Equal, true not being 1; 2 and 2.0 are the same number."""
    if isinstance(value, bool) or isinstance(other, bool):
        return value is other
    return bool(value == other)
