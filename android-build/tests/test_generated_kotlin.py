"""The Kotlin that `edgekit package` writes for an app compiles against the signatures of the artifacts it uses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import edgekit
from android_build.kotlin import compile_kotlin
from android_build.process import BuildError
from edgekit.examples import sentiment, settings_navigator, support_triage

ARTIFACTS = Path(__file__).with_name("artifacts")
TARGETS = ("assets", "ai-pack", "asset-pack")
PRESETS = "edgekit.toml"

WORDS = {"title": 'Say "hi" */ /* for $5', "system_prompt": 'Answer in\n"JSON" for $user \\ ok'}
"""What a Kotlin string must escape, and where a comment must neither end nor begin again."""


def write_presets(directory: Path) -> None:
    text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in WORDS.items())
    (directory / PRESETS).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("bundle") / "navigator"
    example = settings_navigator()
    edgekit.convert(
        example / "checkpoint",
        directory,
        text=edgekit.TextOptions(answer_schema=example / "answer-schema.json"),
        check=False,
    )
    write_presets(directory)
    return directory


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("base") / "navigator"
    edgekit.convert(
        settings_navigator() / "checkpoint", directory, graph=edgekit.GraphOptions(adapters="16"), check=False
    )
    return directory


@pytest.fixture(scope="module")
def adapters(base: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One with an answer format, one with a system prompt and a chat template of its own."""
    folder = tmp_path_factory.mktemp("adapters")
    trained = shutil.copytree(support_triage() / "adapter", folder / "trained")
    checkpoint = settings_navigator() / "checkpoint"
    template = (checkpoint / "chat_template.jinja").read_text(encoding="utf-8")
    otherwise = template.replace("<start_of_turn>", "<start_of_turn>dear ", 1)
    (trained / "chat_template.jinja").write_text("{# $5 #}" + otherwise, encoding="utf-8")
    shutil.copy(checkpoint / "tokenizer_config.json", trained)
    schema = sentiment() / "answer-schema.json"
    first = edgekit.adapter(
        sentiment() / "adapter",
        base,
        folder / "1",
        name="3-moods",
        text=edgekit.TextOptions(answer_schema=schema),
        check=False,
    )
    second = edgekit.adapter(trained, base, folder / "2", name="triage", check=False)
    write_presets(second.directory)
    return [first.directory, second.directory]


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What the generated code calls. The two delivery libraries differ in their names only."""
    asset_packs = tmp_path_factory.mktemp("artifacts") / "AssetPacks.kt"
    ai_packs = (ARTIFACTS / "AiPacks.kt").read_text(encoding="utf-8")
    asset_packs.write_text(ai_packs.replace("aipacks", "assetpacks").replace("AiPack", "AssetPack"))
    return [*sorted(ARTIFACTS.glob("*.kt")), asset_packs]


@pytest.mark.parametrize("target", TARGETS)
def test_it_compiles(bundle: Path, artifacts: list[Path], tmp_path: Path, target: str) -> None:
    out = edgekit.package(bundle, target, tmp_path / "out").output
    compile_kotlin([*out.glob("*.kt"), *artifacts], tmp_path / "classes")
    assert list((tmp_path / "classes/com/example/model").glob("Checkpoint*.class"))


@pytest.mark.parametrize("target", ["assets", "asset-pack"])
def test_it_compiles_with_several_adapters(
    base: Path, adapters: list[Path], artifacts: list[Path], tmp_path: Path, target: str
) -> None:
    out = edgekit.package(base, target, tmp_path / "out", adapters=adapters, with_base=True).output
    text = (out / "Checkpoint.kt").read_text(encoding="utf-8")
    for words in ("BASE(", "_3_MOODS(", "TRIAGE(", "chatTemplate = task.chatTemplate", "task.systemPrompt?"):
        assert words in text
    compile_kotlin([*out.glob("*.kt"), *artifacts], tmp_path / "classes")
    assert (tmp_path / "classes/com/example/model/Checkpoint$Task.class").is_file()


def test_it_compiles_with_one_adapter_and_with_none(
    base: Path, adapters: list[Path], artifacts: list[Path], tmp_path: Path
) -> None:
    """One task needs no name to be asked; a base that takes adapters needs its empty sidecar even then."""
    for number, used in enumerate((adapters[:1], adapters[1:], [])):
        out = edgekit.package(base, "assets", tmp_path / f"out{number}", adapters=used).output
        text = (out / "Checkpoint.kt").read_text(encoding="utf-8")
        assert "fun answer(prompt: String)" in text
        assert "LoraConfig(loraPath = SIDECAR.at(directory).path)" in text
        compile_kotlin([out / "Checkpoint.kt", *artifacts], tmp_path / f"classes{number}")


def test_a_call_that_the_artifact_does_not_have_is_found(
    bundle: Path, artifacts: list[Path], tmp_path: Path
) -> None:
    (source,) = edgekit.package(bundle, "assets", tmp_path / "out").output.glob("*.kt")
    source.write_text(source.read_text().replace("cancelProcess()", "stop()"))
    with pytest.raises(BuildError, match="unresolved reference"):
        compile_kotlin([source, *artifacts], tmp_path / "classes")


WHICH = {"type": "integer", "nullable": True}
ODD = [
    {
        "name": "fun",
        "description": "Ends a comment */ here",
        "parameters": {"type": "object", "properties": {"in": WHICH}},
    },
    {
        "name": "send_mail",
        "parameters": {
            "type": "object",
            "properties": {
                "to_all": {"type": "array", "items": {"type": "number"}},
                "kind": {"type": "string", "enum": ["$a", "b"], "description": "Which."},
                "at": {"type": "object", "properties": {"day": {"type": "string"}}},
                "urgent": {"type": "boolean"},
            },
            "required": ["at", "to_all"],
        },
    },
]


def test_tools_compile_with_a_function_each(artifacts: list[Path], tmp_path: Path) -> None:
    (tmp_path / "tools.json").write_text(json.dumps(ODD), encoding="utf-8")
    bundle = edgekit.convert(
        settings_navigator() / "checkpoint",
        tmp_path / "phone",
        text=edgekit.TextOptions(tools=tmp_path / "tools.json"),
        check=False,
    ).bundle
    out = edgekit.package(bundle, "assets", tmp_path / "out").output
    text = (out / "CheckpointTools.kt").read_text(encoding="utf-8")
    assert "suspend fun `fun`(`in`: Long? = null): Map<String, Any?>" in text
    assert "toAll: List<Double>" in text
    compile_kotlin([*out.glob("*.kt"), *artifacts], tmp_path / "classes")
