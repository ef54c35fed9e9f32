"""A directory as a reader of the docs would have it: a fine-tune, LoRA adapters, data, and what was made of them."""

from __future__ import annotations

import io
import shutil
from itertools import islice
from pathlib import Path

import pytest

from edgekit.cli import main
from tests.docs.pages import ROOT

EXAMPLES = ROOT / "examples"
DEMO = EXAMPLES / "settings-navigator"
GIVEN = {
    "my-fine-tune": DEMO / "checkpoint",
    "google/gemma-3-270m-it": DEMO / "checkpoint",
    "my-lora": EXAMPLES / "sentiment" / "adapter",
    "my-other-lora": EXAMPLES / "support-triage" / "adapter",
    "answer.json": DEMO / "answer-schema.json",
    "examples": EXAMPLES,
}
DATA = {"eval.jsonl": 2, "train.jsonl": 200}
MADE = {
    "my-fine-tune-int8": "convert my-fine-tune -o my-fine-tune-int8 --no-check",
    "my-fine-tune-int4": "convert my-fine-tune -o my-fine-tune-int4 --recipe int4 --no-check",
    "base": "convert google/gemma-3-270m-it --adapters 16 -o base --no-check",
    "my-lora-adapter": "adapter my-lora --base-bundle base --no-check",
    "my-other-lora-adapter": "adapter my-other-lora --base-bundle base --no-check",
}


class Workshop:
    """A reader's directory for one page, in which its commands run in order. shelf: bundles made for all pages."""

    def __init__(self, directory: Path, shelf: Path) -> None:
        self.directory, self.shelf = directory, shelf
        for name, source in GIVEN.items():
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, target) if source.is_dir() else shutil.copyfile(source, target)
        for name, rows in DATA.items():
            with (DEMO / name).open(encoding="utf-8") as data:
                (directory / name).write_text("".join(islice(data, rows)), encoding="utf-8")

    def run(self, words: tuple[str, ...]) -> int:
        """Run a command of edgekit here, as if typed, and return its exit code."""
        self.prepare(words)
        with pytest.raises(SystemExit) as left:
            main(list(words[1:]))
        return int(left.value.code or 0)

    def prepare(self, words: tuple[str, ...]) -> None:
        """Put the bundles here that the command names, unless the page made them or the command is to write them."""
        written = words[words.index("-o") + 1] if "-o" in words else ""
        for name, command in MADE.items():
            if name in words and name != written and not Path(name).exists():
                if not (self.shelf / name).exists():
                    assert self.run(("edgekit", *command.split())) == 0
                    shutil.move(name, self.shelf / name)
                shutil.copytree(self.shelf / name, name)

    def write(self, name: str, text: str) -> None:
        """Write a file that the page shows."""
        (self.directory / name).write_text(text, encoding="utf-8")


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture
def workshop(tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(shelf / "cache"))
    monkeypatch.setattr("sys.stdin", io.StringIO())  # nobody types
    return Workshop(tmp_path, shelf)
