"""What is remembered of a reference: damage is dropped with a note, and asked again."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit.files.cache import CACHE_VARIABLE
from edgekit.scoring.memory import Memory
from tests.fixtures.noting import Noting

VERSIONS = {"torch": "2"}


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of what one run learned."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    memory = Memory("digest", VERSIONS)
    memory.ids["hi"] = (1, 2)
    memory.answers[1, 2] = (3,)
    memory.states[(1, 2, 3), 1] = np.ones((2, 4), np.float32)
    memory.keep()
    (results,) = tmp_path.rglob("results.json")
    return results.parent


def test_what_was_kept_is_recalled(kept: Path) -> None:
    told = Noting()
    memory = Memory("digest", VERSIONS, told)
    assert (memory.ids, memory.answers) == ({"hi": (1, 2)}, {(1, 2): (3,)})
    assert np.array_equal(memory.states[(1, 2, 3), 1], np.ones((2, 4)))
    assert not memory.learned
    assert not told.notes


def arrays(**named: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, **named)
    return out.getvalue()


def huge_array(_: bytes) -> bytes:
    whole = arrays(**{"0": np.ones((2, 4), np.float32)})
    return whole.replace(b"(2, 4)", b"(9999999999, 9999999999)"[:6].ljust(6, b"9"))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("hidden.npz", lambda _: b""),
        ("hidden.npz", lambda content: content[:-30]),
        ("hidden.npz", lambda content: content[:60] + b"\xff\xff" + content[62:]),
        ("hidden.npz", lambda _: arrays()),
        ("hidden.npz", lambda _: arrays(**{"0": np.array([{}, {}])})),
        ("hidden.npz", lambda _: arrays(**{"0": np.ones(3, np.int64)})),
        ("hidden.npz", lambda _: arrays(**{"0": np.full((2, 4), np.nan, np.float32)})),
        ("hidden.npz", huge_array),
        ("results.json", lambda _: b""),
        ("results.json", lambda _: b"[" * 100_000),
        ("results.json", lambda content: content.replace(b"[1, 2]", b'["1", 2]')),
    ],
)
def test_damage_is_dropped_with_a_note(kept: Path, name: str, damage: Callable[[bytes], bytes]) -> None:
    path = kept / name
    path.write_bytes(damage(path.read_bytes()))
    told = Noting()
    memory = Memory("digest", VERSIONS, told)
    assert not (memory.ids or memory.states)
    assert len(told.notes) == 1
    assert str(kept) in told.notes[0]
    assert not kept.exists()
    left = kept.with_name(".0123.part")
    left.mkdir()
    (left / "hidden.npz").touch()
    memory.ids["hi"] = (1, 2)
    memory.keep()
    assert Memory("digest", VERSIONS).ids == {"hi": (1, 2)}
    assert not left.exists(), "what a killed run left is swept"
