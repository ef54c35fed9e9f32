"""What this machine says of itself."""

from __future__ import annotations

import os

import pytest

from edgekit.device.host import fastest_cores, host_abi, read_conditions, read_host
from edgekit.device.info import Cluster


def test_this_machine_is_described() -> None:
    info = read_host()
    assert (info.kind, info.name, info.abi) == ("host", "host", host_abi())
    assert info.cores and 0 < info.cores <= (os.cpu_count() or 0)
    assert info.ram_bytes and info.ram_bytes > 1 << 28
    load = read_conditions().load
    assert load is not None and load >= 0


def test_cores_of_one_kind_are_all_equally_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    small, big = Cluster((0, 1), 1800.0), Cluster((2, 3), 2900.0)
    monkeypatch.setattr("edgekit.device.host._clusters", lambda: (small, big))
    assert fastest_cores() == (2, 3)
    monkeypatch.setattr("edgekit.device.host._clusters", lambda: (small,))
    assert fastest_cores() == ()
