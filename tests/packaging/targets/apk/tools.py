"""Google's own tools as judges, through Maven: apksig, and aapt2 as apktool carries it; skipped where they are not."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest
from filelock import FileLock
from platformdirs import user_cache_path

from edgekit.packaging.targets.apk.archive import read_members, read_packed, unpack
from edgekit.packaging.targets.apk.assemble import ASSETS

APKSIG = "com.android.tools.build:apksig:9.5.0"
APKTOOL = "org.apktool:apktool-lib:3.0.3"
JUDGE = Path(__file__).with_name("Judge.java")
QUICK_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


@cache
def maven_jar(artifact: str) -> Path | None:
    """A jar from Maven's local repository, fetched when it is not there yet; None when it cannot be had."""
    group, name, version = artifact.split(":")
    repository = Path.home() / ".m2" / "repository"
    jar = repository / group.replace(".", "/") / name / version / f"{name}-{version}.jar"
    with _alone("maven"):
        if not jar.is_file() and shutil.which("mvn"):
            words = ["mvn", "-q", "-B", "dependency:get", f"-Dartifact={artifact}", "-Dtransitive=false"]
            subprocess.run(words, capture_output=True, check=False)
    return jar if jar.is_file() else None


def _alone(what: str) -> FileLock:
    """While one worker fetches or makes something, the others wait."""
    kept = user_cache_path("edgekit-tests")
    kept.mkdir(parents=True, exist_ok=True)
    return FileLock(kept / f"{what}.lock")


def apksig(*words: str | Path) -> list[str]:
    """What apksig says, one line for each APK that it verified."""
    jar = maven_jar(APKSIG)
    if shutil.which("javac") is None or jar is None:
        pytest.skip("a JDK or Maven's apksig is not there")
    command = ["java", *QUICK_START, "-cp", f"{jar}:{_judge(jar)}", JUDGE.stem, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@cache
def _judge(jar: Path) -> Path:
    """The directory of our judge's class, compiled once: to compile it anew takes longer than to judge."""
    directory = user_cache_path("edgekit-tests") / f"judge-{sha256(JUDGE.read_bytes()).hexdigest()[:12]}"
    with _alone(directory.name):
        if not directory.is_dir():
            subprocess.run(["javac", "-cp", jar, "-d", directory, JUDGE], capture_output=True, check=True)
    return directory


def aapt2(*words: str | Path) -> str:
    """The output of aapt2."""
    jar = maven_jar(APKTOOL)
    if jar is None:
        pytest.skip("aapt2 cannot be had: Maven's apktool-lib is not there")
    tool = user_cache_path("edgekit-tests") / "aapt2-apktool-3.0.3"
    with _alone(tool.name):
        if not tool.is_file():
            with zipfile.ZipFile(jar) as archive:
                tool.write_bytes(archive.read("prebuilt/linux/aapt2"))
            tool.chmod(0o755)
    done = subprocess.run([tool, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def keytool(*words: str | Path) -> None:
    """Run the JDK's keytool."""
    if shutil.which("keytool") is None:
        pytest.skip("keytool is not there")
    subprocess.run(["keytool", *map(str, words)], capture_output=True, text=True, check=True)


def assets_of(apk: Path) -> dict[str, bytes]:
    """What lies in an app's assets/edgekit."""
    with apk.open("rb") as file:
        return {
            member.name.removeprefix(ASSETS): unpack(read_packed(file, member), member, apk)
            for member in read_members(file, apk)
            if member.name.startswith(ASSETS)
        }
