"""`edgekit.toml`: read strictly, found beside the bundle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.errors import InputError
from edgekit.gates import read_thresholds
from edgekit.packaging.presets import (
    PRESETS_NAME,
    Action,
    Presets,
    TaskPresets,
    find_presets,
    find_task_presets,
    read_presets,
    read_task_presets,
)
from tests.conftest import EXAMPLE


def write(folder: Path, text: str) -> Path:
    path = folder / "edgekit.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_key_is_read(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        application_id = "com.example.a"
        label = "A"
        icon = "icon.png"
        version_name = "1.2"
        version_code = 3
        title = "T"
        description = "D"
        system_prompt = "S"
        turns = "many"
        examples = ["x", "y"]
        actions = [{ when = { setting = "wifi" }, intent = "android.settings.WIFI_SETTINGS" }]
        """,
    )
    assert read_presets(path) == Presets(
        application_id="com.example.a",
        label="A",
        icon=tmp_path / "icon.png",
        version_name="1.2",
        version_code=3,
        title="T",
        description="D",
        system_prompt="S",
        turns="many",
        examples=("x", "y"),
        actions=(Action({"setting": "wifi"}, "android.settings.WIFI_SETTINGS"),),
        source=path,
    )


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ('lable = "x"', "the key lable is not known", "did you mean label?"),
        ("label = 3", "label must be a string, not 3", None),
        ('label = " "', "label is empty", None),
        ('turns = "few"', "turns must be 'many' or 'one', not \"few\"", None),
        ("version_code = true", "version_code must be a whole number", None),
        ('examples = "x"', "examples must be a list, not", None),
        ("examples = [1]", r"examples\[0\] must be a string", None),
        ("actions = 1", "actions must be a list, not 1", None),
        ('actions = [{ intent = "android.settings.X" }]', r"the key actions\[0\].when is missing", None),
        (
            *('actions = [{ when = {a = "b"}, intent = "android.intent.action.CALL" }]', "would not start"),
            "android.settings.",
        ),
        ('actions = [{ when = {}, intent = "android.settings.X" }]', r"actions\[0\].when must be", None),
        (
            'actions = [{ whem = 1, intent = "android.settings.X" }]',
            r"actions\[0\].whem is not known",
            "when",
        ),
        ("label = ", "not TOML", None),
    ],
)
def test_a_mistake_names_file_and_key(tmp_path: Path, text: str, message: str, remedy: str | None) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        read_presets(path)
    assert caught.value.where == str(path)
    assert (remedy or "") in (caught.value.remedy or "")


def test_the_file_named_wins_then_the_bundles_then_the_one_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bundle", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert find_presets(tmp_path / "bundle") == Presets()
    write(tmp_path / "here", 'label = "here"')
    assert find_presets(tmp_path / "bundle").label == "here"
    write(tmp_path / "bundle", 'label = "bundle"')
    assert find_presets(tmp_path / "bundle").label == "bundle"
    assert find_presets(tmp_path / "bundle", write(tmp_path, 'label = "named"')).label == "named"
    with pytest.raises(InputError, match="no such file"):
        find_presets(tmp_path / "bundle", tmp_path / "nowhere.toml")


def test_beside_an_adapter_only_its_task_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And only there: a file in the current directory is about an app."""
    (tmp_path / "adapter").mkdir()
    monkeypatch.chdir(tmp_path)
    write(tmp_path, 'label = "here"')
    assert find_task_presets(tmp_path / "adapter") == TaskPresets()
    path = write(tmp_path / "adapter", 'title = "T"\nexamples = ["x"]')
    assert find_task_presets(tmp_path / "adapter") == TaskPresets(title="T", examples=("x",), source=path)
    for key in ("application_id", "label", "icon", "version_name", "version_code"):
        write(tmp_path / "adapter", f'{key} = "x"')
        with pytest.raises(InputError, match=f"{key} is the app's") as caught:
            find_task_presets(tmp_path / "adapter")
        assert (caught.value.where, "beside the base" in (caught.value.remedy or "")) == (str(path), True)


def test_the_demos_presets_have_a_page_for_every_setting_that_it_can_answer() -> None:
    schema = json.loads((EXAMPLE / "answer-schema.json").read_text())
    presets = read_presets(EXAMPLE / "edgekit.toml")
    assert [action.when for action in presets.actions] == [
        {"setting": setting} for setting in schema["properties"]["setting"]["enum"]
    ]


def test_one_file_serves_validate_too(tmp_path: Path) -> None:
    path = tmp_path / PRESETS_NAME
    path.write_text('label = "Mine"\n[validate]\nmax_kl = 1\n', encoding="utf-8")
    assert read_presets(path) == Presets(label="Mine", source=path)
    assert read_thresholds(path).max_kl == 1
    path.write_text("[validate]\nmax_kl = 1\n", encoding="utf-8")
    assert read_task_presets(path) == TaskPresets(source=path)
    path.write_text("[validate]\nmax_lk = 1\n", encoding="utf-8")
    with pytest.raises(InputError, match="max_lk"):
        read_presets(path)
