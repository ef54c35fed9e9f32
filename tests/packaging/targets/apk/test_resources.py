"""The resource table's package name."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import InputError
from edgekit.packaging.targets.apk.base import read_base
from edgekit.packaging.targets.apk.resources import RESOURCES, rename_package
from tests.packaging.damage import damaged

PLACEHOLDER = "dev.edgekit.app"


@pytest.fixture(scope="module")
def table() -> bytes:
    return read_base().content(RESOURCES)


@pytest.mark.parametrize("new", ["com.example.navigator", "a.b", "a." + "b" * 125])
def test_the_package_gets_the_new_name_and_nothing_else_changes(table: bytes, new: str) -> None:
    renamed = rename_package(table, PLACEHOLDER, new, "x")
    field = PLACEHOLDER.encode("utf-16-le").ljust(256, b"\0")
    assert table.count(field) == 1
    assert renamed == table.replace(field, new.encode("utf-16-le").ljust(256, b"\0"))


def test_another_package_keeps_its_name(table: bytes) -> None:
    assert rename_package(table, "com.other", "a.b", "x") == table


@given(st.data())
def test_damage_is_an_error_or_goes_unnoticed_but_never_breaks(table: bytes, data: st.DataObject) -> None:
    with contextlib.suppress(InputError):
        rename_package(data.draw(damaged(table[:40_000])), PLACEHOLDER, "a.b", "x")


@pytest.mark.parametrize("length", [0, 5, 11, 100])
def test_a_truncated_table_is_refused(table: bytes, length: int) -> None:
    with pytest.raises(InputError, match="resource table"):
        rename_package(table[:length], PLACEHOLDER, "a.b", "x")
