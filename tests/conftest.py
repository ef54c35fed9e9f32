"""Fixtures that several tests share: the demo checkpoint, its base bundle and adapters, and a lab of real devices."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from edgekit.checkpoint import Checkpoint, open_checkpoint
from edgekit.conversion.options import GraphOptions, TextOptions
from edgekit.files.cache import CACHE_VARIABLE
from edgekit.graph.library import cache_directory
from edgekit.runtime.reference import Reference
from tests.device.rig import CannotRun, Lab, open_lab
from tests.fixtures import guard, spreading
from tests.fixtures.bundles import Bundles, Kept

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may depend on the network
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # torch spins otherwise, which starves the other worker
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault(
        "OMP_NUM_THREADS", "1"
    )  # each worker has a core; torch would start a thread on every one

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a script: children would inherit deafness to the interrupts that tests send.
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("ci", max_examples=50, derandomize=True, deadline=None, database=None)
hypothesis.settings.register_profile("nightly", max_examples=1000, deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get(spreading.PROFILE, "ci"))

EXAMPLE = Path(__file__).parents[1] / "examples" / "settings-navigator"
SENTIMENT, TRIAGE = EXAMPLE.with_name("sentiment"), EXAMPLE.with_name("support-triage")
BASE: dict[str, Any] = {
    "name": "settings-navigator",
    "graph": GraphOptions(adapters="16"),
    "text": TextOptions(answer_schema=EXAMPLE / "answer-schema.json"),
}


def pytest_configure(config: pytest.Config) -> None:
    for plugin in (spreading, guard):  # the last is asked first
        config.pluginmanager.register(plugin)


@pytest.fixture(scope="session", autouse=True)
def user_cache(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A cache directory for this run, the same for all its workers: no test sees what the user's home holds.

    Old releases of the engine, which pip installs, stay for the next run.
    """
    base = tmp_path_factory.getbasetemp()
    directory = (base.parent if hasattr(request.config, "workerinput") else base) / "cache"
    directory.mkdir(exist_ok=True)
    kept = request.config.cache.mkdir("runtimes")
    with contextlib.suppress(FileExistsError):
        (directory / "runtimes").symlink_to(kept, target_is_directory=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(directory))
        assert cache_directory().parent == directory
        yield directory


@pytest.fixture(scope="session")
def kept(request: pytest.FixtureRequest) -> Kept:
    """Keeps for the next run what takes minutes and does not depend on edgekit's own sources."""
    return Kept(request.config.cache.mkdir("kept"))


@pytest.fixture(scope="session")
def bundles(request: pytest.FixtureRequest) -> Bundles:
    """Gives the bundle of a checkpoint and options, made once; tests that change one copy it."""
    return Bundles(request.config.cache.mkdir("bundles"))


@pytest.fixture(autouse=True)
def _bundles_stay_as_made(bundles: Bundles) -> Iterator[None]:
    yield
    assert bundles.changed() == [], (
        "a test wrote into a bundle that others share: let it copy the bundle first"
    )


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
def int8_bundle(bundles: Bundles) -> Path:
    """The demo in 8 bits, as `edgekit convert` makes it; to be read only."""
    return bundles(recipe="int8")


@pytest.fixture(scope="session")
def adapter_ready_bundle(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo as a base that takes adapters, with its own answer format; int8, rank 16. Reports go into it."""
    return bundles.copy(tmp_path_factory.mktemp("base") / "settings-navigator", **BASE)


@pytest.fixture(scope="session")
def sentiment_adapter(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter bundle of the demo base: rank 8, attention only. Reports go into it."""
    return _adapter_bundle(bundles, SENTIMENT, tmp_path_factory.mktemp("adapter"))


@pytest.fixture(scope="session")
def triage_adapter(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter bundle of the demo base: rank 16, attention and MLP. Reports go into it."""
    return _adapter_bundle(bundles, TRIAGE, tmp_path_factory.mktemp("adapter"))


def _adapter_bundle(bundles: Bundles, example: Path, directory: Path) -> Path:
    made = bundles.adapter(
        example / "adapter",
        bundles(**BASE),
        name=example.name,
        text=TextOptions(answer_schema=example / "answer-schema.json"),
    )
    return shutil.copytree(made, directory / example.name)


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
