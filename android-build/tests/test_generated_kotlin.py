"""The Kotlin that `edgekit package` writes for an app compiles against the core, whatever a bundle is called and says.

That it answers, `test_library.py` shows.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import pytest

import edgekit
from android_build.kotlin import compile_kotlin
from android_build.libraries import app_libraries
from android_build.process import BuildError
from android_build.toolchain import platform
from edgekit.examples import sentiment, settings_navigator, support_triage
from edgekit.packaging.core import core_classes
from edgekit.packaging.kotlin.facade import facade_of

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
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The classes that ship in edgekit, beside Play's delivery libraries, which differ in their names only."""
    folder = tmp_path_factory.mktemp("core")
    ai_packs = (ARTIFACTS / "AiPacks.kt").read_text(encoding="utf-8")
    asset_packs = folder / "AssetPacks.kt"
    asset_packs.write_text(ai_packs.replace("aipacks", "assetpacks").replace("AiPack", "AssetPack"))
    compile_kotlin([ARTIFACTS / "AiPacks.kt", asset_packs], folder / "packs")
    (folder / "core.jar").write_bytes(core_classes())
    return folder


def compile_all(sources: Iterable[Path], core: Path, into: Path) -> None:
    compile_kotlin(sources, into, [core / "core.jar", core / "packs", *app_libraries().classpath, platform()])


@pytest.mark.parametrize("target", TARGETS)
def test_it_compiles(bundle: Path, core: Path, tmp_path: Path, target: str) -> None:
    out = edgekit.package(bundle, target, tmp_path / "out").output
    compile_all(out.glob("*.kt"), core, tmp_path / "classes")
    assert list((tmp_path / "classes/com/example/model").glob("Checkpoint*.class"))


def test_it_compiles_with_several_adapters(
    base: Path, adapters: list[Path], core: Path, tmp_path: Path
) -> None:
    out = edgekit.package(base, "assets", tmp_path / "out", adapters=adapters, with_base=True).output
    compile_all(out.glob("*.kt"), core, tmp_path / "classes")
    for name in ("Base", "Value3Moods$Answer", "Triage"):
        assert (tmp_path / f"classes/com/example/model/Checkpoint${name}.class").is_file()


def test_a_call_that_the_core_does_not_have_is_found(bundle: Path, core: Path, tmp_path: Path) -> None:
    (source,) = edgekit.package(bundle, "assets", tmp_path / "out").output.glob("*.kt")
    source.write_text(source.read_text().replace("Edgekit.open(", "Edgekit.load("))
    with pytest.raises(BuildError, match="unresolved reference"):
        compile_all([source], core, tmp_path / "classes")


ODD_SCHEMA = {
    "type": "object",
    "required": ["in", "a b", "nested"],
    "properties": {
        "in": {"enum": ["fun", "a-b", "a_b", "", "9", "$x"], "description": "Ends */ here /*"},
        "a b": {"type": "integer"},
        "a-b": {"type": "number"},
        "Result": {"enum": ["r"]},
        "written": {"const": "w"},
        "nested": {
            "type": "object",
            "properties": {
                "list": {"type": "array", "items": {"type": "array", "items": {"enum": ["k", "l"]}}}
            },
        },
        "loop": {"$ref": "#/$defs/loop"},
        "maybe": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
    },
    "$defs": {"loop": {"type": "object", "properties": {"next": {"$ref": "#/$defs/loop"}}}},
}


def test_odd_schemas_and_labels_compile(core: Path, tmp_path: Path) -> None:
    """As texts: the engine is not asked, which would take its time over them."""
    sources = []
    for name, answer in {
        "odd": {"kind": "json_schema", "schema": ODD_SCHEMA},
        "context": {"kind": "regex", "regex": "(positive|so so|$x)"},
        "answer": {"kind": "json_schema", "schema": {"enum": ["a", "b", None]}},
        "list": {"kind": "json_schema", "schema": {"type": "array", "items": {"type": "integer"}}},
        "text": {"kind": "regex", "regex": "[a-z]+"},
        "model": None,
    }.items():
        task = SimpleNamespace(id=name, adapter=None, title=WORDS["title"], examples=())
        manifest = SimpleNamespace(
            answer=answer, calling=None, model=SimpleNamespace(file=name, size=1), kv_length=1
        )
        source = SimpleNamespace(
            name=name,
            offer=SimpleNamespace(tasks=(task,), title=name),
            task=task,
            manifest=manifest,
            manifest_of=lambda _, manifest=manifest: manifest,
        )
        made = facade_of(source, f"com.example.{name}.fun", assets=name)  # type: ignore[arg-type]
        sources.append(tmp_path / made.file)
        sources[-1].write_text(made.text, encoding="utf-8")
    compile_all(sources, core, tmp_path / "classes")


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


def test_tools_compile_with_a_function_each(core: Path, tmp_path: Path) -> None:
    (tmp_path / "tools.json").write_text(json.dumps(ODD), encoding="utf-8")
    bundle = edgekit.convert(
        settings_navigator() / "checkpoint",
        tmp_path / "phone",
        text=edgekit.TextOptions(tools=tmp_path / "tools.json"),
        check=False,
    ).bundle
    out = edgekit.package(bundle, "assets", tmp_path / "out").output
    text = (out / "Checkpoint.kt").read_text(encoding="utf-8")
    assert "suspend fun `fun`(`in`: Long? = null): Map<String, Any?>" in text
    assert "toAll: List<Double>" in text
    compile_all(out.glob("*.kt"), core, tmp_path / "classes")
