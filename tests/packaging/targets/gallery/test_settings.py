"""What the import dialog is to be told of a bundle, and where its defaults are wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.bundle.manifest import Manifest, SamplerUse
from edgekit.packaging.source import Source
from edgekit.packaging.targets.gallery.settings import Field, dialog_fields, settings_of


def fields(manifest: Manifest) -> dict[str, Field]:
    return {field.name: field for field in dialog_fields(manifest)}


@pytest.fixture(scope="module")
def manifest(source: Source) -> Manifest:
    return replace(source.manifest, kv_length=1024, sampler=SamplerUse("greedy"))


def test_greedy_is_a_choice_of_one_token_and_no_temperature(manifest: Manifest) -> None:
    assert settings_of(manifest).to_json() == {
        "topK": 1,
        "topP": 0.95,
        "temperature": 0.0,
        "maxTokens": 1024,
        "accelerators": "cpu",
    }
    asked = fields(manifest)
    assert [(name, asked[name].value) for name in ("TopK", "TopP", "Temperature")] == [
        ("TopK", "1"),
        ("TopP", "0.95"),
        ("Temperature", "0.0"),
    ]


def test_only_what_differs_from_the_dialog_is_marked(manifest: Manifest) -> None:
    assert [field.name for field in dialog_fields(manifest) if field.differs] == ["TopK", "Temperature"]


def test_sampling_is_taken_from_the_bundle(manifest: Manifest) -> None:
    asked = fields(replace(manifest, sampler=SamplerUse("top_p", temperature=0.7, top_k=40, top_p=0.925)))
    assert [asked[name].value for name in ("TopK", "TopP", "Temperature")] == ["40", "0.925", "0.7"]
    defaults = SamplerUse("top_p", temperature=1.0, top_k=64, top_p=0.95)
    assert not any(field.differs for field in dialog_fields(replace(manifest, sampler=defaults)))


def test_what_the_dialog_does_not_reach_is_cut_and_told(manifest: Manifest) -> None:
    asked = fields(replace(manifest, sampler=SamplerUse("top_p", temperature=3.0, top_k=200, top_p=1.0)))
    assert (asked["TopK"].value, asked["Temperature"].value) == ("100", "2.0")
    assert (
        asked["TopK"].why == "The bundle samples from the 200 likeliest tokens. The dialog goes no further."
    )
    assert "goes no further" in asked["Temperature"].why
    assert "goes no further" not in asked["TopP"].why


@pytest.mark.parametrize(
    ("room", "entered", "said"),
    [
        (1024, "1024", "for prompt and answer together"),
        (2048, "2048", "for prompt and answer together"),
        (8192, "4096", "room for 8192 tokens, but the dialog takes 4096 at most"),
        (64, "100", "room for 64 tokens only"),
    ],
)
def test_the_length_is_the_bundles_within_the_dialogs_bounds(
    manifest: Manifest, room: int, entered: str, said: str
) -> None:
    field = fields(replace(manifest, kv_length=room))["Max tokens"]
    assert field.value == entered
    assert said in field.why
    assert field.differs == (room != 1024)
    assert settings_of(replace(manifest, kv_length=room)).max_tokens == room
