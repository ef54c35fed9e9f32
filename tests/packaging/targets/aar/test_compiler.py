"""Where a Kotlin compiler is found on a machine of somebody who makes Android apps."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.errors import InputError, MissingToolError
from edgekit.packaging.targets.aar import compiler
from edgekit.packaging.targets.aar.compiler import Compiler, compile_classes, compiler_version, find_compiler


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a Java, and nothing else."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    for name in ("KOTLIN_HOME", "GRADLE_USER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(compiler, "_STUDIOS", ("~/android-studio",))
    touch(tmp_path / "jdk/bin/java")
    return tmp_path


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o755)
    return path


def script(path: Path, text: str) -> Path:
    touch(path).write_text(f"#!/bin/sh\n{text}\n")
    return path


def downloads(gradle: Path, version: str, *, lacking: str = "") -> None:
    """What Gradle keeps of a compiler."""
    for group, name, fixed in (
        ("org.jetbrains.kotlin", "kotlin-compiler-embeddable", None),
        *compiler._BESIDE,
    ):
        if name != lacking:
            at = fixed or version
            touch(gradle / f"caches/modules-2/files-2.1/{group}/{name}/{at}/0a1b/{name}-{at}.jar")


def test_one_that_is_named_wins(bare: Path) -> None:
    touch(bare / "home/lib/kotlin-compiler.jar")
    java = str(bare / "jdk/bin/java")
    for named in (bare / "home", bare / "home/lib/kotlin-compiler.jar"):
        assert find_compiler(named).command[:3] == (java, "-cp", str(bare / "home/lib/kotlin-compiler.jar"))
    program = script(bare / "bin/kotlinc", "exit")
    assert find_compiler(program) == Compiler((str(program),))
    with pytest.raises(InputError, match="no Kotlin compiler") as refusal:
        find_compiler(bare / "jdk")
    assert refusal.value.where == str(bare / "jdk")


def test_the_environment_comes_before_what_is_installed(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    downloads(bare / ".gradle", "2.3.0")
    assert "kotlin-compiler-embeddable-2.3.0.jar" in find_compiler().command[2]
    studio = touch(bare / "android-studio/plugins/Kotlin/kotlinc/lib/kotlin-compiler.jar")
    assert find_compiler().command[2] == str(studio)
    monkeypatch.setenv("PATH", str(script(bare / "bin/kotlinc", "exit").parent))
    assert find_compiler() == Compiler((str(bare / "bin/kotlinc"),))
    home = touch(bare / "kotlin/lib/kotlin-compiler.jar")
    monkeypatch.setenv("KOTLIN_HOME", str(bare / "kotlin"))
    assert find_compiler().command[2] == str(home)


def test_android_studio_brings_its_own_java(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME")
    touch(bare / "android-studio/plugins/Kotlin/kotlinc/lib/kotlin-compiler.jar")
    java = touch(bare / "android-studio/jbr/bin/java")
    assert find_compiler().command[0] == str(java)


def test_gradles_newest_whole_one_is_taken(bare: Path) -> None:
    for version, lacking in (("1.9.24", ""), ("2.2.10", ""), ("2.4.0", "kotlin-stdlib"), ("2.3.0-RC", "")):
        downloads(bare / ".gradle", version, lacking=lacking)
    found = find_compiler()
    assert "kotlin-compiler-embeddable-2.2.10.jar" in found.command[2]
    assert found.library is not None and found.library.name == "kotlin-stdlib-2.2.10.jar"


@pytest.mark.slow
def test_at_last_maven_brings_one(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: bare / "cache")
    maven = script(
        bare / "bin/mvn",
        'while [ "$1" != -f ]; do shift; done\n'
        'out=$(/bin/sed -n "s/.*<outputDirectory>\\(.*\\)<.outputDirectory>.*/\\1/p" "$2")\n'
        '/bin/mkdir -p "$out" && echo "$2" > "$out/asked"',
    )
    monkeypatch.setenv("PATH", str(maven.parent))
    found = find_compiler()
    assert found.library is not None and (found.library.parent / "asked").is_file()
    maven.unlink()
    with pytest.raises(MissingToolError, match="no Maven to download one"):
        find_compiler()


@pytest.mark.slow
def test_maven_that_cannot_says_why(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: bare / "cache")
    monkeypatch.setenv("PATH", str(script(bare / "bin/mvn", "echo offline; exit 1").parent))
    with pytest.raises(MissingToolError, match="offline") as refusal:
        find_compiler()
    assert "--kotlinc" in str(refusal.value.remedy)
    assert not [path for path in (bare / "cache/kotlin").iterdir() if path.is_dir()]


@pytest.mark.slow
def test_one_that_is_too_old_or_does_not_start_is_refused(bare: Path, tmp_path: Path) -> None:
    old = Compiler((str(script(bare / "old", 'echo "info: kotlinc-jvm 1.9.24 (JRE 17)" >&2')),))
    assert compiler_version(old) == (1, 9, 24)
    with pytest.raises(MissingToolError, match=r"Kotlin 1\.9\.24 is older than 2\.1"):
        compile_classes(old, tmp_path / "A.kt", "a", tmp_path / "classes")
    for text in ("exit 1", 'echo "no such thing"'):
        with pytest.raises(MissingToolError, match="does not start"):
            compiler_version(Compiler((str(script(bare / "broken", text)),)))
    with pytest.raises(MissingToolError, match="cannot be started"):
        compiler_version(Compiler((str(bare / "nothing"),)))


@pytest.mark.slow
def test_what_it_refuses_is_shown(bare: Path, tmp_path: Path) -> None:
    text = 'echo "info: kotlinc-jvm 2.3.0 (JRE 17)"\n[ "$1" = -version ] || { echo "A.kt:1: error: no"; exit 1; }'
    broken = Compiler((str(script(bare / "kotlinc", text)),))
    with pytest.raises(InputError, match="error: no") as refusal:
        compile_classes(broken, tmp_path / "A.kt", "a", tmp_path / "classes")
    assert refusal.value.where == "A.kt"
