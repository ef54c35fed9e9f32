"""Google Play's limits are held against compressed sizes."""

from __future__ import annotations

import random
import zlib
from pathlib import Path

import pytest

from edgekit.packaging.play import BASE_LIMIT, PACK_LIMIT, Compressed, judge, measure, together


@pytest.mark.parametrize(
    ("model", "app", "fit"),
    [
        (BASE_LIMIT - 10, 10, "base"),
        (BASE_LIMIT - 10, 11, "pack"),
        (PACK_LIMIT, 11, "pack"),
        (PACK_LIMIT + 1, 11, "none"),
        (10, BASE_LIMIT + 1, "none"),
    ],
)
def test_the_verdict(model: int, app: int, fit: str) -> None:
    assert judge(Compressed(model, model), Compressed(9, app)).fit == fit


def test_what_compresses_well_counts_for_what_travels(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(1 << 20))
    found = measure(path)
    assert (found.size, found.sampled) == (1 << 20, False)
    assert found.compressed == 4 * len(zlib.compress(bytes(256 << 10), 6))


def test_a_large_file_is_estimated_and_that_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes((random.Random(1).randbytes(1 << 20) + bytes(1 << 20)) * 15)
    found = measure(path)
    assert found.sampled
    assert 0.4 < found.compressed / found.size < 0.6
    assert "about" in judge(found, Compressed(0, 0)).sentence


def test_a_bundle_and_its_sidecars_travel_together() -> None:
    parts = (Compressed(100, 90, sampled=True), Compressed(10, 1), Compressed(10, 9))
    assert together(parts) == Compressed(120, 100, sampled=True)
    assert together(parts[1:]) == Compressed(20, 10)
