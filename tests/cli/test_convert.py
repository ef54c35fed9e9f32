"""`edgekit convert`: what it prints, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.bundle.opening import open_bundle
from edgekit.conversion.convert import convert
from tests.cli.running import Cli, Terminal, child
from tests.conftest import EXAMPLE
from tests.fixtures.checkpoints import copy_demo_checkpoint

pytestmark = pytest.mark.slow


def test_says_what_was_written_and_what_to_type_next(cli: Cli, tmp_path: Path, demo_path: Path) -> None:
    done = cli("convert", demo_path, "-o", tmp_path / "b")
    model, checked, following = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert model.startswith(f"{tmp_path / 'b' / 'checkpoint.litertlm'}  3.")
    assert "int8, dynamic, up to 4,096 tokens" in model
    assert checked.startswith("opened by the engine")
    assert following == f"next: edgekit chat {tmp_path / 'b'}"


def test_every_option_reaches_the_bundle(cli: Cli, tmp_path: Path, demo_path: Path) -> None:
    done = cli(
        *("convert", demo_path, "--output", tmp_path / "b", "--name", "nav", "--recipe", "int4"),
        *("--form", "static", "--kv-length", 2048, "--sampler", "temperature=0.5,top_k=8,top_p=0.9"),
        *("--answer-regex", "(on|off)", "--no-check", "--quiet"),
    )
    assert done.code == 0, done.err
    manifest = open_bundle(tmp_path / "b").manifest
    assert manifest is not None
    assert manifest.model.file == "nav.litertlm"
    assert (manifest.recipe.name, manifest.graph.form, manifest.kv_length) == ("int4", "static", 2048)
    sampler = manifest.sampler
    assert (sampler.kind, sampler.temperature, sampler.top_k, sampler.top_p) == ("top_p", 0.5, 8, 0.9)
    assert manifest.answer == {"kind": "regex", "regex": "(on|off)"}


def test_the_engine_is_not_asked_when_told_so(cli: Cli, tmp_path: Path, demo_path: Path) -> None:
    done = cli("convert", demo_path, "-o", tmp_path / "b", "--no-check")
    assert "opened by the engine" not in done.out
    assert cli("convert", demo_path, "-o", tmp_path / "c", "--no-check", "--json").json["check"] is None


def test_the_command_line_and_the_api_have_the_same_defaults(
    cli: Cli, tmp_path: Path, demo_path: Path
) -> None:
    cli("convert", demo_path, "-o", tmp_path / "b", "--no-check")
    convert(demo_path, tmp_path / "a", check=False)
    for name in ("checkpoint.litertlm", "edgekit.json", "NOTICE"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_json_is_all_there_is_on_standard_output(cli: Cli, tmp_path: Path, demo_path: Path) -> None:
    done = cli("convert", demo_path, "-o", tmp_path / "b", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json["bundle"] == str(tmp_path / "b")
    assert Path(done.json["model"]).is_file()
    assert done.json["check"]["text"]
    assert done.json["manifest"]["recipe"]["name"] == "int8"
    again = cli("convert", demo_path, "-o", tmp_path / "b", "--json")
    assert (again.code, again.out) == (2, "")
    assert "--force" in again.err


def test_notes_are_told(cli: Cli, tmp_path: Path) -> None:
    checkpoint = copy_demo_checkpoint(tmp_path / "checkpoint")
    (checkpoint / "NOTICE").unlink()
    done = cli("convert", checkpoint, "-o", tmp_path / "b", "--no-check")
    assert "note: the checkpoint says nothing of its licence" in done.out


def test_names_are_printed_as_they_are_and_may_be_pasted(cli: Cli, tmp_path: Path, demo_path: Path) -> None:
    """Brackets, colons and spaces mean something to Rich, or to a shell."""
    target = tmp_path / "a [bold]b[/b] :smile:"
    done = cli("convert", demo_path, "-o", target, "--no-check")
    assert done.code == 0, done.err
    assert f"{target}/checkpoint.litertlm" in done.out
    assert f"next: edgekit chat '{target}'" in done.out
    assert str(target) in cli("convert", demo_path, "-o", target).err
    assert str(target) in cli("inspect", target).out


def test_a_bare_graph_leads_to_no_chat(cli: Cli, tmp_path: Path, demo_path: Path) -> None:
    done = cli("convert", demo_path, "-o", tmp_path / "b", "--format", "tflite")
    assert done.code == 0
    assert "next:" not in done.out


# --- on a terminal -----------------------------------------------------------------------------------------------


@pytest.fixture
def long_path(tmp_path: Path) -> Path:
    return (
        tmp_path / "a-directory-with-a-name" / ("that-does-not-fit-into-the-width-of-the-terminal" * 2) / "b"
    )


def test_progress_shows_name_bytes_and_time(long_path: Path, demo_path: Path) -> None:
    done = Terminal.start("convert", demo_path, "-o", long_path).finish()
    assert done.code == 0
    steps = [line for line in done.out.replace("\r\n", "\n").split("\n") if "0:00:" in line]
    names = [line.rpartition("\r")[2].partition("━")[0].strip() for line in steps]
    assert "quantize and write" in names
    assert "check in the engine" in names
    assert "5.6/5.6 MB 0:00:00 0:00:" in done.out
    assert f"next: edgekit chat {long_path}" in done.out  # on one line: it can be copied


@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_no_progress_when_it_is_not_wanted(tmp_path: Path, demo_path: Path, option: str) -> None:
    terminal = Terminal.start("convert", demo_path, "-o", tmp_path / "b", option)
    done = terminal.finish()
    assert done.code == 0
    assert "\x1b" not in terminal.shown
    assert "━" not in done.out


def test_no_progress_in_a_pipe(tmp_path: Path, demo_path: Path) -> None:
    done = child("convert", demo_path, "-o", tmp_path / "b")
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out


def test_a_trimmed_vocabulary_is_announced(cli: Cli, tmp_path: Path, demo_path: Path) -> None:
    corpus = tmp_path / "task.txt"
    corpus.write_text("brighter please\n", encoding="utf-8")
    done = cli(
        *("convert", demo_path, "-o", tmp_path / "b", "--no-check"),
        *("--vocab-from", corpus, "--vocab-keep", 1500, "--vocab-lang", "en,NB"),
    )
    assert done.code == 0, done.err
    assert "vocabulary: 1,500 of 2,048 pieces kept" in done.out
    manifest = open_bundle(tmp_path / "b").manifest
    assert manifest is not None and manifest.vocabulary is not None
    assert manifest.vocabulary.corpora == ("task.txt",)
    assert manifest.vocabulary.languages == ("en", "nb")


def test_columns_of_the_vocabulary_s_texts_can_be_named(cli: Cli, tmp_path: Path, demo_path: Path) -> None:
    corpus = tmp_path / "task.jsonl"
    corpus.write_text('{"q": "brighter", "a": "{}"}\n', encoding="utf-8")
    command = (
        "convert",
        demo_path,
        "-o",
        tmp_path / "b",
        "--no-check",
        "--vocab-from",
        corpus,
        "--vocab-keep",
        900,
    )
    assert cli(*command).code == 2
    done = cli(*command, "--vocab-field", "prompt=q", "--vocab-field", "expected=a")
    assert done.code == 0, done.err


def test_rows_to_calibrate_on_may_have_columns_of_other_names(
    cli: Cli, tmp_path: Path, demo_path: Path
) -> None:
    """An error names a flag that convert has."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"q": "brighter please", "a": "ok"}\n', encoding="utf-8")
    command = ("convert", demo_path, "-o", tmp_path / "b", "--no-check", "--calibrate-on", rows)
    refused = cli(*command)
    assert refused.code == 2 and "--calibrate-field prompt=" in refused.err
    done = cli(*command, "--calibrate-field", "prompt=q", "--calibrate-field", "expected=a")
    assert done.code == 0, done.err
    alone = cli("convert", demo_path, "-o", tmp_path / "c", "--calibrate-field", "prompt=q")
    assert alone.code == 2 and "add --calibrate-on" in alone.err


def test_a_vocabulary_too_small_for_the_task_exits_2(cli: Cli, tmp_path: Path, demo_path: Path) -> None:
    corpus = tmp_path / "task.txt"
    corpus.write_text("brighter please\n", encoding="utf-8")
    done = cli("convert", demo_path, "-o", tmp_path / "b", "--vocab-from", corpus, "--vocab-keep", 100)
    assert done.code == 2
    assert "would not survive" in done.err
    assert "keep at least" in done.err
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    "option", [("--vocab-keep", 1500), ("--vocab-lang", "en"), ("--vocab-field", "prompt=q")]
)
def test_how_to_trim_is_nothing_without_texts(
    cli: Cli, tmp_path: Path, demo_path: Path, option: tuple[str, object]
) -> None:
    done = cli("convert", demo_path, "-o", tmp_path / "b", *option)
    assert done.code == 2
    assert f"{option[0]}: says how to trim" in done.err
    assert not (tmp_path / "b").exists()


@pytest.mark.slow
def test_a_few_rows_of_the_train_file_are_tried_and_told(cli: Cli, demo_path: Path, tmp_path: Path) -> None:
    done = cli("convert", demo_path, "-o", f"{tmp_path}/b", "--calibrate-on", EXAMPLE / "train.jsonl")
    assert done.code == 0, done.err
    assert "tokens of train.jsonl" in done.out
    assert done.out.count("the checkpoint would say 100% of its tokens") == 3
    assert "next: edgekit chat" in done.out
