"""Environments with other releases of the engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.errors import InputError, MissingToolError
from edgekit.runtime import releases


def test_versions_are_read_from_a_list() -> None:
    assert releases.parse_versions("0.11.0, 0.14.0,0.11.0") == ("0.11.0", "0.14.0")
    with pytest.raises(InputError, match="no version"):
        releases.parse_versions("0.11.0,latest")


@pytest.mark.slow
def test_a_release_that_cannot_be_had_is_a_missing_tool(
    user_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(MissingToolError, match=r"litert-lm-api 0\.0\.1 cannot be installed"):
        releases.environment("0.0.1")
