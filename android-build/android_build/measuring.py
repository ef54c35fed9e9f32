"""Measures the app on the JVM: its start, and the main thread's time while an answer streams, now and before.

On the JVM a time says nothing of a phone; how the times of two revisions compare may.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from android_build.kotlin import compile_kotlin
from android_build.layout import BUILD, ROOT, TOOLS
from android_build.outputs import made
from android_build.process import BuildError, java_command, run
from android_build.tests import Tests, tests_for

BEFORE: Final = "095109b"
"""The app before it was one on libraries, and read its answers off the main thread."""

_SOURCE: Final = TOOLS / "measure" / "Measuring.kt"
_CLASS: Final = "dev.edgekit.sample.screens.Measuring"
_PLACES_BEFORE: Final = {
    "dev.edgekit.core.AnswerFormat": "dev.edgekit.sample.engine.AnswerFormat",
    "dev.edgekit.testing.": "dev.edgekit.sample.tasks.",
}
"""Where what the measuring names was then."""

_TESTS_BEFORE: Final = """
import json, sys
sys.path[:0] = ["android-build", "."]
from android_build import kotlin, layout, libraries, resources, tests, toolchain
found = resources.resources_for_tests()
places = [tests._robolectric_settings(), kotlin.classes_for_tests(()), kotlin.app_classes(()), found.r_classes]
places += [layout.TEST_RESOURCES, *libraries.app_libraries().classpath, *libraries.libraries_for_tests().classpath]
properties = {"robolectric.offline": "true", "robolectric.dependency.dir": tests._robolectric_platforms()}
properties |= tests.properties_of_tests()
options = [*tests._JVM, *(f"-D{name}={value}" for name, value in properties.items())]
print(json.dumps([[str(place) for place in [*places, toolchain.platform()]], options]))
"""
"""Prints class path and options of the tests, as that revision's own build has them."""


@dataclass(frozen=True)
class Measured:
    """Times in milliseconds of one process; of the main thread ("main") they are processor time.

    start_ms: from the application's onCreate to the task's screen, which is the first frame here. slow_frames: those
    that took longer than a frame lasts.
    """

    start_ms: float
    start_main_ms: float
    tokens: int
    main_ms_per_token: float
    frames: int
    slow_frames: int
    longest_ms: float


def measure(runs: int, before: str = BEFORE) -> dict[str, list[Measured]]:
    """Measure this tree and a revision before it, in turns, each run a process of its own.

    Raises BuildError when one cannot be built, or fails.
    """
    subjects = {"before": _before(before), "after": tests_for(["screens.LaunchTest"])}
    places = {name: _compiled(name, tests) for name, tests in subjects.items()}
    found: dict[str, list[Measured]] = {name: [] for name in subjects}
    for number in range(1, runs + 1):
        for name, tests in subjects.items():
            one = _run(tests, places[name])
            print(f"  {number} {name:8}" + _told(one), flush=True)
            found[name].append(one)
    return found


def _told(one: Measured) -> str:
    return (
        f"{one.start_ms:8.0f} {one.start_main_ms:8.0f} ms {one.main_ms_per_token:8.2f} ms {one.slow_frames:4}"
    )


def _before(revision: str) -> Tests:
    """How the tests of another revision are run, built by its own build."""

    def unpack(directory: Path) -> None:
        archive = directory / "tree.tar"
        run("git", "archive", "--output", archive, revision, directory=ROOT)
        run("tar", "-xf", archive, "-C", directory)
        archive.unlink()

    tree = made("before", [revision], unpack)
    words = [sys.executable, "-c", _TESTS_BEFORE]
    environment = {**os.environ, "PYTHONPATH": "."}
    done = subprocess.run(words, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{revision} cannot be built\n{done.stdout}{done.stderr}")
    classpath, options = json.loads(done.stdout.splitlines()[-1])
    return Tests([Path(place) for place in classpath], options)


def _compiled(name: str, tests: Tests) -> Path:
    text = _SOURCE.read_text(encoding="utf-8")
    if name == "before":
        for now, then in _PLACES_BEFORE.items():
            text = text.replace(f"import {now}", f"import {then}")
        text = "\n".join(line for line in text.splitlines() if "InternalEdgekitApi" not in line)

    def compile_it(directory: Path) -> None:
        source = directory / _SOURCE.name
        source.write_text(text, encoding="utf-8")
        compile_kotlin([source], directory, tests.classpath)

    return made("measuring", [text, *map(str, tests.classpath)], compile_it)


def _run(tests: Tests, classes: Path) -> Measured:
    written = BUILD / "measured.json"
    written.unlink(missing_ok=True)
    options = [*tests.options, f"-Dedgekit.measured={written}"]
    run(*java_command([classes, *tests.classpath], "org.junit.runner.JUnitCore", _CLASS, options=options))
    return Measured(**json.loads(written.read_text(encoding="utf-8")))


def as_json(found: dict[str, list[Measured]]) -> dict[str, Any]:
    """Return what was measured, run by run."""
    return {name: [vars(one) for one in runs] for name, runs in found.items()}
