"""Whatever is in a file, a reader ends in a value or in an error of edgekit's: 70 is for bugs, and there are none here.

EDGEKIT_FUZZ says how many inputs: `make fuzz` takes 100,000. EDGEKIT_FUZZ_SEED gives other ones.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgekit.errors import EdgekitError
from tests.fuzz.readers import READERS, SEEDS, Reader, inputs

INPUTS = dict(inputs(int(os.environ.get("EDGEKIT_FUZZ", "2000"))))
RANDOM = os.environ.get("EDGEKIT_FUZZ_SEED", "0")
SECONDS, OF_A_CHILD = 5.0, 60.0
"""Of the processor's time; and of the clock's, where a child with limits of its own is waited for."""
CLOCK = (signal.ITIMER_REAL, signal.SIGALRM)
PROCESSOR = (signal.ITIMER_PROF, signal.SIGPROF)
GROWTH = 300 << 20


@contextmanager
def bounded(seconds: float, timer: int, number: signal.Signals) -> Iterator[None]:
    """An AssertionError after so many seconds, wherever that is."""

    def stop(*_: object) -> None:
        raise AssertionError(f"takes more than {seconds:g} seconds")

    before = signal.signal(number, stop)
    signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        signal.setitimer(timer, 0)
        signal.signal(number, before)


def tried(reader: Reader, directory: Path, data: bytes) -> None:
    (directory / reader.file).write_bytes(data)
    child = "jinja" in reader.file or "tokenizer." in reader.file
    try:
        with bounded(*((OF_A_CHILD, *CLOCK) if child else (SECONDS, *PROCESSOR))):
            reader.read(directory)
    except EdgekitError as error:
        assert error.exit_code in (2, 3)


@pytest.fixture
def prepared(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    directory = tmp_path / "d"
    directory.mkdir()
    for name, content in READERS[request.getfixturevalue("name")].others().items():
        (directory / name).write_bytes(content)
    return directory


@pytest.mark.parametrize("name", READERS)
def test_the_seed_is_read(prepared: Path, name: str) -> None:
    """Mutations of what is refused at once would try nothing."""
    reader = READERS[name]
    (prepared / reader.file).write_bytes(reader.seed())
    reader.read(prepared)


@pytest.mark.parametrize("name", READERS)
def test_a_reader_ends_in_a_value_or_an_error_of_its_own(prepared: Path, name: str) -> None:
    reader, rng = READERS[name], random.Random(f"{RANDOM} {name}")
    seed = reader.seed()
    tried(reader, prepared, seed)  # what is imported once is not growth
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    for _ in range(INPUTS[name]):
        data = reader.mutate(seed, rng)
        try:
            tried(reader, prepared, data)
        except BaseException as error:
            kept = prepared.parent / f"{name} {hash(data) & 0xFFFFFF:x}"
            kept.write_bytes(data)
            raise AssertionError(f"{name}: kept as {kept}") from error
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < GROWTH
    print(f"{name}: {INPUTS[name]} in {time.monotonic() - began:.1f} s, {grown >> 20} MiB more")


@pytest.mark.parametrize("path", sorted((SEEDS / "found").iterdir()), ids=lambda path: path.name)
def test_what_was_found_stays_mended(tmp_path: Path, path: Path) -> None:
    """Inputs that once ended otherwise: READER.NUMBER."""
    reader = READERS[path.stem]
    for name, content in reader.others().items():
        (tmp_path / name).write_bytes(content)
    tried(reader, tmp_path, path.read_bytes())
