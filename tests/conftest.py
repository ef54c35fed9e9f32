"""Fixtures that several tests share: the demo checkpoint, its base bundle and adapters, and a lab of real devices."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.checkpoint import Checkpoint, open_checkpoint
from edgekit.conversion.adapter.making import adapter
from edgekit.conversion.convert import convert
from edgekit.runtime.reference import Reference
from tests.device.rig import CannotRun, Lab, open_lab

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may depend on the network

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a script: children would inherit deafness to the interrupts that tests send.
    signal.signal(signal.SIGINT, signal.default_int_handler)

EXAMPLE = Path(__file__).parents[1] / "examples" / "settings-navigator"
SENTIMENT, TRIAGE = EXAMPLE.with_name("sentiment"), EXAMPLE.with_name("support-triage")


@pytest.fixture(scope="session")
def demo_path() -> Path:
    return EXAMPLE / "checkpoint"


@pytest.fixture(scope="session")
def demo(demo_path: Path) -> Checkpoint:
    return open_checkpoint(demo_path)


@pytest.fixture(scope="session")
def reference(demo_path: Path) -> Reference:
    return Reference(demo_path)


@pytest.fixture(scope="session")
def adapter_ready_bundle(tmp_path_factory: pytest.TempPathFactory, demo_path: Path) -> Path:
    """The demo as a base that takes adapters, with its own answer format; int8, rank 16."""
    return convert(
        demo_path,
        tmp_path_factory.mktemp("base") / "settings-navigator",
        name="settings-navigator",
        adapter_ready=True,
        answer_schema=EXAMPLE / "answer-schema.json",
        check=False,
    ).bundle


@pytest.fixture(scope="session")
def sentiment_adapter(tmp_path_factory: pytest.TempPathFactory, adapter_ready_bundle: Path) -> Path:
    """An adapter bundle of the demo base: rank 8, attention only."""
    return _adapter_bundle(SENTIMENT, adapter_ready_bundle, tmp_path_factory.mktemp("adapter"))


@pytest.fixture(scope="session")
def triage_adapter(tmp_path_factory: pytest.TempPathFactory, adapter_ready_bundle: Path) -> Path:
    """An adapter bundle of the demo base: rank 16, attention and MLP."""
    return _adapter_bundle(TRIAGE, adapter_ready_bundle, tmp_path_factory.mktemp("adapter"))


def _adapter_bundle(example: Path, base: Path, directory: Path) -> Path:
    return adapter(
        example / "adapter",
        base,
        directory / example.name,
        name=example.name,
        answer_schema=example / "answer-schema.json",
        check=False,
    ).directory


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A network with an adb server; edgekit's adb talks to it and to nothing else."""
    try:
        with open_lab(tmp_path_factory.mktemp("lab")) as opened, pytest.MonkeyPatch.context() as patch:
            for name in ("ADB_SERVER_SOCKET", "ADB_LOCAL_TRANSPORT_MAX_PORT"):
                patch.setenv(name, opened.environment[name])
            patch.delenv("ANDROID_SERIAL", raising=False)
            assert os.environ["ADB_SERVER_SOCKET"]
            yield opened
    except CannotRun as reason:
        pytest.skip(f"no real adb device can be started here: {reason}")
