"""An adapter bundle that does not belong to a base, or is not whole, is refused before the engine sees it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.bundle.adapter.opening import open_adapter, read_adapter_bundle
from edgekit.bundle.opening import open_bundle
from edgekit.conversion.convert import convert
from edgekit.conversion.options import GraphOptions
from edgekit.errors import AdapterError
from edgekit.text.generation import GREEDY
from tests.checkpoint.refusals import refused


@pytest.fixture
def adapter(tmp_path: Path, sentiment_adapter: Path) -> Path:
    """A copy, to be damaged."""
    return shutil.copytree(sentiment_adapter, tmp_path / "sentiment")


def test_opens_for_its_base_by_directory_and_by_sidecar(
    adapter_ready_bundle: Path, sentiment_adapter: Path
) -> None:
    base = open_bundle(adapter_ready_bundle)
    opened = open_adapter(sentiment_adapter, base)
    assert opened.sidecar == sentiment_adapter / "sentiment.lora.tflite"
    assert open_adapter(opened.sidecar, base) == opened
    assert opened.manifest.rank == 16
    assert opened.manifest.source.rank == 8
    assert opened.manifest.targets == ("q_proj", "k_proj", "v_proj", "o_proj")
    assert opened.answer is not None
    assert opened.sampler == GREEDY


def test_an_adapter_of_another_base_is_refused(
    tmp_path: Path, demo_path: Path, sentiment_adapter: Path
) -> None:
    other = convert(
        demo_path, tmp_path / "other", graph=GraphOptions(adapters="16"), recipe="int4", check=False
    ).bundle
    with refused("another base", "settings-navigator", "edgekit adapter", kind=AdapterError):
        open_adapter(sentiment_adapter, open_bundle(other))


def test_a_base_that_takes_no_adapters_is_refused(
    tmp_path: Path, demo_path: Path, sentiment_adapter: Path
) -> None:
    plain = convert(demo_path, tmp_path / "plain", check=False).bundle
    with refused("takes no adapters", "--adapters 16", "edgekit convert", kind=AdapterError):
        open_adapter(sentiment_adapter, open_bundle(plain))


def _cut_off(directory: Path) -> None:
    path = directory / "sentiment.lora.tflite"
    path.write_bytes(path.read_bytes()[:-100])


def _edit(directory: Path) -> None:
    path = directory / "sentiment.lora.tflite"
    data = bytearray(path.read_bytes())
    data[20_000] ^= 1
    path.write_bytes(data)


def _lose(directory: Path) -> None:
    (directory / "sentiment.lora.tflite").unlink()


def _manifest(**changes: object) -> Callable[[Path], None]:
    def edit(directory: Path) -> None:
        path = directory / "adapter.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes), encoding="utf-8")

    return edit


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_cut_off, ["sentiment.lora.tflite", "cut off"]),
        (_edit, ["sentiment.lora.tflite", "SHA-256", "changed"]),
        (_lose, ["sentiment.lora.tflite", "cannot be read"]),
        (_manifest(rank=32), ["rank 32", "rank 16"]),
        (_manifest(targets=["q_proj", "lm_head"]), ["lm_head"]),
        (_manifest(targets=[]), ["targets"]),
        (_manifest(rank="16"), ["rank", "whole number"]),
        (_manifest(schema_version=3), ["newer edgekit", "schema 3"]),
        (_manifest(schema_version=None), ["schema_version"]),
        (_manifest(sidecar={"file": "../x", "size": 1, "sha256": "0" * 64}), ["sidecar.file"]),
        (_manifest(base={"name": "x", "model_sha256": "short"}), ["base.model_sha256"]),
        (_manifest(answer=3), ["answer", "object"]),
        (lambda directory: (directory / "adapter.json").write_text("{"), ["adapter.json", "JSON"]),
    ],
)
def test_what_was_damaged_is_named(
    adapter: Path, adapter_ready_bundle: Path, damage: Callable[[Path], None], words: list[str]
) -> None:
    damage(adapter)
    with refused(*words, kind=AdapterError):
        open_adapter(adapter, open_bundle(adapter_ready_bundle))


@pytest.mark.slow
def test_the_trained_adapter_itself_is_told_from_a_sidecar(adapter_ready_bundle: Path) -> None:
    trained = Path(__file__).parents[3] / "examples" / "sentiment" / "adapter"
    with refused("as it was trained", "edgekit adapter", kind=AdapterError):
        open_adapter(trained, open_bundle(adapter_ready_bundle))


def test_a_directory_without_an_adapter_is_told(tmp_path: Path) -> None:
    with refused("no adapter bundle", "edgekit adapter", kind=AdapterError):
        read_adapter_bundle(tmp_path)
    with refused("no such file", kind=AdapterError):
        read_adapter_bundle(tmp_path / "missing")
