"""What is inside a bundle: sections, metadata, tokenizer, signatures, weights by scheme, size by part.

Works on bundle directories, on any .litertlm file (also from other tools) and on bare .tflite files. Nothing
in a file is trusted: what is damaged ends as a BundleError that names the file and the section.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgekit.bundle.container import (
    Container,
    MetadataValue,
    SectionKind,
    map_file,
    parse_container,
    section_bytes,
    unpack_hf_tokenizer,
)
from edgekit.bundle.directory import MANIFEST_NAME, finish_interrupted
from edgekit.bundle.flat import FlatError
from edgekit.bundle.manifest import Manifest, no_manifest, read_manifest, to_json
from edgekit.bundle.tflite import ModelSummary, is_tflite, read_model
from edgekit.errors import BundleError

PARTS: Final = (
    "embedding",
    "attention",
    "mlp",
    "norms",
    "other constants",
    "graph",
    "tokenizer",
    "metadata",
    "other sections",
    "padding",
)
"""What a file's size is divided into; metadata includes the container's header."""

_TOKENIZERS: Final = (SectionKind.SP_TOKENIZER, SectionKind.HF_TOKENIZER)
_METADATA: Final = (
    SectionKind.LLM_METADATA,
    SectionKind.EXECUTOR_METADATA,
    SectionKind.EMBEDDING_METADATA,
    SectionKind.TTS_METADATA,
    SectionKind.ASR_METADATA,
)


@dataclass(frozen=True)
class SectionSummary:
    """A section: its number and kind, where it lies (byte offsets, end exclusive), its metadata."""

    index: int
    kind: str
    begin: int
    end: int
    size: int
    metadata: Mapping[str, MetadataValue]


@dataclass(frozen=True)
class TokenSummary:
    """A token, or several in a row: ids (empty when the file gives only a text) and text (None when not
    known)."""

    ids: tuple[int, ...]
    text: str | None


@dataclass(frozen=True)
class SamplerSummary:
    """The default sampling."""

    kind: str
    temperature: float
    top_k: int
    top_p: float


@dataclass(frozen=True)
class LlmSummary:
    """The LLM metadata: what the engine is told besides the model.

    model_type: the engine's name for the family, None when unset.
    max_num_tokens: the most tokens of prompt and answer together, 0 when unset.
    template_length: characters of the chat template, None without one.
    """

    model_type: str | None
    max_num_tokens: int
    start_token: TokenSummary | None
    pad_token: TokenSummary | None
    stop_tokens: tuple[TokenSummary, ...]
    sampler: SamplerSummary | None
    template_length: int | None
    template_sha256: str | None
    minimum_runtime: str | None


@dataclass(frozen=True)
class TokenizerSummary:
    """The tokenizer: `SentencePiece` or `Hugging Face (BPE)`, bytes in the file, number of pieces."""

    kind: str
    size: int
    pieces: int


@dataclass(frozen=True)
class BundleSummary:
    """All that `inspect` finds.

    container_version: None for a bare .tflite file. parts: bytes per part, in the order of PARTS; together
    the file's size. kv_length: the most tokens of prompt and answer together, as the manifest, the LLM
    metadata or the model says. size_matches, digest_matches: whether the file is the one that the manifest
    describes; None without a manifest.
    """

    path: Path
    size: int
    sha256: str
    container_version: str | None
    system_metadata: Mapping[str, MetadataValue]
    sections: tuple[SectionSummary, ...]
    llm: LlmSummary | None
    tokenizer: TokenizerSummary | None
    models: tuple[ModelSummary, ...]
    parts: Mapping[str, int]
    kv_length: int | None
    manifest: Manifest | None
    size_matches: bool | None
    digest_matches: bool | None

    @property
    def trimmed_bytes(self) -> int | None:
        """Bytes that the embedding's removed rows would take; None when the vocabulary is whole or not known."""
        vocabulary = None if self.manifest is None else self.manifest.vocabulary
        if self.manifest is None or vocabulary is None:
            return None
        kept = self.manifest.architecture.vocab_size
        return self.parts["embedding"] * (vocabulary.rows - kept) // kept

    def to_json(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        values = {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}
        values["trimmed_bytes"] = self.trimmed_bytes
        return {**values, "manifest": None if self.manifest is None else to_json(self.manifest)}


def inspect(path: str | Path) -> BundleSummary:
    """Summarize a bundle directory, a .litertlm file or a .tflite file.

    A model file that is not the one its manifest describes is summarized all the same, with the matches
    False. Raises BundleError when there is no bundle, or the manifest, the container or a section is damaged.
    """
    model_path, manifest = _find(Path(path))
    data = map_file(model_path)
    digest = hashlib.sha256(data).hexdigest()
    container = None if is_tflite(data) else parse_container(model_path, data)
    llm, tokenizer = None, None
    if container is None:
        with _naming(model_path, "the model"):
            models = [read_model(data, 0)]
    else:
        tokenizer, texts = _tokenizer(container)
        llm = _llm(container, texts)
        models = []
        for index, section in enumerate(container.sections):
            if section.kind is SectionKind.TFLITE_MODEL:
                with _naming(model_path, f"section {index} ({section.name})"):
                    models.append(read_model(section_bytes(container, section), index))
    lengths = (
        None if manifest is None else manifest.kv_length,
        None if llm is None else llm.max_num_tokens or None,
        *(model.kv_length for model in models),
    )
    return BundleSummary(
        path=model_path,
        size=len(data),
        sha256=digest,
        container_version=None if container is None else ".".join(map(str, container.version)),
        system_metadata={} if container is None else container.system_metadata,
        sections=() if container is None else tuple(_sections(container)),
        llm=llm,
        tokenizer=tokenizer,
        models=tuple(models),
        parts=_parts(len(data), container, models),
        kv_length=next((length for length in lengths if length is not None), None),
        manifest=manifest,
        size_matches=None if manifest is None else manifest.model.size == len(data),
        digest_matches=None if manifest is None else manifest.model.sha256 == digest,
    )


def _find(path: Path) -> tuple[Path, Manifest | None]:
    """Return the model file that a path stands for, and the manifest that speaks of it."""
    try:
        directory = path if path.is_dir() else path.parent
        finish_interrupted(directory)
        manifest = read_manifest(directory) if (directory / MANIFEST_NAME).exists() else None
        if directory is not path:
            return path, manifest if manifest is not None and manifest.model.file == path.name else None
        if manifest is not None:
            return path / manifest.model.file, manifest
        models = [file for file in path.iterdir() if file.name.endswith(".litertlm")]
    except OSError as error:
        raise BundleError(f"cannot be read: {error.strerror}", where=path) from error
    if len(models) != 1:
        raise no_manifest(path)
    return models[0], None


@contextlib.contextmanager
def _naming(path: Path, what: str) -> Iterator[None]:
    """Turn what is wrong inside a section into an error that names it."""
    try:
        yield
    except FlatError as error:
        raise BundleError(
            f"{what} is damaged: {error}", where=path, remedy="copy or convert the file again"
        ) from None


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no infinity
    return str(value) if isinstance(value, Path) else value


# ---------------------------------------- sections


def _sections(container: Container) -> Iterator[SectionSummary]:
    for index, section in enumerate(container.sections):
        yield SectionSummary(index, section.name, section.begin, section.end, section.size, section.metadata)


def _parts(size: int, container: Container | None, models: list[ModelSummary]) -> dict[str, int]:
    """Divide a file's size; what no other part claims is padding."""
    parts = dict.fromkeys(PARTS, 0)
    for model in models:
        parts["graph"] += model.graph_bytes
        for name, count in model.parts.items():
            parts[name] += count
    if container is not None:
        parts["metadata"] += container.header_end
        # Weights that a model keeps in a section of their own are already counted with the model.
        apart = sum(model.weight_bytes + model.graph_bytes - model.size for model in models)
        for section in container.sections:
            if section.kind in _TOKENIZERS:
                parts["tokenizer"] += section.size
            elif section.kind in _METADATA:
                parts["metadata"] += section.size
            elif section.kind is SectionKind.TFLITE_WEIGHTS:
                counted = min(apart, section.size)
                apart -= counted
                parts["other sections"] += section.size - counted
            elif section.kind is not SectionKind.TFLITE_MODEL:
                parts["other sections"] += section.size
    parts["padding"] = size - sum(parts.values())
    return parts


# ---------------------------------------- tokenizer


Texts = Mapping[int, str]


def _tokenizer(container: Container) -> tuple[TokenizerSummary | None, Texts]:
    """Return the first tokenizer, and the text of each of its ids."""
    for index, section in enumerate(container.sections):
        with _naming(container.path, f"section {index} ({section.name})"):
            data = section_bytes(container, section)
            if section.kind is SectionKind.SP_TOKENIZER:
                pieces = _sentencepieces(data)
                return TokenizerSummary("SentencePiece", section.size, len(pieces)), pieces
            if section.kind is SectionKind.HF_TOKENIZER:
                kind, pieces = _hf_pieces(unpack_hf_tokenizer(data))
                return TokenizerSummary(f"Hugging Face ({kind})", section.size, len(pieces)), pieces
    return None, {}


def _sentencepieces(data: memoryview) -> dict[int, str]:
    """Return the pieces of a SentencePiece model: of the protobuf message, field 1 of each field 1.

    Walked by hand: the library would build its whole tables for what takes a look at each piece.
    """
    pieces: dict[int, str] = {}
    for field, value in _protobuf_fields(data):
        if field == 1 and isinstance(value, memoryview):
            text = next(
                (v for f, v in _protobuf_fields(value) if f == 1 and isinstance(v, memoryview)),
                memoryview(b""),
            )
            try:
                pieces[len(pieces)] = str(text, "utf-8")
            except UnicodeDecodeError:
                raise FlatError(f"piece {len(pieces)} is not valid UTF-8") from None
    if not pieces:
        raise FlatError("it holds no pieces")
    return pieces


def _protobuf_fields(data: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yield (field number, content) of a protobuf message: bytes for length-delimited fields, else a number
    or 0."""
    position, size = 0, len(data)
    while position < size:
        tag, position = _varint(data, position)
        match tag & 7:
            case 0:
                value, position = _varint(data, position)
                yield tag >> 3, value
                continue
            case 1:
                length = 8
            case 2:
                length, position = _varint(data, position)
            case 5:
                length = 4
            case other:
                raise FlatError(f"a field has the unknown wire type {other} (at {position})")
        if position + length > size:
            raise FlatError(f"a field of {length} bytes reaches beyond its end (at {position})")
        yield tag >> 3, data[position : position + length] if tag & 7 == 2 else 0
        position += length


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise FlatError("it ends in the middle of a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise FlatError(f"a number has more than ten bytes (at {position})")


def _hf_pieces(text: bytes) -> tuple[str, dict[int, str]]:
    """Return the model's kind and the pieces, added tokens included, of a tokenizer.json."""
    try:
        content = json.loads(text)
        model, added = content["model"], content.get("added_tokens") or []
        vocabulary = model["vocab"]
        if isinstance(
            vocabulary, dict
        ):  # BPE, WordPiece: piece → id; Unigram: [piece, score] in the order of ids
            pieces = {int(number): str(piece) for piece, number in vocabulary.items()}
        else:
            pieces = {number: str(entry[0]) for number, entry in enumerate(vocabulary)}
        pieces |= {int(token["id"]): str(token["content"]) for token in added}
        return str(model.get("type", "unknown kind")), pieces
    except (ValueError, RecursionError) as error:
        raise FlatError(f"it holds no valid JSON ({error})") from None
    except (KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise FlatError(f"its JSON is no tokenizer ({error!r})") from None


# ---------------------------------------- LLM metadata


def _llm(container: Container, texts: Texts) -> LlmSummary | None:
    for index, section in enumerate(container.sections):
        if section.kind is SectionKind.LLM_METADATA:
            with _naming(container.path, f"section {index} ({section.name})"):
                return _llm_summary(bytes(section_bytes(container, section)), texts)
    return None


def _llm_summary(data: bytes, texts: Texts) -> LlmSummary:
    from google.protobuf.message import DecodeError
    from litert_lm_builder.runtime.proto import llm_metadata_pb2

    try:
        message = llm_metadata_pb2.LlmMetadata.FromString(data)
    except DecodeError as error:
        raise FlatError(f"it is no LlmMetadata message ({error})") from None

    def token(union: Any) -> TokenSummary:
        if union.WhichOneof("token_union") == "token_str":
            return TokenSummary((), union.token_str)
        ids = tuple(union.token_ids.ids)
        known = all(number in texts for number in ids)
        return TokenSummary(ids, "".join(texts[number] for number in ids) if known and ids else None)

    template = message.jinja_prompt_template if message.HasField("jinja_prompt_template") else None
    return LlmSummary(
        model_type=message.llm_model_type.WhichOneof("model_type"),
        max_num_tokens=message.max_num_tokens,
        start_token=token(message.start_token) if message.HasField("start_token") else None,
        pad_token=token(message.pad_token) if message.HasField("pad_token") else None,
        stop_tokens=tuple(token(union) for union in message.stop_tokens),
        sampler=_sampler(message.sampler_params) if message.HasField("sampler_params") else None,
        template_length=None if template is None else len(template),
        template_sha256=None if template is None else hashlib.sha256(template.encode()).hexdigest(),
        minimum_runtime=message.min_runtime_version if message.HasField("min_runtime_version") else None,
    )


def _sampler(message: Any) -> SamplerSummary:
    known = message.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number.get(message.type)
    kind = f"type {message.type}" if known is None else known.name.removeprefix("TYPE_").lower()
    # float32 fields: 0.95 would else show as 0.949999988079071
    return SamplerSummary(kind, float(f"{message.temperature:.7g}"), message.k, float(f"{message.p:.7g}"))
