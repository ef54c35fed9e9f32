"""The Gallery's list of models, held to its schema; and the schema, which must refuse what the Gallery cannot read."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import jsonschema
import pytest

from edgekit.errors import InputError
from edgekit.packaging.source import Source
from edgekit.packaging.targets.gallery.allowlist import (
    SCHEMA,
    Hosting,
    check_hosting,
    hosted_list,
    list_text,
    pushed_list,
    safe_file_name,
)
from tests.packaging.targets.gallery.conftest import with_task

DOCUMENT = json.loads(SCHEMA.read_text())
COMMIT = "0123456789abcdef0123456789abcdef01234567"
URL = "https://example.com/navigator.litertlm"


def check(models: Any) -> None:
    jsonschema.Draft202012Validator(DOCUMENT).validate(models)


@pytest.fixture
def models(source: Source) -> Any:
    return json.loads(list_text(pushed_list(source)))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(DOCUMENT)


@pytest.mark.slow
def test_a_pushed_bundle_is_read_from_where_adb_puts_it(source: Source, models: Any) -> None:
    check(models)
    (entry,) = models["models"]
    assert entry["localModelFilePathOverride"] == f"/data/local/tmp/{source.model.name}"
    assert entry["sizeInBytes"] == source.model.stat().st_size
    assert entry["description"] == "Finds the page of the settings that a sentence means."
    assert entry["minDeviceMemoryInGb"] == 6
    assert entry["defaultConfig"]["maxTokens"] == source.manifest.kv_length
    assert "url" not in entry


def test_a_hosted_bundle_is_named_by_its_commit(source: Source) -> None:
    models = hosted_list(source, Hosting("me/navigator", commit=COMMIT))
    check(models)
    (entry,) = models["models"]
    assert (entry["modelId"], entry["commitHash"]) == ("me/navigator", COMMIT)
    assert not {"url", "localModelFilePathOverride"} & entry.keys()


@pytest.mark.slow
def test_a_hosted_bundle_without_a_commit_is_named_by_its_digest(source: Source) -> None:
    models = hosted_list(source, Hosting(url=URL))
    check(models)
    (entry,) = models["models"]
    assert entry["url"] == URL
    assert entry["commitHash"] == source.manifest.model.sha256[:40]


@pytest.mark.parametrize(
    ("model_id", "url", "commit", "where"),
    [
        ("navigator", None, COMMIT, "--model-id"),
        ("me/navigator/int8", None, COMMIT, "--model-id"),
        ("me/navigator", None, None, "--model-id"),
        ("me/navigator", None, "main", "--commit"),
        (None, None, COMMIT, "--commit"),
        (None, "http://example.com/a.litertlm", None, "--url"),
        (None, "https://example.com", None, "--url"),
        (None, "https://example.com/a b.litertlm", None, "--url"),
    ],
)
def test_where_the_gallery_could_download_nothing_is_refused(
    model_id: str | None, url: str | None, commit: str | None, where: str
) -> None:
    with pytest.raises(InputError) as refusal:
        check_hosting(model_id, url, commit)
    assert refusal.value.where == where
    assert refusal.value.remedy


def test_without_a_word_on_hosting_there_is_none() -> None:
    assert check_hosting(None, None) is None
    assert check_hosting("me/navigator", URL) == Hosting("me/navigator", URL)


def test_an_app_without_a_description_is_described_by_its_title(source: Source) -> None:
    bare = with_task(source, description=None)
    assert pushed_list(bare)["models"][0]["description"] == "Settings navigator"


def put(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda entry: entry.update(values)


def configure(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda entry: entry["defaultConfig"].update(values)


def without(name: str) -> Callable[[dict[str, Any]], None]:
    def remove(entry: dict[str, Any]) -> None:
        del entry[name]

    return remove


REQUIRED = ("name", "modelId", "modelFile", "commitHash", "description", "sizeInBytes", "taskTypes")

WRONG = {
    **{f"no {name}": without(name) for name in REQUIRED},
    "a slash in the name": put(name="me/navigator"),
    "an empty name": put(name=""),
    "a size as text": put(sizeInBytes="11489408"),
    "a broken size": put(sizeInBytes=1.5),
    "an unknown task": put(taskTypes=["chat"]),
    "no task": put(taskTypes=[]),
    "a task as text": put(taskTypes="llm_chat"),
    "a misspelt field": put(minDeviceMemoryInGB=6),
    "a relative path": put(localModelFilePathOverride="navigator.litertlm"),
    "another kind of file": put(modelFile="navigator.tflite"),
    "an address that Android refuses": put(url="http://example.com/navigator.litertlm"),
    "another runtime": put(runtimeType="mediapipe"),
    "a switch as text": put(llmSupportImage="false"),
    "an unknown capability": put(capabilities=["llm_vision"]),
    "spaces between accelerators": configure(accelerators="cpu, gpu"),
    "an unknown accelerator": configure(accelerators="dsp"),
    "accelerators as a list": configure(accelerators=["cpu"]),
    "a broken number of tokens": configure(maxTokens=1024.5),
    "a share over one": configure(topP=1.5),
    "a choice of nothing": configure(topK=0),
    "a misspelt setting": configure(max_tokens=1024),
}


@pytest.mark.parametrize("what", WRONG)
def test_the_schema_refuses(models: Any, what: str) -> None:
    changed = deepcopy(models)
    WRONG[what](changed["models"][0])
    with pytest.raises(jsonschema.ValidationError):
        check(changed)


@pytest.mark.parametrize("wrong", [[], {}, {"models": []}, {"models": {}}])
def test_the_schema_refuses_what_is_no_list_of_models(wrong: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check(wrong)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("navigator.litertlm", "navigator.litertlm"),
        ("Settings navigator (int8).litertlm", "Settings_navigator__int8_.litertlm"),
        ("gemma-web-int4.litertlm", "gemma_web-int4.litertlm"),
        ("gemma-Web.litertlm", "gemma_web.litertlm"),
        ("blåbær/設定.litertlm", "bl_b_r___.litertlm"),
        ("a-web-web.litertlm", "a_web_web.litertlm"),
    ],
)
def test_files_get_names_that_the_import_dialog_takes(name: str, safe: str) -> None:
    assert safe_file_name(name) == safe
