"""Options that cannot be followed are refused before anything is opened."""

from __future__ import annotations

import pytest

from edgekit.conversion.options import Trim, check_trim, parse_adapters
from edgekit.errors import InputError
from edgekit.graph.slots import ATTENTION, TARGETS


def test_adapters_name_a_rank_and_what_they_change() -> None:
    assert (parse_adapters("16").rank, parse_adapters("16").targets) == (16, TARGETS)
    assert (parse_adapters("32:attention").rank, parse_adapters("32:attention").targets) == (32, ATTENTION)


@pytest.mark.parametrize("text", ["", "8", "16 ", "016", "16:", "16:all", ":attention", "16:attention:mlp"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--adapters"):
        parse_adapters(text)


@pytest.mark.parametrize(
    ("trim", "message"),
    [
        (Trim([]), "--vocab-from: there is no text"),
        (Trim(["a.txt"], keep=0), "--vocab-keep: 0 is no number of pieces"),
        (Trim(["a.txt"], languages=["xx"]), "--vocab-lang: 'xx'"),
    ],
)
def test_a_trim_that_says_nothing_is_refused(trim: Trim, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_trim(trim, "litertlm")
