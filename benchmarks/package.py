"""How long a signed APK takes: edgekit's writer, and Google's apksig signing the same APK, in turns.

    python benchmarks/package.py [BUNDLE] [--runs 7] [--parts]

Each is a process of its own, from its start to its end. edgekit puts the app together, writes, hashes, signs, verifies
and syncs it to the disk; apksig has less to do: it reads the finished APK, writes it anew and signs it. Both use the
same RSA key, and the two files must be equal to the byte. BUNDLE is 280 MB of random bytes, as large as an int8 270M
bundle, unless given; of one that is given the app's parts are noted as well, with --parts nothing but these. Needs a
JDK and Maven for apksig. Written to results/package.json; exits 1 when edgekit's median is above 10 seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import filecmp
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import measure

import edgekit
from edgekit.packaging.identity import Identity
from edgekit.packaging.source import AppContents
from edgekit.packaging.targets.apk.assemble import App, write_apk
from edgekit.packaging.targets.apk.keys import DEBUG_ALIAS, DEBUG_KEYSTORE, DEBUG_PASSWORD, debug_key
from edgekit.progress import Advance
from edgekit.stats import summarize

TARGET_SECONDS = 10.0
BUNDLE_BYTES = 280_000_000
RESULT = "package.json"
REPOSITORY = Path(__file__).parents[1]
APKSIG = "com.android.tools.build:apksig:9.5.0"


def main() -> None:
    """Measure, print, and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bundle", type=Path, nargs="?")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument(
        "--parts", action="store_true", help="break the app of BUNDLE down, and leave times as they are"
    )
    parser.add_argument("--write", type=Path, help="write one app into this directory and print the phases")
    arguments = parser.parse_args()
    if arguments.write is not None:
        print(json.dumps(write_once(arguments.bundle, arguments.write)))
        return
    before = _before()
    if arguments.parts:
        before["results"]["parts"] = _parts(arguments.bundle)
        (measure.RESULTS / RESULT).write_text(json.dumps(before, indent=2) + "\n")
        return
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        bundle = arguments.bundle or _random_bundle(directory)
        debug_key(directory)
        result = _compare(bundle, directory, arguments.runs)
    result["parts"] = before["results"].get("parts") if arguments.bundle is None else _parts(arguments.bundle)
    print(measure.save("package", result))
    sys.exit(1 if result["edgekit"]["seconds"]["median"] > TARGET_SECONDS else 0)


def _before() -> dict[str, Any]:
    """The results of last time."""
    path = measure.RESULTS / RESULT
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"results": {}}


def _parts(bundle: Path) -> list[dict[str, Any]]:
    """What an app of a bundle consists of."""
    with tempfile.TemporaryDirectory() as directory:
        made = edgekit.package(bundle, "apk", directory)
    return [asdict(part) for part in made.written.parts]


def write_once(bundle: Path, directory: Path) -> dict[str, float]:
    """Write one app; gives the seconds of its phases."""
    phases = _Phases()
    key = debug_key(directory)
    contents = AppContents({"bundle.litertlm": bundle, "edgekit.json": b"{}"})
    app = App(Identity("com.example.benchmark", "Benchmark"))
    write_apk(contents, directory / "ours.apk", app=app, key=key, progress=phases)
    phases.turn_to("end")
    return phases.seconds


class _Phases:
    """Times the steps that a writer tells of, and what lies before and behind them."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._phase, self._since = "prepare", time.perf_counter()

    def turn_to(self, phase: str) -> None:
        now = time.perf_counter()
        self.seconds[self._phase] = self.seconds.get(self._phase, 0.0) + now - self._since
        self._phase, self._since = phase, now

    @contextlib.contextmanager
    def step(self, name: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:
        self.turn_to(name)
        yield lambda amount: None
        self.turn_to("sync")


def _random_bundle(directory: Path) -> Path:
    chance, path = random.Random(0), directory / "random.litertlm"
    with path.open("wb") as file:
        for _ in range(BUNDLE_BYTES // 1_000_000):
            file.write(chance.randbytes(1_000_000))
    return path


def _compare(bundle: Path, directory: Path, runs: int) -> dict[str, Any]:
    ours, theirs = directory / "ours.apk", directory / "theirs.apk"
    java = _compiled_apksig(directory)
    keystore = (str(directory / DEBUG_KEYSTORE), DEBUG_PASSWORD, DEBUG_ALIAS)
    log = directory / "log"
    mine: list[measure.Run] = []
    peers: list[measure.Run] = []
    phases: list[dict[str, float]] = []
    for number in range(runs + 1):
        run = measure.run([sys.executable, __file__, str(bundle), "--write", str(directory)], log)
        peer = measure.run([*java, "sign", str(ours), str(theirs), *keystore])
        if number:  # the first round downloads the engine and fills the page cache
            mine.append(run)
            peers.append(peer)
            phases.append(json.loads(log.read_text()))
    if not filecmp.cmp(ours, theirs, shallow=False):
        raise RuntimeError("edgekit and apksig do not write the same bytes")
    megabytes = ours.stat().st_size / 1e6
    median = {name: summarize([each[name] for each in phases]).median for name in phases[0]}
    for name, seconds in median.items():
        print(f"  {name:22} {seconds:6.2f} s   {megabytes / max(seconds, 1e-9):7.0f} MB/s")
    result: dict[str, Any] = {"apk_bytes": ours.stat().st_size, "same_bytes": True, "phases_seconds": median}
    for name, measured in (("edgekit", mine), ("apksig", peers)):
        seconds = [run.seconds for run in measured]
        result[name] = {
            "seconds": vars(summarize(seconds)),
            "runs": seconds,
            "peak_bytes": max(run.peak_bytes for run in measured),
        }
        typical = summarize(seconds).median
        print(
            f"{name:8} {typical:5.2f} s ({min(seconds):.2f} to {max(seconds):.2f}), {megabytes / typical:.0f} MB/s, "
            f"peak memory {result[name]['peak_bytes'] / 1e6:.0f} MB, {megabytes:.0f} MB app, {len(seconds)} runs"
        )
    return result


def _compiled_apksig(directory: Path) -> list[str]:
    """The command that runs the tests' apksig."""
    words = ["mvn", "-q", "-B", "dependency:get", f"-Dartifact={APKSIG}", "-Dtransitive=false"]
    subprocess.run(words, check=True)
    group, name, version = APKSIG.split(":")
    repository = Path.home() / ".m2" / "repository"
    jar = repository / group.replace(".", "/") / name / version / f"{name}-{version}.jar"
    source = REPOSITORY / "tests" / "packaging" / "targets" / "apk" / "Judge.java"
    subprocess.run(["javac", "-cp", jar, "-d", directory, source], check=True)
    return ["java", "-cp", f"{jar}:{directory}", "Judge"]


if __name__ == "__main__":
    main()
