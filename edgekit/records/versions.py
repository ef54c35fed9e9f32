"""Schema versions: what an older edgekit wrote is brought up to date, what a newer one wrote is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgekit.errors import EdgekitError, InputError

Migration = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns the JSON values of one schema into those of the next."""


def up_to_date(
    values: dict[str, Any],
    *,
    migrations: Sequence[Migration] = (),
    where: str | Path,
    remedy: str | None = None,
    error: type[EdgekitError] = InputError,
) -> dict[str, Any]:
    """Return JSON values in today's schema, which is the number of migrations plus one.

    migrations: entry n turns schema n + 1 into n + 2. Raises the given error when `schema_version` is missing, or newer
    than today's.
    """
    newest = len(migrations) + 1
    version = values.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise error("schema_version is missing or no positive whole number", where=where, remedy=remedy)
    if version > newest:
        raise error(
            f"made by a newer edgekit (schema {version}, known here: {newest})",
            where=where,
            remedy="upgrade edgekit",
        )
    for migrate in migrations[version - 1 :]:
        values = migrate(values)
    return {**values, "schema_version": newest}
