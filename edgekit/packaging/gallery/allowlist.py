"""The Gallery's list of models, as its code reads it (app 1.0.18); `allowlist.schema.json` says what it may hold.

The Gallery parses the list without any check, so that a missing key shows as a crash or an empty screen.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgekit.bundle.manifest import SamplerUse
from edgekit.errors import InputError
from edgekit.packaging.source import Source

APPLICATION_ID: Final = "com.google.ai.edge.gallery"
TASKS: Final = ("llm_chat", "llm_prompt_lab")
REMOTE_DIRECTORY: Final = "/data/local/tmp"
REMOTE_LIST: Final = f"{REMOTE_DIRECTORY}/model_allowlist_test.json"
"""Where the Gallery looks for a list to use instead of the one on the network."""

SCHEMA: Final = Path(__file__).with_name("allowlist.schema.json")

_UNHOSTED: Final = "local"
_FILE = re.compile(r"[A-Za-z0-9._-]+\.(litertlm|task)")
_MODEL_ID = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}", re.ASCII)
_URL = re.compile(r"https://[^\s/]+/\S+")


@dataclass(frozen=True)
class Sampling:
    """Sampling as the Gallery takes it."""

    top_k: int
    top_p: float
    temperature: float


@dataclass(frozen=True)
class Hosting:
    """Where the model can be downloaded. model_id: on Hugging Face, "owner/name". url: of the file itself."""

    model_id: str | None = None
    url: str | None = None
    revision: str = "main"


def check_hosting(model_id: str | None, url: str | None) -> Hosting | None:
    """Check where the model is hosted; None when that is not said. Raises InputError for what cannot be used."""
    if model_id is not None and not _MODEL_ID.fullmatch(model_id):
        raise InputError(
            f"{model_id!r} is no model id", where="--model-id", remedy="as on Hugging Face: owner/name"
        )
    if url is not None and not _URL.fullmatch(url):
        raise InputError(
            f"{url!r} is no address of a file", where="--url", remedy="https://… of the .litertlm file itself"
        )
    return None if model_id is None and url is None else Hosting(model_id, url)


def check_names(source: Source) -> None:
    """Raise InputError when the Gallery would refuse the bundle's file name, or change it."""
    file = source.manifest.model.file
    if "-web" in file.lower():
        raise InputError(
            f"the Gallery refuses files with “-web” in their name, such as {file}: they are made for browsers",
            where=source.model,
            remedy="convert with another --name",
        )
    if not _FILE.fullmatch(file):
        raise InputError(
            f"the Gallery would rename {file}: it keeps letters (a to z), digits, dots, dashes and underscores only",
            where=source.model,
            remedy="convert with another --name",
        )


def model_name(source: Source) -> str:
    """What the Gallery calls the model: unique in its list, without “/”."""
    return source.name


def gallery_sampling(sampler: SamplerUse) -> Sampling:
    """The bundle's sampling. Greedy is the best of one; then the other two do not matter and stay at their defaults."""
    if sampler.kind == "greedy":
        return Sampling(1, 0.95, 1.0)
    return Sampling(sampler.top_k or 64, sampler.top_p or 0.95, sampler.temperature or 1.0)


def hosted_list(source: Source, hosting: Hosting) -> dict[str, Any]:
    """The list with an entry that the Gallery downloads."""
    entry = _entry(source)
    entry["modelId"] = hosting.model_id or f"{_UNHOSTED}/{model_name(source)}"
    entry["commitHash"] = hosting.revision
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
    return f"{REMOTE_DIRECTORY}/{source.manifest.model.file}"


def deep_link(source: Source) -> str:
    """What opens the Gallery at the model."""
    return f"{APPLICATION_ID}://model/{TASKS[0]}/{model_name(source)}"


def list_text(document: dict[str, Any]) -> str:
    """A list as a file."""
    return json.dumps(document, indent=2, ensure_ascii=False)


def _entry(source: Source) -> dict[str, Any]:
    manifest = source.manifest
    sampling = gallery_sampling(manifest.sampler)
    return {
        "name": model_name(source),
        "modelId": f"{_UNHOSTED}/{model_name(source)}",
        "modelFile": manifest.model.file,
        "commitHash": manifest.model.sha256[:12],
        "description": source.task.description or source.task.title,
        "sizeInBytes": manifest.model.size,
        "taskTypes": list(TASKS),
        "defaultConfig": {
            "topK": sampling.top_k,
            "topP": sampling.top_p,
            "temperature": sampling.temperature,
            "accelerators": "cpu",
            "maxContextLength": manifest.kv_length,
            "maxTokens": manifest.kv_length,
        },
        "runtimeType": "litert_lm",
    }
