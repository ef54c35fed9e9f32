"""The demo bundle, as the gallery target gets it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edgekit.bundle.opening import open_bundle
from edgekit.packaging.offer import Offer, Task
from edgekit.packaging.presets import Presets
from edgekit.packaging.source import Source
from tests.fixtures.bundles import Bundles

TASK = Task(
    "base",
    None,
    "Settings navigator",
    "Finds the page of the settings that a sentence means.",
    examples=("my screen is too dark", "turn the volume up"),
)


@pytest.fixture(scope="session")
def source(bundles: Bundles) -> Source:
    opened = open_bundle(bundles())
    assert opened.manifest is not None
    offer = Offer(TASK.title, (TASK,))
    return Source(opened.directory, opened.manifest, opened.model_path, Presets(), offer)


def with_task(source: Source, **changes: Any) -> Source:
    """The same bundle with something else said of its task."""
    return replace(source, offer=replace(source.offer, tasks=(replace(source.task, **changes),)))
