"""Runs the tools; what they print appears only when they fail, or when it is what was asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path


class BuildError(Exception):
    """A step failed; the message is for the person who started it."""


def run(*command: str | Path, directory: Path | None = None) -> str:
    """Run a command and return what it printed. Raises BuildError with its output when it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise BuildError(f"{Path(words[0]).name} ended with {done.returncode}\n{done.stdout.strip()}")
    return done.stdout


def show(*command: str | Path) -> int:
    """Run a command with its output on the terminal; returns its exit status."""
    return subprocess.run([str(word) for word in command], check=False).returncode


def java(classpath: Iterable[Path], main: str, *arguments: str | Path, options: Sequence[str] = ()) -> str:
    """Run a Java program's class."""
    return run(*java_command(classpath, main, *arguments, options=options))


def java_command(
    classpath: Iterable[Path], main: str, *arguments: str | Path, options: Sequence[str] = ()
) -> list[str | Path]:
    """Return the command line that runs a Java program's class."""
    return [java_home() / "bin" / "java", *options, "-cp", joined(classpath), main, *arguments]


def joined(paths: Iterable[Path]) -> str:
    """Return paths as one argument, as a class path is written."""
    return os.pathsep.join(str(path) for path in paths)


def tool(name: str) -> str:
    """Return the path of a program. Raises BuildError when there is none."""
    path = shutil.which(name)
    if path is None:
        raise BuildError(
            f"{name} is not on PATH: install it (needed are a JDK 17, Maven, clang, lld and gcc)"
        )
    return path


@cache
def java_home() -> Path:
    """Return the directory of the JDK whose javac is on PATH, or that JAVA_HOME names."""
    named = os.environ.get("JAVA_HOME")
    return Path(named) if named else Path(tool("javac")).resolve().parents[1]
