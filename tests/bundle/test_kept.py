"""The map of ids in the manifest: short, exact, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.bundle.kept import read_kept, write_kept


def test_neighbours_are_written_as_a_stretch_in_the_order_of_the_new_ids() -> None:
    assert write_kept([0, 1, 2, 7, 9, 10, 4]) == "0-2,7,9-10,4"


@given(st.lists(st.integers(0, 1999), min_size=1, max_size=1500, unique=True))
def test_any_choice_of_ids_is_read_back(ids: list[int]) -> None:
    assert list(read_kept(write_kept(ids), rows=2000)) == ids
    assert list(read_kept(write_kept(sorted(ids)), rows=2000)) == sorted(ids)


def test_no_more_ids_are_written_out_than_a_vocabulary_has() -> None:
    """Ten characters could stand for gigabytes."""
    with pytest.raises(ValueError, match="more than 1,048,576 ids"):
        read_kept("0-999999998", rows=10**9)
    with pytest.raises(ValueError, match="more than 4 ids"):
        read_kept("0-2,3,4-8", rows=10, most=4)


@pytest.mark.parametrize(
    "text", ["", "a", "1,", "3-2", "-1", "1--2", "0-10", "10", "1,1", "0-3,2", "1 ,2", "999999999999"]
)
def test_what_is_no_list_of_ids_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"stretch|twice"):
        read_kept(text, rows=10)
