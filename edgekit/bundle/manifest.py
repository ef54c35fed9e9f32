"""The manifest, `edgekit.json`: what a bundle is, where it came from, and the digest that every later command
checks.

The file is the dataclass below as JSON, keys in the order of the fields, indented by 2, free mappings sorted,
so that the same bundle always has the same bytes. Reading is strict (`edgekit.records.codec`), and a newer
schema is an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from edgekit.bundle.directory import (
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    is_plain_name,
)
from edgekit.bundle.kept import MAX_IDS, read_kept
from edgekit.calling.tools import Calling, openai, parse_tools
from edgekit.errors import BundleError
from edgekit.files.whole import write_whole
from edgekit.gates import COARSE, Thresholds
from edgekit.records import migrations
from edgekit.records.codec import decode, is_digest, plain, read_values
from edgekit.records.documents import Json
from edgekit.records.versions import up_to_date
from edgekit.text.generation import GREEDY, Sampler
from edgekit.text.messages import Turns

SCHEMA_VERSION: Final = len(migrations.MANIFEST) + 1


@dataclass(frozen=True)
class ModelFile:
    """The model file: its name in the bundle directory, size in bytes, SHA-256 (hexadecimal)."""

    file: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Source:
    """The checkpoint that was converted.

    name: a directory's name or a Hub id, never a path of the machine that converted.
    digest: of the checkpoint's content; the same tensors, tokenizer and template give the same digest.
    base: the base model's name, for an adapter or when the checkpoint names one.
    adapter: what was merged (type, rank, alpha, digest …), when something was.
    """

    name: str
    digest: str
    base: str | None = None
    adapter: Mapping[str, Json] | None = None


@dataclass(frozen=True)
class ArchitectureUse:
    """The model's shape; all sizes count elements."""

    family: str
    hidden_size: int
    layers: int
    mlp_size: int
    query_heads: int
    kv_heads: int
    head_dim: int
    vocab_size: int
    sliding_window: int | None = None


@dataclass(frozen=True)
class CalibrationUse:
    """The texts that showed what tensors are multiplied with.

    texts: names of files, or "built-in text". tokens: of all of them. digest: SHA-256 of the tokens' ids.
    """

    texts: tuple[str, ...]
    tokens: int
    digest: str


@dataclass(frozen=True)
class RecipeUse:
    """The recipe by name, the scheme that each checkpoint tensor got, such as `int4 block 32`, to what the recipe wants
    to be held, and on what it was calibrated; None when it was not."""

    name: str
    schemes: Mapping[str, str]
    gates: Thresholds = COARSE
    calibration: CalibrationUse | None = None


@dataclass(frozen=True)
class CacheUse:
    """The KV cache: what sliding layers keep, and how numbers are stored.

    token_bytes: what each token takes in the layers that keep all positions. ring_bytes: of the others' rings together.
    """

    layout: Literal["full", "window"]
    precision: Literal["float32", "float16", "int8"]
    token_bytes: int
    ring_bytes: int


@dataclass(frozen=True)
class GraphUse:
    """The captured graph: its id, its form, and the prompt lengths of its prefill signatures (none when dynamic).

    rotation: length of the rotations that were put into it, 0 for none. cache: None in bundles made before schema 3.
    """

    id: str
    form: Literal["dynamic", "static"]
    prefill_lengths: tuple[int, ...] = ()
    rotation: int = 0
    cache: CacheUse | None = None


@dataclass(frozen=True)
class StopToken:
    """A sequence of token ids that ends the model's turn, and the text it stands for."""

    ids: tuple[int, ...]
    text: str


@dataclass(frozen=True)
class SamplerUse:
    """The default sampling: `greedy`, or `top_p` with its three parameters."""

    kind: Literal["greedy", "top_p"]
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None


@dataclass(frozen=True)
class VocabularyUse:
    """What is left of a trimmed vocabulary.

    rows: of the checkpoint's embedding. kept: its ids in the order of the bundle's, as stretches (see
    `edgekit.bundle.kept`). corpora: names of the files that decided. languages: whose pieces were preferred.
    """

    rows: int
    kept: str
    corpora: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()

    @property
    def old_ids(self) -> tuple[int, ...]:
        """The checkpoint's id of each of the bundle's ids."""
        return read_kept(self.kept, rows=self.rows)


@dataclass(frozen=True)
class AdapterSlots:
    """What a base takes of adapters at run time: their rank, and the projections that they may change.

    empty: the sidecar of no adapter, beside the model. The engine does not clear adapter inputs that nothing fills, so
    that a conversation of the base alone needs it.
    """

    rank: int
    targets: tuple[str, ...]
    empty: ModelFile


@dataclass(frozen=True)
class Manifest:
    """Everything that later commands know of a bundle.

    kv_length: the most tokens of prompt and answer together. start_token, pad_token: ids, None when there is
    none. template_sha256: of the chat template in the bundle, None without one. answer: the format that
    answers are held to: {"kind": "json_schema", "schema": {…}} or {"kind": "regex", "regex": "…"}.
    minimum_runtime: the oldest LiteRT-LM version that runs the bundle. tools: versions of what made it, by
    distribution name. licence: how the model may be used, as the checkpoint says. examples: prompts to try.
    vocabulary: what is left of a trimmed one, None when it is whole. adapters: what the base takes of them, None when
    it takes none. suppressed_tokens: ids that must not be generated while answers are held to a format (see
    `edgekit.text.settle.Text.suppressed_ids`); None in bundles made before schema 2, whose engine must be asked.
    turns: "one" when each message must begin a conversation of its own, as where the chat template changes earlier
    turns; "many" when the fine-tune was trained on several; None when nothing is said (see `one_turn`). calling: the
    tools that it calls, and how; None when it does not call.
    """

    model: ModelFile
    source: Source
    architecture: ArchitectureUse
    recipe: RecipeUse
    graph: GraphUse
    kv_length: int
    start_token: int | None
    pad_token: int | None
    stop_tokens: tuple[StopToken, ...]
    sampler: SamplerUse
    template_sha256: str | None
    answer: Mapping[str, Json] | None
    minimum_runtime: str
    tools: Mapping[str, str]
    licence: str | None
    examples: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    vocabulary: VocabularyUse | None = None
    adapters: AdapterSlots | None = None
    suppressed_tokens: tuple[int, ...] | None = None
    turns: Turns | None = None
    calling: Calling | None = None
    schema_version: int = field(default=SCHEMA_VERSION, kw_only=True)

    @property
    def one_turn(self) -> bool:
        """Whether each message begins a conversation of its own: unless more is said, where answers are held to a
        format or are calls, because fine-tunes are trained for those so."""
        if self.turns is None:
            return self.answer is not None or self.calling is not None
        return self.turns == "one"


# ---------------------------------------- writing


def to_json(manifest: Manifest) -> dict[str, Json]:
    """Return the manifest as JSON values, in the order in which they are written."""
    values = plain(manifest)
    assert isinstance(values, dict)
    return {"schema_version": values.pop("schema_version"), **values}


def manifest_bytes(manifest: Manifest) -> bytes:
    """Return the manifest's file content. Raises ValueError for numbers that JSON has no way to write."""
    text = json.dumps(to_json(manifest), indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write `edgekit.json` into a directory, replacing an old one at once."""
    write_whole(directory / MANIFEST_NAME, manifest_bytes(manifest), error=BundleError)


# ---------------------------------------- reading


def read_manifest(directory: str | Path) -> Manifest:
    """Read a bundle directory's manifest; the model file is not looked at (see `verify_model_file`).

    Raises BundleError, with the file and the key, when it is missing, unreadable, of the wrong shape, or made
    by a newer edgekit.
    """
    path = Path(directory) / MANIFEST_NAME
    values = read_values(path, remedy=CONVERT_AGAIN, error=BundleError, max_bytes=MAX_MANIFEST_BYTES)
    values = up_to_date(
        values, migrations=migrations.MANIFEST, where=path, remedy=CONVERT_AGAIN, error=BundleError
    )
    manifest = decode(Manifest, values, where=path, remedy=CONVERT_AGAIN, error=BundleError)
    _check(manifest, path)
    return manifest


CONVERT_AGAIN: Final = "convert the checkpoint again, or restore the file"


def _check(manifest: Manifest, path: Path) -> None:
    """Check what types cannot say."""
    problems = {
        "model.file must be a plain file name": not is_plain_name(manifest.model.file),
        "model.size must not be negative": manifest.model.size < 0,
        "model.sha256 must be 64 hexadecimal digits": not is_digest(manifest.model.sha256),
        "kv_length must be positive": manifest.kv_length < 1,
        "adapters.empty.file must be a plain file name": (
            manifest.adapters is not None and not is_plain_name(manifest.adapters.empty.file)
        ),
        "template_sha256 must be 64 hexadecimal digits": (
            manifest.template_sha256 is not None and not is_digest(manifest.template_sha256)
        ),
    }
    for problem, present in problems.items():
        if present:
            raise BundleError(problem, where=path, remedy=CONVERT_AGAIN)
    if manifest.calling is not None:
        parse_tools(openai(manifest.calling.tools), where=f"{path}: calling", error=BundleError)
    if manifest.vocabulary is not None:
        try:
            ids = read_kept(
                manifest.vocabulary.kept,
                rows=manifest.vocabulary.rows,
                most=min(manifest.architecture.vocab_size, MAX_IDS),
            )
        except ValueError as error:
            raise BundleError(f"vocabulary.kept: {error}", where=path, remedy=CONVERT_AGAIN) from error
        if len(ids) != manifest.architecture.vocab_size:
            raise BundleError(
                f"vocabulary.kept holds {len(ids):,} ids, architecture.vocab_size says "
                f"{manifest.architecture.vocab_size:,}",
                where=path,
                remedy=CONVERT_AGAIN,
            )


# ---------------------------------------- opening


def sampler_use(sampler: Sampler) -> SamplerUse:
    """Write a sampler as manifests have it."""
    if sampler.kind == "greedy":
        return SamplerUse("greedy")
    return SamplerUse("top_p", sampler.temperature, sampler.top_k, sampler.top_p)


def sampler_of(use: SamplerUse) -> Sampler:
    """Read a sampler from a manifest; what it leaves open is Gemma's."""
    if use.kind == "greedy":
        return GREEDY
    default = Sampler()
    return Sampler(
        temperature=default.temperature if use.temperature is None else use.temperature,
        top_k=default.top_k if use.top_k is None else use.top_k,
        top_p=default.top_p if use.top_p is None else use.top_p,
    )
