"""What every refusal owes the user: one error that says what, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edgekit.errors import CheckpointError, EdgekitError


@contextmanager
def refused(*words: str, kind: type[EdgekitError] = CheckpointError) -> Iterator[None]:
    """Expect an error whose text holds all the words, with a place and a remedy."""
    with pytest.raises(EdgekitError) as caught:
        yield
    error = caught.value
    assert type(error) is kind, error
    for word in words:
        assert word in str(error), f"{word!r} is not in: {error}"
    assert error.where, f"no place in: {error}"
    assert "\n" not in error.message
    assert error.remedy, f"no remedy in: {error}"
