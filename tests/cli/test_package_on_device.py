"""`edgekit package … --install`, `--push` and `--open` from the command to a device, over real adb and adbd.

Android's own programs are scripts here, in Android's words: no phone was at hand.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.packaging.targets.apk.verify import verify_apk
from tests.cli.running import Cli
from tests.device.rig import Board, Lab

pytestmark = pytest.mark.slow

SCRIPTS = {
    "cmd": 'while [ "$1" != -S ]; do shift; done; head -c "$2" > /data/received.apk; echo Success',
    "pm": "echo package:/data/app/com.google.ai.edge.gallery/base.apk",
    "am": 'echo "am $*" >> /data/called; echo Starting: Intent',
}


@pytest.fixture(scope="module")
def phone(lab: Lab) -> Board:
    return lab.board(scripts=SCRIPTS)


@pytest.fixture
def bundle(cli: Cli, tmp_path: Path, phone: Board) -> Path:
    (phone.data / "called").unlink(missing_ok=True)
    assert cli("demo", "-o", tmp_path / "demo", "--quiet").code == 0
    return tmp_path / "demo"


def test_the_app_is_installed_and_started(
    cli: Cli, bundle: Path, phone: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    out = tmp_path / "out"
    done = cli("package", bundle, "-o", out, "--application-id", "org.acme.navigator", "--install")
    assert done.code == 0, done.err
    assert f"installed and started on {phone.serial}" in done.out
    verify_apk(phone.data / "received.apk")
    (apk,) = out.glob("*.apk")
    assert (phone.data / "received.apk").read_bytes() == apk.read_bytes()
    assert "-n org.acme.navigator/dev.edgekit.sample.MainActivity" in (phone.data / "called").read_text()


def test_the_gallery_gets_the_model_and_opens_it(
    cli: Cli, bundle: Path, phone: Board, tmp_path: Path
) -> None:
    arguments = (
        "package",
        bundle,
        "--to",
        "gallery",
        "-o",
        tmp_path / "out",
        "--no-check",
        "--push",
        "--open",
    )
    done = cli(*arguments)
    assert done.code == 0, done.err
    assert f"pushed to {phone.serial}" in done.out
    assert f"the Gallery is open at the model on {phone.serial}" in done.out
    pushed = phone.data / "local" / "tmp" / "settings-navigator.litertlm"
    assert pushed.read_bytes() == (bundle / "settings-navigator.litertlm").read_bytes()
    assert "com.google.ai.edge.gallery://model/llm_chat/settings-navigator" in (
        (phone.data / "called").read_text()
    )


def test_a_device_that_is_not_there_is_found_out_before_anything_is_written(
    cli: Cli,
    bundle: Path,
    phone: Board,
    tmp_path: Path,
) -> None:
    done = cli("package", bundle, "-o", tmp_path / "out", "--install", "-s", "nobody")
    assert done.code == 3
    assert "no device has the serial nobody" in done.err
    assert not (tmp_path / "out").exists()
