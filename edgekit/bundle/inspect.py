"""What is inside a bundle: sections, metadata, tokenizer, signatures, weights by scheme, size by part.

Works on bundle directories, on any .litertlm file (also from other tools) and on bare .tflite files. Nothing
in a file is trusted: what is damaged ends as a BundleError that names the file and the section.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from edgekit.bundle.container import (
    Container,
    SectionKind,
    map_file,
    naming,
    parse_container,
    section_bytes,
)
from edgekit.bundle.directory import MANIFEST_NAME, check_directory
from edgekit.bundle.flat import FlatError
from edgekit.bundle.manifest import Manifest, read_manifest
from edgekit.bundle.opening import no_manifest
from edgekit.bundle.pieces import Texts, read_pieces
from edgekit.bundle.summary import (
    PARTS,
    LlmSummary,
    SamplerSummary,
    SectionSummary,
    Summary,
    TokenSummary,
)
from edgekit.bundle.tflite import ModelSummary, is_tflite, read_model
from edgekit.errors import BundleError

_TOKENIZERS: Final = (SectionKind.SP_TOKENIZER, SectionKind.HF_TOKENIZER)
_METADATA: Final = (
    SectionKind.LLM_METADATA,
    SectionKind.EXECUTOR_METADATA,
    SectionKind.EMBEDDING_METADATA,
    SectionKind.TTS_METADATA,
    SectionKind.ASR_METADATA,
)


def inspect(path: str | Path) -> Summary:
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
        with naming(model_path, "the model"):
            models = [read_model(data, 0)]
    else:
        tokenizer, texts = read_pieces(container)
        llm = _llm(container, texts)
        models = []
        for index, section in enumerate(container.sections):
            if section.kind is SectionKind.TFLITE_MODEL:
                with naming(model_path, f"section {index} ({section.name})"):
                    models.append(read_model(section_bytes(container, section), index))
    lengths = (
        None if manifest is None else manifest.kv_length,
        None if llm is None else llm.max_num_tokens or None,
        *(model.kv_length for model in models),
    )
    return Summary(
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
        manifest = None
        if directory is path or (directory / MANIFEST_NAME).exists():
            check_directory(directory)
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


# ---------------------------------------- LLM metadata


def _llm(container: Container, texts: Texts) -> LlmSummary | None:
    for index, section in enumerate(container.sections):
        if section.kind is SectionKind.LLM_METADATA:
            with naming(container.path, f"section {index} ({section.name})"):
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
