"""The manifest: the same bytes every time, strict reading, and the check of the model file."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from edgekit.bundle.manifest import (
    SCHEMA_VERSION,
    ArchitectureUse,
    GraphUse,
    Manifest,
    ModelFile,
    RecipeUse,
    SamplerUse,
    Source,
    StopToken,
    VocabularyUse,
    manifest_bytes,
    read_manifest,
    write_manifest,
)
from edgekit.bundle.opening import open_bundle, verify_model_file
from edgekit.errors import BundleError
from tests.fixtures.mutations import damaged

MODEL = b"LITERTLM and so on" * 1000


def manifest(**changes: Any) -> Manifest:
    made = Manifest(
        model=ModelFile("m.litertlm", len(MODEL), hashlib.sha256(MODEL).hexdigest()),
        source=Source(
            "org/navigator", "d" * 64, "google/gemma-3-270m-it", {"type": "lora", "rank": 16, "alpha": 32.5}
        ),
        architecture=ArchitectureUse("gemma3_text", 640, 18, 2048, 4, 1, 256, 262_144, 512),
        recipe=RecipeUse(
            "int4", {"layers.1.mlp": "int4 block 32", "embed": "int8 channel", "layers.0.mlp": "int4"}
        ),
        graph=GraphUse("gemma3-270m-dynamic-1", "dynamic"),
        kv_length=4096,
        start_token=2,
        pad_token=None,
        stop_tokens=(StopToken((106,), "<end_of_turn>"), StopToken((106, 107), "<end_of_turn>\n")),
        sampler=SamplerUse("top_p", 1.0, 64, 0.95),
        template_sha256="a" * 64,
        answer={
            "kind": "json_schema",
            "schema": {"type": "object", "required": ["screen"], "nested": [1, None, True]},
        },
        minimum_runtime="0.18.1",
        tools={"litert-lm-builder": "0.18.1", "edgekit": "0.1.0"},
        licence="gemma",
        examples=("skjermen er for mørk", "画面が暗い"),
        suppressed_tokens=(1, 238, 239),
    )
    return dataclasses.replace(made, **changes)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    directory = tmp_path / "bundle"
    directory.mkdir()
    (directory / "m.litertlm").write_bytes(MODEL)
    write_manifest(directory, manifest())
    return directory


def edit(directory: Path, *keys: str | int, to: Any) -> None:
    """Change one value of the file; `...` deletes the key."""
    path = directory / "edgekit.json"
    values = json.loads(path.read_bytes())
    place = values
    for key in keys[:-1]:
        place = place[key]
    if to is ...:
        del place[keys[-1]]
    else:
        place[keys[-1]] = to
    path.write_text(json.dumps(values))


def complaint(directory: Path) -> str:
    with pytest.raises(BundleError) as caught:
        read_manifest(directory)
    assert caught.value.where == str(directory / "edgekit.json")
    return caught.value.message


def test_round_trip(bundle: Path) -> None:
    assert read_manifest(bundle) == manifest()
    plain = manifest(
        answer=None,
        start_token=None,
        template_sha256=None,
        licence=None,
        source=Source("x", "y"),
        sampler=SamplerUse("greedy"),
        graph=GraphUse("g", "static", (32, 128, 512)),
        notes=("a",),
    )
    write_manifest(bundle, plain)
    assert read_manifest(bundle) == plain
    assert sorted(p.name for p in bundle.iterdir()) == ["edgekit.json", "m.litertlm"]


def test_mappings_keep_their_order_for_a_schema_s_properties_are_answered_in_it() -> None:
    answer = {"kind": "json_schema", "schema": {"properties": {"screen": {}, "action": {}}}}
    text = manifest_bytes(manifest(answer=answer)).decode()
    assert text.index('"screen"') < text.index('"action"')
    assert text.startswith('{\n  "schema_version": 3,\n  "model": {\n    "file": "m.litertlm",')
    assert text.endswith("}\n")
    assert "mørk" in text


def test_numbers_without_json_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        manifest_bytes(manifest(sampler=SamplerUse("top_p", float("nan"))))


@pytest.mark.parametrize(
    "keys", [("model",), ("model", "sha256"), ("stop_tokens", 0, "ids"), ("answer",), ("kv_length",)]
)
def test_a_missing_key_is_named(bundle: Path, keys: tuple[str | int, ...]) -> None:
    edit(bundle, *keys, to=...)
    named = ".".join(map(str, keys)).replace(".0", "[0]")
    assert complaint(bundle) == f"the key {named} is missing"


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("model",), [], "model must be an object, not []"),
        (("model", "size"), "12", 'model.size must be a whole number, not "12"'),
        (("model", "size"), True, "model.size must be a whole number, not true"),
        (("model", "size"), 1.0, "model.size must be a whole number, not 1.0"),
        (("model", "size"), -1, "model.size must not be negative"),
        (("model", "file"), "../m.litertlm", "model.file must be a plain file name"),
        (("model", "file"), "", "model.file must be a plain file name"),
        (("model", "file"), "nav'; println('id'.execute()).litertlm", "model.file must be a plain file name"),
        (("model", "file"), "--help.litertlm", "model.file must be a plain file name"),
        (("model", "sha256"), "F" * 64, "model.sha256 must be 64 hexadecimal digits"),
        (("template_sha256"), "abc", "template_sha256 must be 64 hexadecimal digits"),
        (("kv_length",), 0, "kv_length must be positive"),
        (("kv_length",), None, "kv_length must be a whole number, not null"),
        (("start_token",), "<bos>", 'start_token must be a whole number, not "<bos>"'),
        (("stop_tokens",), "x", 'stop_tokens must be a list, not "x"'),
        (("stop_tokens", 1, "ids", 0), None, "stop_tokens[1].ids[0] must be a whole number, not null"),
        (("tools", "edgekit"), 1, "tools.edgekit must be a string, not 1"),
        (("graph", "form"), "elastic", "graph.form must be 'dynamic' or 'static', not \"elastic\""),
        (("graph", "form"), [], "graph.form must be 'dynamic' or 'static', not []"),
        (("sampler", "top_p"), 10**400, f"is not usable JSON (1{'0' * 19}… has 401 digits)"),
        (("answer",), "x", 'answer must be an object, not "x"'),
        (("sampler", "temperature"), "hot", 'sampler.temperature must be a number, not "hot"'),
        (("examples",), ["\ud800"], r"is not usable JSON ('\ud800' holds half of a surrogate pair)"),
    ],
)
def test_wrong_values_are_named(bundle: Path, keys: Any, value: Any, said: str) -> None:
    edit(bundle, *([keys] if isinstance(keys, str) else keys), to=value)
    assert complaint(bundle) == said


def test_schema_versions(bundle: Path) -> None:
    edit(bundle, "schema_version", to=SCHEMA_VERSION + 1)
    with pytest.raises(BundleError, match=r"made by a newer edgekit[\s\S]*upgrade edgekit"):
        read_manifest(bundle)
    for wrong in (0, "1", True, None, ...):
        edit(bundle, "schema_version", to=wrong)
        assert "schema_version is missing or no positive" in complaint(bundle)
        edit(bundle, "schema_version", to=SCHEMA_VERSION)


@pytest.mark.parametrize(
    ("recipe", "max_kl"), [("float32", 1e-5), ("int8", 0.02), ("int4", 0.2), ("mine", 0.5)]
)
def test_schema_1_had_gates_by_its_recipes_name_and_did_not_say_what_is_suppressed(
    bundle: Path, recipe: str, max_kl: float
) -> None:
    edit(bundle, "schema_version", to=1)
    edit(bundle, "suppressed_tokens", to=...)
    edit(bundle, "recipe", "gates", to=...)
    edit(bundle, "recipe", "name", to=recipe)
    read = read_manifest(bundle)
    assert (read.schema_version, read.suppressed_tokens) == (SCHEMA_VERSION, None)
    assert (read.recipe.gates.max_kl, read.recipe.gates.max_sqnr_loss) == (max_kl, 1.0)
    assert read.recipe.schemes == manifest().recipe.schemes


@pytest.mark.parametrize("recipe", [None, [], {}, {"name": []}, {"name": None}])
def test_a_damaged_manifest_of_schema_1_is_refused_by_its_key(bundle: Path, recipe: Any) -> None:
    edit(bundle, "schema_version", to=1)
    edit(bundle, "recipe", to=recipe)
    assert "recipe" in complaint(bundle)


@pytest.mark.parametrize(
    ("answer", "turns", "one"),
    [
        (None, None, False),
        ({"kind": "regex", "regex": "(a|b)"}, None, True),
        ({"kind": "regex", "regex": "(a|b)"}, "many", False),
        (None, "one", True),
    ],
)
def test_a_conversation_has_one_turn_under_a_format_unless_more_is_said(
    answer: Any, turns: Any, one: bool
) -> None:
    assert manifest(answer=answer, turns=turns).one_turn is one


@pytest.mark.parametrize(("said", "read"), [("many", None), ("one", "one"), (..., None)])
def test_before_schema_3_many_turns_only_meant_that_the_template_keeps_them(
    bundle: Path, said: Any, read: Any
) -> None:
    edit(bundle, "schema_version", to=2)
    edit(bundle, "turns", to=said)
    assert read_manifest(bundle).turns == read


def test_unknown_keys_are_ignored(bundle: Path) -> None:
    edit(bundle, "colour", to="blue")
    edit(bundle, "model", "mood", to=1)
    assert read_manifest(bundle) == manifest()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"kv_length": NaN}',
        b'{"kv_length": ' + b"9" * 10_000 + b"}",
        b"[]",
        b"null",
    ],
)
def test_unreadable_json(bundle: Path, content: bytes) -> None:
    (bundle / "edgekit.json").write_bytes(content)
    assert "JSON" in complaint(bundle) or "UTF-8" in complaint(bundle)


def test_a_directory_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "edgekit.json").mkdir()
    assert "cannot be read" in complaint(tmp_path)


@given(damaged(manifest_bytes(manifest()), letters=b'{}[]",:0-9.eE \\\xffntuX'))
def test_a_damaged_manifest_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    directory = tmp_path_factory.getbasetemp()
    (directory / "edgekit.json").write_bytes(content)
    try:
        read_manifest(directory)
    except BundleError as error:
        assert error.where == str(directory / "edgekit.json")


# ---------------------------------------- the model file


def test_a_changed_model_file_is_refused(bundle: Path) -> None:
    model = bundle / "m.litertlm"
    assert verify_model_file(bundle, manifest()) == model
    model.write_bytes(MODEL[:-1])
    with pytest.raises(BundleError, match=r"17,999 bytes, the manifest says 18,000"):
        open_bundle(bundle)
    model.write_bytes(b"X" + MODEL[1:])
    with pytest.raises(BundleError, match="SHA-256"):
        open_bundle(bundle)
    with pytest.raises(BundleError, match="SHA-256"):
        open_bundle(model)
    model.unlink()
    with pytest.raises(BundleError, match="cannot be read: No such file"):
        open_bundle(bundle)
    model.mkdir()
    with pytest.raises(BundleError):
        open_bundle(bundle)


def test_opening(bundle: Path, tmp_path: Path) -> None:
    by_directory, by_file = open_bundle(bundle), open_bundle(str(bundle / "m.litertlm"))
    assert by_directory == by_file
    assert by_directory.manifest == manifest()
    other = bundle / "other.litertlm"
    other.write_bytes(b"x")
    assert open_bundle(other).manifest is None
    bare = tmp_path / "bare.litertlm"
    bare.write_bytes(b"x")
    assert (open_bundle(bare).manifest, open_bundle(bare).model_path) == (None, bare)


def test_nothing_to_open(tmp_path: Path) -> None:
    def message(path: Path) -> str:
        with pytest.raises(BundleError) as caught:
            open_bundle(path)
        return str(caught.value)

    assert "no such file" in message(tmp_path / "none")
    assert "is empty" in message(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    assert "holds no bundle" in message(tmp_path)
    (tmp_path / "a.litertlm").write_text("x")
    assert "name the file itself" in message(tmp_path)
    (tmp_path / "b.litertlm").write_text("x")
    assert "2 model files (a.litertlm, b.litertlm)" in message(tmp_path)
    (tmp_path / ".edgekit-staging").mkdir()
    assert "interrupted" in message(tmp_path)


# --- a trimmed vocabulary ----------------------------------------------------------------------------------------

TRIMMED = ArchitectureUse("gemma3_text", 640, 18, 2048, 4, 1, 256, 5, 512)


def test_a_trimmed_vocabulary_is_kept_as_stretches_of_old_ids(tmp_path: Path) -> None:
    use = VocabularyUse(262_144, "0-2,106,900", ("train.jsonl",), ("en", "nb"))
    write_manifest(tmp_path, manifest(architecture=TRIMMED, vocabulary=use))
    found = read_manifest(tmp_path).vocabulary
    assert found == use
    assert found.old_ids == (0, 1, 2, 106, 900)


def test_a_manifest_from_before_trimming_is_whole(tmp_path: Path) -> None:
    write_manifest(tmp_path, manifest())
    path = tmp_path / "edgekit.json"
    values = json.loads(path.read_text())
    assert values.pop("vocabulary", "absent") is None
    path.write_text(json.dumps(values))
    assert read_manifest(tmp_path).vocabulary is None


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ("0-3", "vocabulary.kept holds 4 ids, architecture.vocab_size says 5"),
        ("0-3,3", "vocabulary.kept: an id comes twice"),
        ("0-3,262144", "vocabulary.kept: '262144' is no stretch of ids below 262,144"),
        ("0..4", "vocabulary.kept: '0..4' is no stretch"),
    ],
)
def test_a_damaged_map_of_ids_is_refused(tmp_path: Path, kept: str, said: str) -> None:
    write_manifest(tmp_path, manifest(architecture=TRIMMED, vocabulary=VocabularyUse(262_144, kept)))
    with pytest.raises(BundleError) as error:
        read_manifest(tmp_path)
    assert said in str(error.value)
