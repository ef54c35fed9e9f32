"""Where a bundle can go and where it can be measured, from the targets and runners themselves."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import get_type_hints

from docs.generate.markdown import docstring, page, sentence, table


def pages() -> dict[str, str]:
    """Path below reference/ → page."""
    from edgekit.benchmark import runners
    from edgekit.packaging import targets

    return {
        "targets.md": page("Package targets", docstring(targets), *_targets(targets)),
        "runners.md": page("Runners", docstring(runners), *_runners(runners)),
    }


def _targets(package: ModuleType) -> list[str]:
    """Each target of the tuple: what it is, its module's docstring, and its flags."""
    parts: list[str] = []
    for target in package.TARGETS:
        parts += [f"## {target.name}", sentence(target.about)]
        if flags := list(_flags(target.options)):
            parts.append(table(["option", ""], flags))
    return parts


def _flags(options: type) -> Iterator[list[str]]:
    """The flags of a target's options, as `edgekit package` builds them; see `packaging.target.Flag`."""
    from edgekit.packaging.target import Flag

    for name, hint in get_type_hints(options, include_extras=True).items():
        for flag in getattr(hint, "__metadata__", ()):
            if isinstance(flag, Flag):
                names = ", ".join(flag.names or (f"--{name.replace('_', '-')}",))
                yield [f"`{names} {flag.metavar}`" if flag.metavar else f"`{names}`", flag.help]


def _runners(package: ModuleType) -> list[str]:
    """Each runner of the tuple: how it is named, and its module's docstring."""
    parts: list[str] = []
    for kind in package.KINDS:
        told = docstring(importlib.import_module(kind.make.__module__))
        parts += [f"## {kind.name}", f"`{kind.option} {kind.name}{kind.value}`: {sentence(kind.tells)}", told]
    return parts
