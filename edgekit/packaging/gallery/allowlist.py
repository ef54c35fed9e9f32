"""The Gallery's list of models: one entry for the bundle, hosted somewhere or pushed to a device.

The Gallery parses the list without checking it: a missing field is a crash, or a model that never appears. What an
entry may hold is written down in allowlist.schema.json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from edgekit.packaging.contents import PackagedBundle
from edgekit.packaging.gallery.settings import settings_of

DEVICE_DIRECTORY: Final = "/data/local/tmp"
"""Where the Gallery looks for a test list; adb may write there and every app may read."""

TEST_LIST_NAME: Final = "model_allowlist_test.json"
HOSTED_LIST_NAME: Final = "allowlist.json"
SCHEMA_PATH: Final = Path(__file__).with_name("allowlist.schema.json")

TASK_TYPES: Final = ("llm_chat", "llm_prompt_lab", "llm_agent_chat", "llm_mobile_actions", "llm_tiny_garden")
"""The Gallery's tasks for a model that reads text."""

_SWITCHES = {"llm_mobile_actions": "llmSupportMobileActions", "llm_tiny_garden": "llmSupportTinyGarden"}
_MEMORY_GB = 6
"""What the Gallery asks of a device for its own 270M models. Less is a warning there and no refusal."""


def safe_file_name(name: str) -> str:
    """Return a name that the import dialog takes as it is.

    It replaces other characters than these and then lists the file under a name that nobody gave it, and it refuses
    every name with "-web" in it, taking the file for one made for browsers.
    """
    return re.sub("-web", "_web", re.sub(r"[^A-Za-z0-9._-]", "_", name), flags=re.IGNORECASE)


def pushed_entry(bundle: PackagedBundle, name: str, task_types: tuple[str, ...]) -> dict[str, Any]:
    """Return the entry for a bundle that lies in the device's directory."""
    entry = _entry(bundle, name, task_types, model_id=name, commit=bundle.manifest.model.sha256[:40])
    return entry | {"localModelFilePathOverride": f"{DEVICE_DIRECTORY}/{entry['modelFile']}"}


def hosted_entry(
    bundle: PackagedBundle,
    name: str,
    task_types: tuple[str, ...],
    *,
    url: str | None,
    model_id: str | None,
    commit: str | None,
) -> dict[str, Any]:
    """Return the entry for a bundle that the Gallery downloads: from `url`, else from a commit of the repository.

    Without a commit the model's digest stands in: the Gallery downloads again when this value changes.
    """
    entry = _entry(
        bundle,
        name,
        task_types,
        model_id=model_id or name,
        commit=commit or bundle.manifest.model.sha256[:40],
    )
    return entry if url is None else entry | {"url": url}


def list_bytes(entry: Mapping[str, Any]) -> bytes:
    """Return a list with one entry as the file's content."""
    return f"{json.dumps({'models': [entry]}, indent=2, ensure_ascii=False)}\n".encode()


def _entry(
    bundle: PackagedBundle, name: str, task_types: tuple[str, ...], *, model_id: str, commit: str
) -> dict[str, Any]:
    return {
        "name": name,
        "modelId": model_id,
        "modelFile": safe_file_name(bundle.model.name),
        "commitHash": commit,
        "description": bundle.task.description or bundle.task.title,
        "sizeInBytes": bundle.manifest.model.size,
        "minDeviceMemoryInGb": _MEMORY_GB,
        "taskTypes": list(task_types),
        **{switch: True for task, switch in _SWITCHES.items() if task in task_types},
        "runtimeType": "litert_lm",
        "defaultConfig": settings_of(bundle.manifest).to_json(),
    }
