"""The directory that the gallery target writes."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import edgekit
from edgekit.packaging.play import PlaySize
from edgekit.packaging.source import Job, Source
from edgekit.packaging.target import Written
from edgekit.packaging.targets.gallery.allowlist import SCHEMA
from edgekit.packaging.targets.gallery.target import GALLERY, GalleryOptions

pytestmark = pytest.mark.slow

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def write(source: Source, directory: Path, **where: Any) -> Written:
    options = GalleryOptions(check=False, **where)
    return GALLERY.write(Job(source, PlaySize(0, 0, False, "base")), directory, options)


def read(path: Path) -> Any:
    models = json.loads(path.read_text())
    jsonschema.validate(models, json.loads(SCHEMA.read_text()))
    return models["models"][0]


def test_everything_that_the_gallery_needs_is_there(source: Source, tmp_path: Path) -> None:
    written = write(source, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        source.model.name,
        "model_allowlist_test.json",
        "import-card.html",
        "import-card.md",
        "NOTICE",
    }
    assert (tmp_path / "NOTICE").read_bytes() == (source.directory / "NOTICE").read_bytes()
    assert read(tmp_path / "model_allowlist_test.json")["name"] == source.model.stem
    assert "--push --open" in written.next_steps[0]


def test_the_model_takes_no_second_place_on_the_disk(source: Source, tmp_path: Path) -> None:
    write(source, tmp_path)
    assert (tmp_path / source.model.name).samefile(source.model)


def test_the_model_is_copied_where_it_cannot_be_linked(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*paths: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    write(source, tmp_path)
    copy = tmp_path / source.model.name
    assert copy.read_bytes() == source.model.read_bytes()
    assert not copy.samefile(source.model)


def test_a_model_with_a_name_that_the_gallery_refuses_gets_another(source: Source, tmp_path: Path) -> None:
    model = tmp_path / "navigator-web (1).litertlm"
    model.symlink_to(source.model)
    directory = tmp_path / "out"
    directory.mkdir()
    write(replace(source, model=model), directory)
    placed = directory / "navigator_web__1_.litertlm"
    assert placed.samefile(source.model)
    assert not placed.is_symlink()
    entry = read(directory / "model_allowlist_test.json")
    assert entry["localModelFilePathOverride"] == "/data/local/tmp/navigator_web__1_.litertlm"


def test_a_hosted_model_gets_an_entry_for_the_gallerys_list(source: Source, tmp_path: Path) -> None:
    write(source, tmp_path, model_id="me/navigator", commit=COMMIT)
    entry = read(tmp_path / "allowlist.json")
    assert (entry["modelId"], entry["commitHash"]) == ("me/navigator", COMMIT)
    assert "localModelFilePathOverride" not in entry


def test_packaging_says_what_came_of_the_gallerys_runtime(source: Source, tmp_path: Path) -> None:
    result = edgekit.package(source.directory, "gallery", tmp_path / "out")
    trial = result.to_json()["gallery_runtime"]
    if trial["outcome"] == "skipped":
        pytest.skip(trial["sentence"])
    assert trial["outcome"] == "passed" and result.passed
    assert "answers a prompt as 0.18.1 does" in (tmp_path / "out" / "import-card.md").read_text()
    assert any("--url" in note and "--model-id" in note for note in result.notes)
