"""Schema versions: older records are brought up to date, step by step; newer ones are refused."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit.errors import BundleError
from edgekit.records.versions import up_to_date

STEPS = (lambda values: {**values, "second": True}, lambda values: {**values, "third": values["second"]})


@pytest.mark.parametrize(
    ("version", "added"), [(1, {"second": True, "third": True}), (2, {"third": None}), (3, {})]
)
def test_every_step_that_is_missing_is_taken(version: int, added: dict[str, Any]) -> None:
    values = {"schema_version": version, **({} if version == 1 else {"second": None})}
    assert up_to_date(values, migrations=STEPS, where="x") == {**values, **added, "schema_version": 3}


@pytest.mark.parametrize("version", [0, -1, "1", True, None, 1.0])
def test_what_is_no_version_is_refused(version: object) -> None:
    with pytest.raises(BundleError, match="no positive whole number"):
        up_to_date({"schema_version": version}, where="x", error=BundleError)


def test_a_newer_version_asks_for_a_newer_edgekit() -> None:
    with pytest.raises(BundleError, match=r"schema 4, known here: 3[\s\S]*upgrade edgekit"):
        up_to_date({"schema_version": 4}, migrations=STEPS, where="x", error=BundleError)
