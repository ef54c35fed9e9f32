"""Names of a bundle, its fields, labels and tools as Kotlin takes them: whatever they are, and each once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from edgekit.quoting import HARD_KEYWORDS

_WORD = re.compile(r"[A-Za-z0-9]+")


def class_name(name: str) -> str:
    """A class's name: settings-navigator → SettingsNavigator."""
    joined = "".join(word[:1].upper() + word[1:] for word in _WORD.findall(name))
    return joined if joined[:1].isalpha() else f"Model{joined}"


def type_names(names: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """Names of classes: screen_time → ScreenTime. taken: by others, which would be hidden."""
    return _each_once(
        names, lambda name: _camel(name) if _camel(name)[:1].isalpha() else f"Value{_camel(name)}", taken
    )


def member_names(names: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Names of properties, parameters and functions: show_map → showMap. taken: by others in the same place."""

    def member(name: str) -> str:
        joined = _camel(name)
        joined = joined if joined[:1].isalpha() else f"value{joined}"
        return joined[:1].lower() + joined[1:]

    found = _each_once(names, member, taken)
    return {name: f"`{one}`" if one in HARD_KEYWORDS else one for name, one in found.items()}


def constant_names(names: Iterable[str]) -> dict[str, str]:
    """Names of an enum's entries: do not disturb → DO_NOT_DISTURB."""

    def constant(name: str) -> str:
        joined = "_".join(_WORD.findall(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name))).upper() or "OTHER"
        return joined if joined[:1].isalpha() else f"_{joined}"

    return _each_once(names, constant, ())


def _camel(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in _WORD.findall(name))


def _each_once(names: Iterable[str], change: Callable[[str], str], taken: Iterable[str]) -> dict[str, str]:
    """A name for each; two that would become one are told apart by a number."""
    used, found = set(taken), dict[str, str]()
    for name in names:
        first = one = change(name)
        number = 2
        while one in used:
            one, number = f"{first}{number}", number + 1
        used.add(one)
        found[name] = one
    return found
