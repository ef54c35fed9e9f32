"""The demo bundle, as the gallery target gets it."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgekit
from edgekit.bundle.manifest import open_bundle
from edgekit.packaging.contents import app_contents
from edgekit.packaging.golden import Asked
from edgekit.packaging.source import Source
from edgekit.packaging.task import Task

TASK = Task(
    "Settings navigator",
    "Finds the page of the settings that a sentence means.",
    examples=("my screen is too dark", "turn the volume up"),
)


@pytest.fixture(scope="session")
def source(demo_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Source:
    folder = tmp_path_factory.mktemp("gallery") / "navigator"
    edgekit.convert(demo_path, folder)
    opened = open_bundle(folder)
    assert opened.manifest is not None
    contents = app_contents(opened.directory, opened.manifest, TASK)
    return Source(opened.directory, opened.manifest, opened.model_path, TASK, Asked((), (), ()), contents, ())
