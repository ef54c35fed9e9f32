"""`edgekit package`: what it prints, and which options mean something together."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgekit import TextOptions
from edgekit.cli.package import parts_table
from edgekit.packaging.target import SizedPart
from edgekit.packaging.targets.apk.keys import DEBUG_KEYSTORE, DEBUG_PASSWORD, PASSWORD_VARIABLE, debug_key
from tests.cli.running import Cli
from tests.conftest import EXAMPLE
from tests.fixtures.bundles import Bundles

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `edgekit demo` leaves."""
    folder = tmp_path_factory.mktemp("cli") / "demo"
    text = TextOptions(answer_schema=EXAMPLE / "answer-schema.json")
    bundles.copy(folder, name="settings-navigator", text=text)
    shutil.copy(EXAMPLE / "edgekit.toml", folder)
    return folder


@pytest.fixture
def keystore(tmp_path: Path) -> Path:
    debug_key(tmp_path / "keys")
    return tmp_path / "keys" / DEBUG_KEYSTORE


def test_the_demo_becomes_the_settings_navigator(cli: Cli, demo: Path, tmp_path: Path) -> None:
    done = cli("package", demo, "--to", "assets", "-o", tmp_path / "out")
    assert (done.code, done.err) == (0, "")
    for words in (
        "settings-navigator.litertlm",
        "8 examples, 8 golden answers, 30 actions",
        "fits into the base module",
        "next:",
        f"cp -r {tmp_path / 'out'}/assets",
    ):
        assert words in done.out
    again = cli("package", demo, "--to", "assets", "-o", tmp_path / "out")
    assert again.code == 2
    assert "--force" in again.err
    assert cli("package", demo, "--to", "assets", "-o", tmp_path / "out", "--force", "--json").json["tasks"][
        0
    ]["golden"]


def test_one_base_and_its_adapters_are_told_one_by_one(
    cli: Cli, adapter_ready_bundle: Path, sentiment_adapter: Path, triage_adapter: Path, tmp_path: Path
) -> None:
    words = ("package", adapter_ready_bundle, "--adapter", sentiment_adapter, "--adapter", triage_adapter)
    done = cli(*words, "--to", "assets", "-o", tmp_path / "out")
    assert (done.code, done.err) == (0, "")
    rows = [line.split() for line in done.out.splitlines()]
    assert [row[:2] for row in rows if row and row[0] in ("sentiment", "support-triage")] == [
        ["sentiment", "sentiment.lora.tflite,"],
        ["support-triage", "support-triage.lora.tflite,"],
    ]
    assert "2 merged bundles would take 2 times the base" in done.out
    told = cli(*words, "--with-base", "--to", "assets", "-o", tmp_path / "out", "--force", "--json").json
    assert [task["id"] for task in told["tasks"]] == ["base", "sentiment", "support-triage"]
    assert told["adapter_sizes"]["merged"] == 2 * told["model"]["size"]


def test_presets_that_were_edited_survive_the_next_demo(cli: Cli, tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    assert cli("demo", "-o", demo, "--quiet").code == 0
    assert (demo / "edgekit.toml").read_text() == (EXAMPLE / "edgekit.toml").read_text()
    (demo / "edgekit.toml").write_text('label = "Mine"')
    assert cli("demo", "-o", demo, "--quiet").code == 0
    assert (demo / "edgekit.toml").read_text() == 'label = "Mine"'


def test_an_app_is_signed_with_a_keystore(cli: Cli, demo: Path, tmp_path: Path, keystore: Path) -> None:
    (tmp_path / "password").write_text(DEBUG_PASSWORD + "\n")
    words = ("--keystore", keystore, "--keystore-password-file", tmp_path / "password", "--version", "3.0+5")
    done = cli("package", demo, "-o", tmp_path / "out", *words, "--json")
    assert done.code == 0, done.err
    assert done.json["signer"]["debug_key"] is False
    assert done.json["apk"] == str(tmp_path / "out/settings-navigator-3.0.apk")
    assert (done.json["identity"]["version_code"], done.json["device"]) == (5, None)


def test_the_parts_of_an_app_are_summed_up_with_and_without_its_model() -> None:
    parts = (
        SizedPart("model", 3_000_000, 2_000_000),
        SizedPart("engine", 40_000, 10_000),
        SizedPart("code", 2_000, 9),
    )
    rows = [[cell.strip() for cell in column.cells] for column in parts_table(parts).columns]
    assert rows == [
        ["model", "engine", "code", "without the model", "together"],
        ["3 MB", "40 kB", "2 kB", "42 kB", "3 MB"],
        ["2 MB", "10 kB", "9 bytes", "10 kB", "2 MB"],
    ]


def test_without_a_password_and_without_a_terminal_it_says_how(
    cli: Cli, demo: Path, tmp_path: Path, keystore: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    done = cli("package", demo, "-o", tmp_path / "out", "--keystore", keystore)
    assert done.code == 2
    assert PASSWORD_VARIABLE in done.err
    monkeypatch.setenv(PASSWORD_VARIABLE, "wrong")
    done = cli("package", demo, "-o", tmp_path / "out", "--keystore", keystore)
    assert (done.code, "password is wrong" in done.err) == (2, True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--to", "assets", "--install"), "means nothing for --to assets"),
        (("--to", "apk", "--push"), "it is for --to gallery"),
        (("--to", "assets", "--keystore", "x.p12"), "means nothing for --to assets"),
        (("--to", "apk", "--pack-name", "x"), "it is for --to ai-pack or --to asset-pack"),
        (("--to", "gallery", "--abi", "x86_64"), "it is for --to apk or --to project"),
        (("--to", "apk", "--url", "https://example.com/x"), "it is for --to gallery"),
        (("--to", "gallery", "--no-try"), "--no-try was renamed: use --no-check"),
        (("--to", "assets", "--application-id", "a.b"), "it is for --to apk or --to project"),
        (("--to", "apk", "--device", "x"), "add --install"),
        (("--to", "apk", "--with-base"), "with its own task anyway"),
    ],
)
def test_an_option_that_would_be_ignored_is_an_error(
    cli: Cli, bundle: Path, words: tuple[str, ...], message: str
) -> None:
    done = cli("package", bundle, *words)
    assert done.code == 2
    assert message in done.err
