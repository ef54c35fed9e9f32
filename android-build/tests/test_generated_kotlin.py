"""The Kotlin that `edgekit package` writes for an app compiles against the signatures of the artifacts it uses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import edgekit
from android_build.kotlin import compile_kotlin
from android_build.process import BuildError

ARTIFACTS = Path(__file__).with_name("artifacts")
TARGETS = ("assets", "ai-pack", "asset-pack")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from edgekit.examples import settings_navigator

    directory = tmp_path_factory.mktemp("bundle") / "navigator"
    example = settings_navigator()
    edgekit.convert(
        example / "checkpoint", directory, answer_schema=example / "answer-schema.json", check=False
    )
    # What a Kotlin string must escape, and a comment must not end at.
    words = {"label": 'Say "hi" */ for $5', "system_prompt": 'Answer in\n"JSON" for $user \\ ok'}
    (directory / "edgekit.toml").write_text(
        "".join(f"{key} = {json.dumps(value)}\n" for key, value in words.items()), encoding="utf-8"
    )
    return directory


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


def test_a_call_that_the_artifact_does_not_have_is_found(
    bundle: Path, artifacts: list[Path], tmp_path: Path
) -> None:
    (source,) = edgekit.package(bundle, "assets", tmp_path / "out").output.glob("*.kt")
    source.write_text(source.read_text().replace("cancelProcess()", "stop()"))
    with pytest.raises(BuildError, match="unresolved reference"):
        compile_kotlin([source, *artifacts], tmp_path / "classes")
