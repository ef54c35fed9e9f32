"""A checkpoint that somebody made: its links publish nothing of the user's, its special files hang nothing, its bombs
take neither the time nor the memory of the machine."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from edgekit.checkpoint.open import open_checkpoint, read_notice
from edgekit.checkpoint.safetensors import open_safetensors
from edgekit.errors import CheckpointError
from tests.fixtures.checkpoints import DEMO_CHECKPOINT


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEMO_CHECKPOINT, tmp_path / "c"))


@pytest.mark.parametrize("name", ["NOTICE", "LICENSE.txt", "README.md", "config.json", "chat_template.jinja"])
def test_what_a_link_leads_to_is_not_published(tmp_path: Path, checkpoint: Path, name: str) -> None:
    (tmp_path / "id_rsa").write_text("secret")
    (checkpoint / name).unlink(missing_ok=True)
    (checkpoint / name).symlink_to(tmp_path / "id_rsa")
    with pytest.raises(CheckpointError, match="a link out of its directory") as error:
        open_checkpoint(checkpoint)
    assert error.value.where == str(checkpoint / name)


def test_links_of_other_files_do_not_matter(tmp_path: Path, checkpoint: Path) -> None:
    (checkpoint / "runs").symlink_to(tmp_path)
    os.mkfifo(checkpoint / "log")
    open_checkpoint(checkpoint)


def test_a_link_to_a_file_of_the_checkpoint_is_followed(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").rename(checkpoint / "weights")
    (checkpoint / "model.safetensors").symlink_to("weights")
    open_checkpoint(checkpoint)


def test_links_into_the_hubs_cache_are_followed(
    tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    blobs = tmp_path / "hub" / "models--a--b" / "blobs"
    blobs.mkdir(parents=True)
    (checkpoint / "model.safetensors").rename(blobs / "1234")
    (checkpoint / "model.safetensors").symlink_to(blobs / "1234")
    open_checkpoint(checkpoint)
    (tmp_path / "hub" / "token").write_text("secret")
    (checkpoint / "NOTICE").unlink()
    (checkpoint / "NOTICE").symlink_to(tmp_path / "hub" / "token")
    with pytest.raises(CheckpointError, match="a link out of its directory"):
        open_checkpoint(checkpoint)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "NOTICE"])
def test_pipes_are_refused_without_waiting(checkpoint: Path, name: str) -> None:
    (checkpoint / name).unlink()
    os.mkfifo(checkpoint / name)
    with pytest.raises(CheckpointError, match="no file but a pipe"):
        open_checkpoint(checkpoint)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "tokenizer.model", "config.json"])
def test_pointers_of_git_lfs_are_told_as_such(checkpoint: Path, name: str) -> None:
    (checkpoint / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n")
    with pytest.raises(CheckpointError, match="git-lfs pointer") as error:
        open_checkpoint(checkpoint)
    assert "git lfs pull" in (error.value.remedy or "")


@pytest.mark.parametrize(
    "card",
    [
        "---\nlicense: a" + " " * 900_000 + "b\n---\n",
        "---\n" + "\n" * 900_000,
        "---" + " " * 900_000,
        "---\n" + "license:\n" * 90_000,
    ],
    ids=["blanks", "lines", "open", "keys"],
)
def test_a_model_card_is_read_in_linear_time(tmp_path: Path, card: str) -> None:
    """Patterns took hours for these."""
    (tmp_path / "README.md").write_text(card)
    read_notice(tmp_path)


def test_the_licence_of_a_model_card(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(
        "---\nlicense: other \nlicense_link: LICENSE\n  license_name: no\n---\n"
    )
    assert read_notice(tmp_path) == "Licence of the model: other (LICENSE)"


def test_a_tensor_of_very_many_dimensions_is_refused(tmp_path: Path) -> None:
    """The product of 200,000 numbers takes minutes."""
    header = json.dumps(
        {"x": {"dtype": "F32", "shape": [1 << 47] * 200_000, "data_offsets": [0, 0]}}
    ).encode()
    (tmp_path / "x").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(CheckpointError, match="not a list of up to 8 sizes") as error:
        open_safetensors(tmp_path / "x")
    assert len(str(error.value)) < 500
