"""The Gallery's list of models, as its code reads it (app 1.0.18); `allowlist.schema.json` says what it may hold.

The Gallery parses the list without any check, so that a missing key shows as a crash or an empty screen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from edgekit.errors import InputError
from edgekit.packaging.source import Source
from edgekit.packaging.targets.gallery.actions import TASK, joins
from edgekit.packaging.targets.gallery.settings import settings_of
from edgekit.quoting import json_text

APPLICATION_ID: Final = "com.google.ai.edge.gallery"
TASKS: Final = ("llm_chat", "llm_prompt_lab")
REMOTE_DIRECTORY: Final = "/data/local/tmp"
REMOTE_LIST: Final = f"{REMOTE_DIRECTORY}/model_allowlist_test.json"
"""Where the Gallery looks for a list to use instead of the one on the network."""

SCHEMA: Final = Path(__file__).with_name("allowlist.schema.json")

_UNHOSTED: Final = "local"
_MEMORY_GB: Final = 6
"""What the Gallery asks of a device for its own 270M models. Less is a warning there and no refusal."""

_MODEL_ID = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_URL = re.compile(r"https://[^\s/]+/\S+")


@dataclass(frozen=True)
class Hosting:
    """Where the model can be downloaded: from a commit of the repository `model_id` ("owner/name"), or from `url`."""

    model_id: str | None = None
    url: str | None = None
    commit: str | None = None


def check_hosting(model_id: str | None, url: str | None, commit: str | None = None) -> Hosting | None:
    """Check where the model is hosted; None when that is not said. Raises InputError for what cannot be used."""
    if model_id is not None and not _MODEL_ID.fullmatch(model_id):
        raise InputError(f"{model_id!r} is no model id", where="--model-id", remedy="as in owner/name")
    if url is not None and not _URL.fullmatch(url):
        raise InputError(
            f"{url!r} is no address of a file", where="--url", remedy="https://… of the .litertlm file itself"
        )
    if commit is not None and not _COMMIT.fullmatch(commit):
        raise InputError(
            f"{commit!r} is no full commit hash",
            where="--commit",
            remedy="the 40 hexadecimal digits of the commit that holds the bundle",
        )
    if model_id is None and url is None:
        if commit is not None:
            raise InputError(
                "it is not said of which repository", where="--commit", remedy="add --model-id or --url"
            )
        return None
    if url is None and commit is None:
        raise InputError(
            "the Gallery downloads from one commit of a repository",
            where="--model-id",
            remedy="add --commit with the hash of the commit that holds the bundle",
        )
    return Hosting(model_id, url, commit)


def safe_file_name(name: str) -> str:
    """Return a name that the import dialog takes as it is.

    It replaces other characters than these and then lists the file under a name that nobody gave it, and it refuses
    every name with "-web" in it, taking the file for one made for browsers.
    """
    return re.sub("-web", "_web", re.sub(r"[^A-Za-z0-9._-]", "_", name), flags=re.IGNORECASE)


def model_file(source: Source) -> str:
    """What the model's file is called for the Gallery."""
    return safe_file_name(source.model.name)


def model_name(source: Source) -> str:
    """What the Gallery calls the model: unique in its list, without “/”."""
    return source.name


def hosted_list(source: Source, hosting: Hosting) -> dict[str, Any]:
    """The list with an entry that the Gallery downloads.

    Without a commit the model's digest stands in: the Gallery downloads again when this value changes.
    """
    entry = _entry(source)
    if hosting.model_id is not None:
        entry["modelId"] = hosting.model_id
    if hosting.commit is not None:
        entry["commitHash"] = hosting.commit
    if hosting.url is not None:
        entry["url"] = hosting.url
    return {"models": [entry]}


def pushed_list(source: Source) -> dict[str, Any]:
    """The list with an entry whose file lies on the phone already."""
    entry = _entry(source)
    entry["localModelFilePathOverride"] = remote_model(source)
    return {"models": [entry]}


def remote_model(source: Source) -> str:
    """Where the model's file goes on the phone."""
    return f"{REMOTE_DIRECTORY}/{model_file(source)}"


def deep_link(source: Source) -> str:
    """What opens the Gallery at the model."""
    return f"{APPLICATION_ID}://model/{TASKS[0]}/{quote(model_name(source), safe='')}"


def list_text(document: dict[str, Any]) -> str:
    """A list as a file."""
    return json_text(document)


def _entry(source: Source) -> dict[str, Any]:
    model = source.manifest.model
    calls = joins(source.manifest.calling)
    return {
        "name": model_name(source),
        "modelId": f"{_UNHOSTED}/{model_name(source)}",
        "modelFile": model_file(source),
        "commitHash": model.sha256[:40],
        "description": source.task.description or source.task.title,
        "sizeInBytes": model.size,
        "minDeviceMemoryInGb": _MEMORY_GB,
        "taskTypes": [*TASKS, *([TASK] if calls else [])],
        **({"llmSupportMobileActions": True} if calls else {}),
        "runtimeType": "litert_lm",
        "defaultConfig": settings_of(source.manifest).to_json(),
    }
