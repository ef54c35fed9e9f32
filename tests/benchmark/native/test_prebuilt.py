"""The runners that ship: rebuilt to the same bytes, linked against the official engine, run on a JVM."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.benchmark.native import build
from edgekit.benchmark.native.android import build as android
from edgekit.benchmark.plan import RunnerTask
from edgekit.benchmark.runners.adb import programs, runner_command, subject_files
from edgekit.bundle.identity import BundleIdentity
from edgekit.bundle.subject import Subject
from edgekit.device.adb import quote
from edgekit.device.facts import DIRECTORY
from edgekit.device.info import DeviceInfo
from edgekit.device.remote import guarded
from edgekit.errors import EdgekitError, MissingToolError
from edgekit.runtime.library import engine_library

pytestmark = pytest.mark.slow

BUNDLE = BundleIdentity("demo", "demo.litertlm", 11, "ab" * 32)
PHONE = DeviceInfo("android", "8A2X0P", abi="arm64-v8a")

NEVER_ON_ANDROID = {"mallopt"}  # behind #if in the source
ALWAYS_IN_ANDROID = {"alarm", "dprintf", "pipe"}
"""What the engine happens not to call; in Android's libc since API level 21."""

needs_clang = pytest.mark.skipif(build.compiler_major() is None, reason="clang and lld are not installed")
needs_jdk = pytest.mark.skipif(android.jdk_major() is None, reason="no JDK is installed")


def test_the_runners_are_small() -> None:
    assert sum(path.stat().st_size for path in build.PREBUILT.iterdir()) <= 200_000


@pytest.mark.skipif(
    build.compiler_major() != build.COMPILER, reason=f"clang and lld {build.COMPILER} are not installed"
)
@pytest.mark.parametrize("name", build.TARGETS)
def test_building_a_runner_anew_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    target = build.TARGETS[name]
    build.build(target, tmp_path / target.file)
    assert (tmp_path / target.file).read_bytes() == (build.PREBUILT / target.file).read_bytes()


@pytest.mark.skipif(android.jdk_major() != android.JDK, reason=f"no JDK {android.JDK} is installed")
def test_building_the_dex_anew_gives_the_same_bytes(tmp_path: Path) -> None:
    try:
        android.build(tmp_path / "runner.jar")
    except EdgekitError as error:
        pytest.skip(f"R8 cannot be had: {error.message[:200]}")
    assert (tmp_path / "runner.jar").read_bytes() == android.JAR.read_bytes()


@needs_clang
@pytest.mark.parametrize(
    ("target", "kind", "abi"),
    [
        (build.TARGETS["linux-x86_64"], "linux", "x86_64"),
        (build.TARGETS["android-arm64-v8a"], "android", "arm64-v8a"),
        (build.TARGETS["android-x86_64"], "android", "x86_64"),
    ],
)
def test_a_runner_links_against_the_official_engine(
    target: build.Target, kind: str, abi: str, tmp_path: Path
) -> None:
    """With --no-undefined: a function that the engine does not have is a link error."""
    engine = official_engine(kind, abi)
    build.build(target, tmp_path / target.file, engine=engine)
    assert (tmp_path / target.file).stat().st_size > 1000


@needs_clang
def test_a_function_that_the_engine_lacks_does_not_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "runner.c"
    text = build.SOURCE.read_text().replace("litert_lm_engine_create(", "litert_lm_engine_invent(")
    source.write_text(text)
    monkeypatch.setattr(build, "SOURCE", source)
    target = build.TARGETS["android-arm64-v8a"]
    with pytest.raises(EdgekitError, match="litert_lm_engine_invent"):
        build.build(target, tmp_path / "x.so", engine=official_engine("android", "arm64-v8a"))


@pytest.mark.parametrize("abi", ["arm64-v8a", "x86_64"])
def test_the_official_engine_shows_that_android_has_what_the_runner_calls(abi: str) -> None:
    """No Android libc is at hand; but what the engine takes from it under Android is there."""
    if shutil.which("nm") is None:
        pytest.skip("nm is not installed")
    listed = subprocess.run(
        ["nm", "-D", "--undefined-only", official_engine("android", abi)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    taken = {line.split()[-1].split("@")[0] for line in listed.splitlines()}
    called = set(build.external_functions(build.SOURCE.read_text()))
    missing = {name for name in called if not name.startswith("litert_lm_")} - taken
    assert missing - NEVER_ON_ANDROID <= ALWAYS_IN_ANDROID


def test_the_dex_holds_the_main_class() -> None:
    with zipfile.ZipFile(android.JAR) as jar:
        assert jar.namelist() == ["classes.dex"]
        dex = jar.read("classes.dex")
    assert dex[:4] == b"dex\n"
    for name in (b"LMain;", b"main", b"run", b"load"):
        assert name in dex


@needs_clang
@needs_jdk
def test_the_main_class_measures_on_a_jvm(demo_bundle: Path, tmp_path: Path) -> None:
    """The phone's library, compiled for this machine, over this machine's engine."""
    engine = tmp_path / "liblitert-lm.so"  # beside the runner, as on a phone
    engine.symlink_to(official_engine("linux", "x86_64"))
    target = replace(build.TARGETS["linux-x86_64"], loader=None, file="librunner.so")
    library = tmp_path / target.file
    build.build(target, library, defines=("__ANDROID__",), engine=engine)
    android.compile_main(tmp_path)
    task = RunnerTask(str(demo_bundle), prefill=16, decode=4, runs=2, check_prompt="my screen is too dark")
    words = ["java", "-cp", str(tmp_path), "Main", str(engine), str(library)]
    done = subprocess.run([*words, task.to_json()], capture_output=True, text=True, timeout=300, check=False)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert [event["event"] for event in events] == ["start", "init", "run", "run", "check", "done"]

    missing = replace(task, model=str(tmp_path / "none.litertlm"))
    done = subprocess.run(
        [*words, missing.to_json()], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 1
    assert '"stage":"init"' in done.stdout
    done = subprocess.run([*words[:-1], "/nowhere.so", "{}"], capture_output=True, text=True, check=False)
    assert done.returncode == 72
    assert "/nowhere.so" in done.stderr


def test_the_arm64_executable_starts_under_emulation(tmp_path: Path) -> None:
    """As far as emulation goes: the engine's look at the processor crashes there, so no model can be opened."""
    system = Path("/usr/aarch64-linux-gnu")
    if shutil.which("qemu-aarch64") is None or not (system / "lib" / "libc.so.6").exists():
        pytest.skip("qemu-user or the arm64 libc (libc6-arm64-cross) is not installed")
    engine = official_engine("linux", "arm64-v8a")
    words = ["qemu-aarch64", "-L", system, "-E", f"LD_LIBRARY_PATH={engine.parent}"]
    words.append(build.PREBUILT / "runner-linux-arm64-v8a")
    broken = tmp_path / "broken.litertlm"
    broken.write_bytes(bytes(100))
    task = RunnerTask(str(broken)).to_json()
    done = subprocess.run([*words, task], capture_output=True, text=True, timeout=300, check=False)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [event.get("stage", event["event"]) for event in events] == ["start", "init"]
    assert "INVALID_ARGUMENT" in events[1]["message"]


def test_sidecars_lie_beside_the_model_each_under_its_digest(tmp_path: Path) -> None:
    paths = [tmp_path / "a.lora.tflite", tmp_path / "b.lora.tflite"]
    for path in paths:
        path.write_text(path.name)
    subject = Subject(BUNDLE, Path("demo.litertlm"), paths[0], (("b", paths[1]),))
    files, reads = subject_files(subject)
    folder = f"{DIRECTORY}/models/abababababababab"
    names = [f"{folder}/{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}.lora.tflite" for path in paths]
    assert [file.remote for file in files[-2:]] == names
    assert (reads.sidecar, *reads.others) == tuple(names)


def test_the_command_line_of_a_phone() -> None:
    """Never run on a phone from here: this is what would run."""
    files, reads = subject_files(Subject(BUNDLE, Path("demo.litertlm")))
    task = RunnerTask(reads.model, prefill=256, decode=256, runs=5, cpus="4,5")
    assert [file.remote for file in (*programs(PHONE, Path("liblitert-lm.so")), *files)] == [
        f"{DIRECTORY}/liblitert-lm.so",
        f"{DIRECTORY}/librunner-android-arm64-v8a.so",
        f"{DIRECTORY}/runner.jar",
        f"{DIRECTORY}/models/abababababababab/demo.litertlm",
    ]
    command = runner_command(PHONE, task)
    assert command == (
        "CLASSPATH=/data/local/tmp/edgekit/runner.jar LD_LIBRARY_PATH=/data/local/tmp/edgekit "
        "app_process / Main /data/local/tmp/edgekit/liblitert-lm.so "
        f"/data/local/tmp/edgekit/librunner-android-arm64-v8a.so {quote(task.to_json())}"
    )
    assert guarded(command).splitlines()[2] == f"{command} </dev/null 3<&- &"


def official_engine(kind: str, abi: str) -> Path:
    try:
        return engine_library(kind, abi)
    except MissingToolError as error:
        pytest.skip(f"the official engine for {kind} {abi} cannot be had: {error.message}")
