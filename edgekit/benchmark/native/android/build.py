"""Build the dex that starts the runner on Android: `python -m edgekit.benchmark.native.android.build`.

Needs a JDK and Maven, which brings R8 from Maven Central; no Android SDK. The same JDK and R8 give the same bytes.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from edgekit.errors import EdgekitError, MissingToolError

SOURCE: Final = Path(__file__).with_name("Main.java")
JAR: Final = Path(__file__).parents[1] / "prebuilt" / "runner.jar"
JDK: Final = 17
"""Major version of the JDK that made JAR."""

R8: Final = "9.5.28"
MINIMUM_SDK: Final = 24


def build(output: Path) -> None:
    """Compile Main.java to a dex, and pack it as app_process takes it. Raises MissingToolError without the tools."""
    java = _tool("java")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        _run(
            *(java, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", str(_r8())),
            *("com.android.tools.r8.D8", "--release", "--min-api", str(MINIMUM_SDK), "--output", str(work)),
            str(compile_main(work)),
        )
        entry = zipfile.ZipInfo("classes.dex", date_time=(1980, 1, 1, 0, 0, 0))  # no clock in the bytes
        entry.external_attr = 0o644 << 16
        with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as jar:
            jar.writestr(entry, (work / "classes.dex").read_bytes())


def compile_main(directory: Path) -> Path:
    """Compile Main.java to Java 8 byte code; returns the class file."""
    options = ("--release", "8", "-Xlint:all,-options", "-Werror", "-g:none", "-encoding", "UTF-8")
    _run(_tool("javac"), *options, "-d", str(directory), str(SOURCE))
    return directory / "Main.class"


def jdk_major() -> int | None:
    """Return the major version of the JDK on PATH, None when there is none."""
    if shutil.which("javac") is None:
        return None
    found = re.search(r"javac (\d+)", _run("javac", "-version"))
    return int(found[1]) if found else None


def _r8() -> Path:
    """R8's jar, kept after Maven has fetched it once."""
    from platformdirs import user_cache_path

    folder = user_cache_path("edgekit") / "build-tools"
    jar = folder / f"r8-{R8}.jar"
    if not jar.is_file():
        artifact = f"-Dartifact=com.android.tools:r8:{R8}"
        _run(_tool("mvn"), "-q", "dependency:copy", artifact, f"-DoutputDirectory={folder}")
    return jar


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise MissingToolError(f"{name} is not on PATH", remedy=f"install a JDK {JDK} and Maven")
    return path


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise EdgekitError(f"{Path(command[0]).name} failed: {said}", where=SOURCE.name)
    return done.stdout + done.stderr


if __name__ == "__main__":
    build(JAR)
    print(f"{JAR.name}  {JAR.stat().st_size:,} bytes")
