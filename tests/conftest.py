"""Fixtures that several tests share: the demo checkpoint, opened and in Transformers."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from edgekit.checkpoint import Checkpoint, open_checkpoint
from edgekit.runtime.reference import Reference

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may depend on the network

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a script: children would inherit deafness to the interrupts that tests send.
    signal.signal(signal.SIGINT, signal.default_int_handler)

EXAMPLE = Path(__file__).parents[1] / "examples" / "settings-navigator"


@pytest.fixture(scope="session")
def demo_path() -> Path:
    return EXAMPLE / "checkpoint"


@pytest.fixture(scope="session")
def demo(demo_path: Path) -> Checkpoint:
    return open_checkpoint(demo_path)


@pytest.fixture(scope="session")
def reference(demo_path: Path) -> Reference:
    return Reference(demo_path)
