"""What `make` installs: every package pinned as in constraints.txt, each of its files by SHA-256."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
LINE = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)(?: ; (?P<marker>[^\\]+))?(?: \\)?")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")


def packages(lock: Path) -> dict[str, tuple[str, int]]:
    """A file's packages: version and number of hashes."""
    found: dict[str, tuple[str, int]] = {}
    name = ""
    for line in lock.read_text(encoding="utf-8").splitlines():
        if match := LINE.fullmatch(line):
            name = canonicalize_name(match["name"])
            found[name] = match["version"], 0
        else:
            assert HASH.fullmatch(line), f"{lock.name}: {line}"
            found[name] = found[name][0], found[name][1] + 1
    return found


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_has_the_versions_of_the_constraints_and_a_hash_for_each(lock: Path) -> None:
    pins = pinned()
    for name, (version, hashes) in packages(lock).items():
        assert hashes > 0, name
        assert pins.get(name) == version, f"{name}: run make lock"


def test_every_pin_is_in_a_lock() -> None:
    assert set(pinned()) == {name for lock in LOCKS for name in packages(lock)}, "run make lock"


def test_what_the_project_asks_for_is_locked_at_a_version_that_it_takes() -> None:
    locked = {name: version for lock in LOCKS for name, (version, _) in packages(lock).items()}
    for project in ("pyproject.toml", "converters/pyproject.toml"):
        read = tomllib.loads((ROOT / project).read_text(encoding="utf-8"))
        groups = {"base": read["project"]["dependencies"], **read["project"].get("optional-dependencies", {})}
        for wanted in (
            *read["build-system"]["requires"],
            *(each for group in groups.values() for each in group),
        ):
            asked = Requirement(wanted)
            if not asked.name.startswith("edgekit"):
                assert asked.specifier.contains(locked[canonicalize_name(asked.name)]), (
                    f"{wanted}: run make lock"
                )


def test_make_installs_nothing_else() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert (
        "LOCKED := $(PIP) --require-hashes " in makefile
        and "LOCAL  := $(PIP) --no-deps --no-build-isolation " in makefile
    )
    assert re.findall(r"^\t\$\((?!LOCKED|LOCAL|BIN|PYTHON)\w+\).*", makefile, re.MULTILINE) == []


@pytest.mark.slow
def test_pip_refuses_a_file_of_another_digest(tmp_path: Path) -> None:
    """Without the network: a wheel that lies here, under a right hash and a wrong one."""
    wheel = tmp_path / "locked_thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("locked_thing.py", "")
        archive.writestr(
            "locked_thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: locked-thing\nVersion: 1.0\n"
        )
        archive.writestr(
            "locked_thing-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr("locked_thing-1.0.dist-info/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    for wanted, code in ((digest, 0), ("0" * 64, 1)):
        lock = tmp_path / "lock.txt"
        lock.write_text(f"locked-thing==1.0 \\\n    --hash=sha256:{wanted}\n")
        done = subprocess.run(
            [
                *(
                    sys.executable,
                    "-m",
                    "pip",
                    "install",
                    "--dry-run",
                    "--no-index",
                    "--find-links",
                    tmp_path,
                ),
                *("--require-hashes", "--requirement", lock),
            ],
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stderr
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stderr
