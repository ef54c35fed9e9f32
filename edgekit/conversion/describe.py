"""The manifest of a bundle: what `convert` knows of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from edgekit.bundle import manifest as manifests
from edgekit.bundle.directory import EMPTY_SIDECAR_NAME
from edgekit.bundle.kept import write_kept
from edgekit.bundle.manifest import Manifest, sampler_use
from edgekit.bundle.writing import Written
from edgekit.checkpoint.lora.config import AdapterConfig
from edgekit.conversion.calibrate import Calibration
from edgekit.conversion.plan import Job
from edgekit.families.base import SLIDING, Architecture
from edgekit.graph.format import GraphKey, KvPrecision
from edgekit.text.generation import GREEDY

_PACKAGES = ("edgekit", "ai-edge-quantizer", "ai-edge-litert", "litert-lm-api")
_NO_NOTICE = (
    "the checkpoint says nothing of its licence; a fine-tune of Gemma is under the Gemma terms of use, "
    "which must travel with the model"
)


def describe(job: Job, source_digest: str, written: Written, calibration: Calibration | None) -> Manifest:
    """Make the manifest of what was written. source_digest: of the checkpoint's files."""
    checkpoint, text, graph, shape = job.checkpoint, job.text, job.graph, job.checkpoint.architecture
    texts = {token_id: token for token, token_id in text.tokenizer.special.items()}
    notice = checkpoint.notice
    return Manifest(
        model=manifests.ModelFile(job.file_name, written.size, written.sha256),
        source=manifests.Source(
            name=checkpoint.name,
            digest=source_digest,
            base=None if checkpoint.base_path is None else checkpoint.base_path.name,
            adapter=None if checkpoint.adapter is None else _lora(checkpoint.adapter),
        ),
        architecture=manifests.ArchitectureUse(
            family=shape.family,
            hidden_size=shape.hidden_size,
            layers=shape.layers,
            mlp_size=shape.intermediate_size,
            query_heads=shape.num_attention_heads,
            kv_heads=shape.num_key_value_heads,
            head_dim=shape.head_dim,
            vocab_size=shape.vocab_size,
            sliding_window=shape.sliding_window,
        ),
        recipe=manifests.RecipeUse(
            job.settings.recipe.name,
            {name: scheme.label() for name, scheme in job.schemes.items()},
            job.settings.recipe.gates,
            None if calibration is None else calibration.use,
        ),
        graph=manifests.GraphUse(
            graph.digest()[:16],
            graph.key.form,
            graph.key.prefill_lengths,
            graph.key.rotation,
            _cache(shape, graph.key),
        ),
        kv_length=job.settings.graph.tokens,
        start_token=text.start_id,
        pad_token=text.tokenizer.pad_id,
        stop_tokens=tuple(
            manifests.StopToken((token_id,), texts.get(token_id, "")) for token_id in text.stop_ids
        ),
        sampler=sampler_use(text.sampler),
        template_sha256=hashlib.sha256(text.device.source.encode()).hexdigest(),
        answer=None if job.settings.answer is None else job.settings.answer.to_manifest(),
        minimum_runtime=job.minimum_runtime,
        tools={package: version(package) for package in _PACKAGES},
        licence=None if notice is None else notice.strip().splitlines()[0],
        examples=job.settings.examples,
        notes=(
            *checkpoint.notes,
            *text.notes,
            *_sampling(job),
            *(() if job.settings.answer is None else job.settings.answer.notes()),
            *_seen_turns(job, calibration),
            *(() if notice is not None else (_NO_NOTICE,)),
        ),
        vocabulary=_vocabulary_use(job),
        adapters=_adapter_slots(job),
        suppressed_tokens=text.suppressed_ids,
        turns="one" if text.device.one_turn else job.settings.turns,
        calling=job.calling,
    )


def _sampling(job: Job) -> tuple[str, ...]:
    """Say that answers are not drawn as the checkpoint would have them drawn."""
    asked, settings = job.whole_text.generation.sampler, job.settings
    if settings.answer is None or settings.sampler != GREEDY or asked.kind == "greedy":
        return ()
    return (f"answers held to a format are greedy; the checkpoint asks for --sampler {asked}",)


def _seen_turns(job: Job, calibration: Calibration | None) -> tuple[str, ...]:
    """Say that the train file has conversations where the bundle will hold none."""
    settings, rows = job.settings, () if calibration is None else calibration.prompts
    held = settings.answer is not None or bool(settings.tools)
    if not held or settings.turns is not None or job.text.device.one_turn:
        return ()
    if not any(message["role"] in ("assistant", "model") for row in rows for message in row):
        return ()
    return (
        "rows of --calibrate-on have several turns, and each message will begin a conversation of its own: "
        "if the model was trained on them, convert with --turns many",
    )


def _adapter_slots(job: Job) -> manifests.AdapterSlots | None:
    inputs, empty = job.graph.key.adapters, job.empty_sidecar
    if inputs is None or empty is None:
        return None
    file = manifests.ModelFile(EMPTY_SIDECAR_NAME, len(empty), hashlib.sha256(empty).hexdigest())
    return manifests.AdapterSlots(inputs.rank, inputs.targets, file)


def _vocabulary_use(job: Job) -> manifests.VocabularyUse | None:
    trimmed, trim = job.trimmed, job.settings.trim
    if trimmed is None or trim is None:
        return None
    texts = tuple(Path(path).name for path in trim.texts)
    return manifests.VocabularyUse(trimmed.rows, write_kept(trimmed.kept), texts, tuple(trim.languages))


def _lora(adapter: AdapterConfig) -> dict[str, Any]:
    return {
        "type": "DoRA" if adapter.use_dora else "LoRA",
        "rank": adapter.rank,
        "alpha": adapter.alpha,
        "rslora": adapter.use_rslora,
    }


def _cache(shape: Architecture, key: GraphKey) -> manifests.CacheUse:
    position = 2 * shape.num_key_value_heads * shape.head_dim * _BYTES[key.kv_precision]
    rings = shape.layer_types.count(SLIDING) if key.kv_layout == "window" else 0
    return manifests.CacheUse(
        layout=key.kv_layout,
        precision=key.kv_precision,
        token_bytes=position * (shape.layers - rings),
        ring_bytes=position * rings * shape.ring_length if rings else 0,
    )


_BYTES: Final[Mapping[KvPrecision, int]] = {"float32": 4, "float16": 2, "int8": 1}
