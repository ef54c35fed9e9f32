"""Convert: a checkpoint becomes a bundle.

    open the checkpoint → settle its text → find the graph → plan the link → write → check in the engine

Nothing appears at the output before all of it is done and the engine has answered.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from edgekit.bundle import manifest as manifests
from edgekit.bundle.container import PREFILL_DECODE, SectionKind
from edgekit.bundle.directory import EMPTY_SIDECAR_NAME, MANIFEST_NAME, NOTICE_NAME, new_bundle
from edgekit.bundle.kept import write_kept
from edgekit.bundle.manifest import Manifest, manifest_bytes, sampler_use
from edgekit.bundle.metadata import (
    MIN_RUNTIME_VERSION,
    MIN_RUNTIME_VERSION_ADAPTERS,
    MIN_RUNTIME_VERSION_WINDOW,
    build_executor_metadata,
    build_llm_metadata,
    serialize,
)
from edgekit.bundle.sidecar import sidecar_bytes
from edgekit.bundle.writing import Section, Written, container_size, pack_hf_tokenizer, write_container
from edgekit.checkpoint import Checkpoint, digest, open_checkpoint
from edgekit.checkpoint.lora.config import AdapterConfig
from edgekit.checkpoint.source import plain_name
from edgekit.conversion.trim.trim import Trimmed, Wish, make_wish, trim
from edgekit.errors import InputError
from edgekit.graph import Graph, Link, find_graph, graph_key, plan_link
from edgekit.graph.format import AdapterInputs, CacheKind, Form, GraphKey, KvPrecision
from edgekit.graph.library import GEMMA_3_270M, GEMMA_3_VOCABULARY
from edgekit.graph.slots import ATTENTION, RANKS, TARGETS
from edgekit.graph.weights import model_chunks
from edgekit.progress import SILENT, Progress
from edgekit.recipes import Recipe, Scheme, read_recipe, resolve, shipped_recipes
from edgekit.recipes.recipe import DEFAULT as DEFAULT_RECIPE
from edgekit.recipes.recipe import stored_bytes
from edgekit.text.answers import AnswerFormat, parse_answer
from edgekit.text.generation import Sampler, parse_sampler
from edgekit.text.settle import Text, read_text

if TYPE_CHECKING:
    from edgekit.runtime.ask.smoke import SmokeResult

FileFormat = Literal["litertlm", "tflite"]

DEFAULT_KV_LENGTH = 4096
SHORTEST_KV_LENGTH: Mapping[Form, int] = {"dynamic": 128, "static": 1024}

_TARGETS = {"all": TARGETS, "attention": ATTENTION}

_PACKAGES = ("edgekit", "ai-edge-quantizer", "ai-edge-litert", "litert-lm-api")
_NO_NOTICE = (
    "the checkpoint says nothing of its licence; a fine-tune of Gemma is under the Gemma terms of use, "
    "which must travel with the model"
)


@dataclass(frozen=True)
class ConvertResult:
    """What a conversion made.

    seconds: from the call to the finished bundle. steps: seconds by step, in order.
    check: what the engine answered, None when it was not asked.
    """

    bundle: Path
    model: Path
    manifest: Manifest
    seconds: float
    steps: Mapping[str, float]
    check: SmokeResult | None

    def to_json(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {
            "bundle": str(self.bundle),
            "model": str(self.model),
            "seconds": round(self.seconds, 3),
            "steps": {name: round(seconds, 3) for name, seconds in self.steps.items()},
            "check": None if self.check is None else {"text": self.check.text},
            "manifest": manifests.to_json(self.manifest),
        }


def convert(
    checkpoint: str | Path,
    output: str | Path | None = None,
    *,
    recipe: str | Path = DEFAULT_RECIPE,
    kv_length: int = DEFAULT_KV_LENGTH,
    shape: str = "dynamic",
    cache: str = "full",
    kv_cache: str = "float32",
    adapter_ready: bool = False,
    rank: int | None = None,
    adapter_targets: str | None = None,
    base: str | Path | None = None,
    name: str | None = None,
    sampler: str | None = None,
    answer_schema: str | Path | None = None,
    answer_regex: str | None = None,
    file_format: str = "litertlm",
    vocab_from: Sequence[str | Path] = (),
    vocab_keep: int | None = None,
    vocab_lang: Sequence[str] = (),
    vocab_fields: Mapping[str, str] | None = None,
    examples: Sequence[str] = (),
    force: bool = False,
    check: bool = True,
    threads: int | None = None,
    progress: Progress = SILENT,
) -> ConvertResult:
    """Convert a fine-tuned Gemma 3 checkpoint into a bundle directory.

    checkpoint: a directory or Hub id of a model, or of a LoRA adapter (then `base` may name its base).
    output: the bundle directory; by default "NAME-RECIPE" in the current directory.
    recipe: the name of a shipped recipe or the path of a TOML file.
    kv_length: the most tokens that prompt and answer may have together.
    shape: "dynamic" or "static". cache: what sliding layers keep, "full" or, in the dynamic shape, "window" only: then
    a long conversation takes a fraction of the memory. kv_cache: the precision of what is kept, "float32" or
    "float16", which takes less memory and more time. adapter_ready: make a base that takes adapters at run time (see
    `edgekit.adapter`), of rank 16 (the default) or 32, on "all" projections (the default) or on those of "attention"
    only, which costs less at every step. sampler: "greedy" or "temperature=…,top_k=…,top_p=…".
    answer_schema, answer_regex: what every answer is held to; at most one of them.
    file_format: "litertlm", or "tflite" for the model without tokenizer and metadata.
    vocab_from: texts of the task (JSONL, CSV, a `datasets` directory, or plain text): only the vocabulary's pieces
    that they need are kept, and the most useful others up to vocab_keep (32,000), with the pieces of the languages
    vocab_lang first ("en", "nb", …). vocab_fields: our name of a column → the data's.
    examples: prompts to try, kept in the manifest; an app offers them.
    force: replace a bundle that is there. check: open the result in the engine and generate.
    threads: for quantizing; all cores by default.
    Raises EdgekitError, and leaves what was there as it was, when anything is amiss.
    """
    clock = _Clock()
    settings = _Settings(
        form=_one_of(shape, get_args(Form), "--shape"),
        cache=_cache(cache, shape),
        kv_cache=_one_of(kv_cache, get_args(KvPrecision), "--kv-cache"),
        adapters=_adapter_inputs(adapter_ready, rank, adapter_targets, shape, file_format),
        suffix=_one_of(file_format, get_args(FileFormat), "--format"),
        recipe=read_recipe(recipe),
        kv_length=kv_length,
        sampler=parse_sampler(sampler) if sampler else None,
        answer=_answer_format(answer_schema, answer_regex, file_format),
        name=None if name is None else plain_name(name, where="--name"),
        vocabulary=_wish(make_wish(vocab_from, vocab_keep, vocab_lang, vocab_fields), file_format),
        examples=_examples(examples),
    )
    opened = open_checkpoint(checkpoint, base=base, progress=progress)
    _check_kv_length(settings, opened)
    clock.lap("open the checkpoint")
    source_digest = _in_the_background(digest, opened)
    job = _plan(settings, opened, progress, clock)
    target = Path(output) if output is not None else Path(f"{job.name}-{settings.recipe.name}")
    with new_bundle(target, force=force, needed_bytes=job.file_bytes) as staging:
        path = staging.path / job.file_name
        written = _write_model(job, path, threads, progress)
        clock.lap("quantize and write")
        manifest = _manifest(job, source_digest.result(), written)
        clock.lap("digest the checkpoint")
        (staging.path / MANIFEST_NAME).write_bytes(manifest_bytes(manifest))
        if (empty := job.empty_sidecar) is not None:
            (staging.path / EMPTY_SIDECAR_NAME).write_bytes(empty)
        if opened.notice is not None:
            (staging.path / NOTICE_NAME).write_text(opened.notice.rstrip() + "\n", encoding="utf-8")
        smoke = _check(job, path, answer_schema, progress) if check or settings.answer else None
        clock.lap("check in the engine")
    clock.lap("finish the bundle")
    return ConvertResult(target, target / path.name, manifest, clock.total, clock.laps, smoke)


@dataclass(frozen=True)
class _Settings:
    """What was asked for, checked as far as that goes without the checkpoint."""

    form: Form
    cache: CacheKind
    kv_cache: KvPrecision
    adapters: AdapterInputs | None
    suffix: FileFormat
    recipe: Recipe
    kv_length: int
    sampler: Sampler | None
    answer: AnswerFormat | None
    name: str | None
    vocabulary: Wish | None
    examples: tuple[str, ...]


@dataclass(frozen=True)
class _Job:
    """A conversion decided down to the last byte, before a weight is read."""

    settings: _Settings
    checkpoint: Checkpoint
    text: Text
    graph: Graph
    schemes: Mapping[str, Scheme]
    link: Link
    small_sections: tuple[Section, ...]
    """Everything in the container but the model; none in a bare graph."""
    trimmed: Trimmed | None
    """What became of the vocabulary; None when it is whole. Checkpoint and text are the trimmed ones then."""

    @property
    def name(self) -> str:
        return self.settings.name or self.checkpoint.name

    @property
    def file_name(self) -> str:
        return f"{self.name}.{self.settings.suffix}"

    @property
    def file_bytes(self) -> int:
        if self.settings.suffix == "tflite":
            return self.link.size
        return container_size([*self.small_sections, self.model_section(())])

    @property
    def empty_sidecar(self) -> bytes | None:
        """What a base that takes adapters is used with when there is none."""
        inputs = self.graph.key.adapters
        return None if inputs is None else sidecar_bytes({}, inputs.rank)

    def model_section(self, chunks: Iterable[bytes | memoryview]) -> Section:
        """The model as a section of the container."""
        return Section(SectionKind.TFLITE_MODEL, self.link.size, chunks, PREFILL_DECODE)


def _plan(settings: _Settings, checkpoint: Checkpoint, progress: Progress, clock: _Clock) -> _Job:
    with progress.step("read tokenizer and template"):
        text = read_text(
            checkpoint.text_path,
            generation_directory=checkpoint.generation_path,
            rows=checkpoint.config.vocab_size,
            sampler=settings.sampler,
        )
    clock.lap("read tokenizer and template")
    trimmed = _trimmed(settings, checkpoint, text, progress)
    if trimmed is not None:
        checkpoint, text = trimmed.checkpoint, trimmed.text
        clock.lap("trim the vocabulary")
    config = checkpoint.config
    key = graph_key(config, settings.form, settings.cache, settings.adapters, settings.kv_cache)
    graph = find_graph(key, progress)
    clock.lap("find the graph")
    matrices = {c.tensor: checkpoint.tensors[c.tensor].shape for c in graph.constants if c.quantizable}
    schemes = resolve(settings.recipe, matrices)
    kv_length = settings.kv_length if settings.form == "static" else None
    link = plan_link(graph, schemes, config.vocab_size, kv_length)
    sections = _small_sections(text, checkpoint, settings, graph.key) if settings.suffix == "litertlm" else ()
    clock.lap("plan the link")
    return _Job(settings, checkpoint, text, graph, schemes, link, sections, trimmed)


def _cache(cache: str, shape: str) -> CacheKind:
    kind: CacheKind = _one_of(cache, get_args(CacheKind), "--cache")
    if kind == "window" and shape == "static":
        raise InputError(
            "the static form's sliding layers keep every position",
            where="--cache window",
            remedy="leave --shape static away, or use --cache full",
        )
    return kind


def _adapter_inputs(
    ready: bool, rank: int | None, targets: str | None, shape: str, suffix: str
) -> AdapterInputs | None:
    if not ready:
        for option, value in (("--rank", rank), ("--adapter-targets", targets)):
            if value is not None:
                raise InputError(
                    "it says which adapters a base takes",
                    where=option,
                    remedy="add --adapter-ready, or leave it away",
                )
        return None
    if shape == "static":
        raise InputError(
            "only the dynamic form takes adapters",
            where="--adapter-ready",
            remedy="leave --shape static away, or convert each adapter merged into its base",
        )
    if suffix != "litertlm":
        raise InputError(
            "a bare graph is not opened by the LiteRT-LM engine, which fills in adapters",
            where="--adapter-ready",
            remedy="leave --format tflite away",
        )
    rank = RANKS[0] if rank is None else rank
    if rank not in RANKS:
        raise InputError(
            f"LiteRT-LM takes adapters of rank {' or '.join(map(str, RANKS))}, not {rank}",
            where="--rank",
            remedy="take the next larger one: a smaller adapter is padded without loss",
        )
    return AdapterInputs(rank, _TARGETS[_one_of(targets or "all", tuple(_TARGETS), "--adapter-targets")])


def _wish(wish: Wish | None, suffix: str) -> Wish | None:
    if wish is not None and suffix != "litertlm":
        raise InputError(
            "a bare graph has no tokenizer, and the checkpoint's does not know a trimmed vocabulary's ids",
            where="--format tflite",
            remedy="leave --vocab-from away, or use --format litertlm",
        )
    return wish


def _trimmed(settings: _Settings, checkpoint: Checkpoint, text: Text, progress: Progress) -> Trimmed | None:
    wish = settings.vocabulary
    if wish is None:
        return None
    with tempfile.TemporaryDirectory(prefix="edgekit-") as directory:
        return trim(
            checkpoint,
            text,
            wish,
            Path(directory),
            answer=settings.answer,
            sampler=settings.sampler,
            progress=progress,
        )


def _in_the_background(function: Callable[[Checkpoint], str], checkpoint: Checkpoint) -> Future[str]:
    """Start a digest on the core that is idle while the tokenizer is read; nobody waits for it on an error."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="digest")
    future = pool.submit(function, checkpoint)
    pool.shutdown(wait=False)
    return future


def recipe_sizes(checkpoint: str | Path | None = None) -> dict[str, int]:
    """Bytes that the weights take under each shipped recipe: of a checkpoint, or of Gemma 3 270M."""
    matrices, norms = _gemma_3_270m() if checkpoint is None else _shapes(open_checkpoint(checkpoint))
    return {
        recipe.name: stored_bytes(resolve(recipe, matrices), matrices) + norms for recipe in shipped_recipes()
    }


def _write_model(job: _Job, path: Path, threads: int | None, progress: Progress) -> Written:
    """Write the model file, front to back, and sync it to the disk."""
    values = sum(_count(slot.shape) for slot in job.link.slots)
    with path.open("wb") as file, progress.step("quantize and write", values * 2, "bytes") as advance:
        # Told in bytes of the bfloat16 source, which is what people know the size of.
        chunks = model_chunks(
            job.link, job.checkpoint.tensors, threads=threads, advance=lambda done: advance(done * 2)
        )
        if job.settings.suffix == "litertlm":
            written = write_container(file, [*job.small_sections, job.model_section(chunks)])
        else:
            hasher = hashlib.sha256()
            for chunk in chunks:
                file.write(chunk)
                hasher.update(chunk)
            written = Written(job.link.size, hasher.hexdigest(), ())
        file.flush()
        os.fsync(file.fileno())
    return written


def _small_sections(
    text: Text, checkpoint: Checkpoint, settings: _Settings, key: GraphKey
) -> tuple[Section, ...]:
    """Metadata and tokenizer."""
    kv_length = settings.kv_length
    minimum = _minimum_runtime(settings)
    llm = serialize(build_llm_metadata(text, kv_length=kv_length, min_runtime_version=minimum))
    ring_length = key.architecture.ring_length if key.cache == "window" else None
    executor = serialize(
        build_executor_metadata(
            checkpoint.config, form=key.form, kv_length=kv_length, ring_length=ring_length
        )
    )
    if text.tokenizer.kind == "sentencepiece":
        kind, tokenizer = SectionKind.SP_TOKENIZER, text.tokenizer.data
    else:
        kind, tokenizer = SectionKind.HF_TOKENIZER, pack_hf_tokenizer(text.tokenizer.data)
    return (
        Section(SectionKind.LLM_METADATA, len(llm), [llm]),
        Section(SectionKind.EXECUTOR_METADATA, len(executor), [executor]),
        Section(kind, len(tokenizer), [tokenizer]),
    )


def _minimum_runtime(settings: _Settings) -> str:
    if settings.cache == "window":
        return MIN_RUNTIME_VERSION_WINDOW
    return MIN_RUNTIME_VERSION if settings.adapters is None else MIN_RUNTIME_VERSION_ADAPTERS


def _answer_format(schema: str | Path | None, regex: str | None, suffix: str) -> AnswerFormat | None:
    if suffix != "litertlm" and (schema is not None or regex is not None):
        raise InputError(
            "a bare graph cannot hold its answers to a format: that takes the LiteRT-LM engine",
            where="--format tflite",
            remedy="leave --answer-schema and --answer-regex away, or use --format litertlm",
        )
    return parse_answer(schema, regex)


def _check(job: _Job, path: Path, schema: str | Path | None, progress: Progress) -> SmokeResult | None:
    """Open the written file in the real engine, or a bare graph in the interpreter, and let it compute.

    schema: the file of the answer format, named when the engine cannot take it.
    """
    if job.settings.suffix == "tflite":
        from edgekit.runtime.interpreter import check_model

        with progress.step("check in the interpreter"):
            check_model(path)
        return None
    from edgekit.runtime.ask.smoke import smoke

    return smoke(path, answer=job.settings.answer, answer_schema=schema, progress=progress)


def _manifest(job: _Job, source_digest: str, written: Written) -> Manifest:
    checkpoint, text, graph, config = job.checkpoint, job.text, job.graph, job.checkpoint.config
    texts = {token_id: token for token, token_id in text.tokenizer.special.items()}
    notice = checkpoint.notice
    return Manifest(
        model=manifests.ModelFile(job.file_name, written.size, written.sha256),
        source=manifests.Source(
            name=checkpoint.name,
            digest=source_digest,
            base=None if checkpoint.base_path is None else checkpoint.base_path.name,
            adapter=None if checkpoint.adapter is None else _adapter(checkpoint.adapter),
        ),
        architecture=manifests.Architecture(
            family="gemma3",
            hidden_size=config.hidden_size,
            layers=config.num_hidden_layers,
            mlp_size=config.intermediate_size,
            query_heads=config.num_attention_heads,
            kv_heads=config.num_key_value_heads,
            head_dim=config.head_dim,
            vocab_size=config.vocab_size,
            sliding_window=config.sliding_window,
        ),
        recipe=manifests.RecipeUse(
            job.settings.recipe.name, {name: scheme.label() for name, scheme in job.schemes.items()}
        ),
        graph=manifests.GraphUse(graph.digest()[:16], graph.key.form, graph.key.prefill_lengths),
        kv_length=job.settings.kv_length,
        start_token=text.start_id,
        pad_token=text.tokenizer.pad_id,
        stop_tokens=tuple(
            manifests.StopToken((token_id,), texts.get(token_id, "")) for token_id in text.stop_ids
        ),
        sampler=sampler_use(text.sampler),
        template_sha256=hashlib.sha256(text.device.source.encode()).hexdigest(),
        answer=None if job.settings.answer is None else job.settings.answer.to_manifest(),
        minimum_runtime=_minimum_runtime(job.settings),
        tools={package: version(package) for package in _PACKAGES},
        licence=None if notice is None else notice.strip().splitlines()[0],
        examples=job.settings.examples,
        notes=text.notes if notice is not None else (*text.notes, _NO_NOTICE),
        vocabulary=_vocabulary_use(job),
        adapters=_adapter_slots(job),
    )


def _adapter_slots(job: _Job) -> manifests.AdapterSlots | None:
    inputs, empty = job.graph.key.adapters, job.empty_sidecar
    if inputs is None or empty is None:
        return None
    file = manifests.ModelFile(EMPTY_SIDECAR_NAME, len(empty), hashlib.sha256(empty).hexdigest())
    return manifests.AdapterSlots(inputs.rank, inputs.targets, file)


def _vocabulary_use(job: _Job) -> manifests.VocabularyUse | None:
    trimmed, wish = job.trimmed, job.settings.vocabulary
    if trimmed is None or wish is None:
        return None
    corpora = tuple(path.name for path in wish.corpora)
    return manifests.VocabularyUse(trimmed.rows, write_kept(trimmed.kept), corpora, wish.languages)


def _adapter(adapter: AdapterConfig) -> dict[str, Any]:
    return {
        "type": "DoRA" if adapter.use_dora else "LoRA",
        "rank": adapter.rank,
        "alpha": adapter.alpha,
        "rslora": adapter.use_rslora,
    }


def _shapes(checkpoint: Checkpoint) -> tuple[dict[str, tuple[int, ...]], int]:
    """Matrices by name, and the bytes of everything else."""
    shapes = {name: tensor.shape for name, tensor in checkpoint.tensors.items()}
    matrices: dict[str, tuple[int, ...]] = {n: shape for n, shape in shapes.items() if len(shape) == 2}
    return matrices, 4 * sum(_count(shape) for shape in shapes.values() if len(shape) != 2)


def _gemma_3_270m() -> tuple[dict[str, tuple[int, ...]], int]:
    graph = find_graph(GraphKey(GEMMA_3_270M, "dynamic"))
    sizes = {graph.vocabulary: GEMMA_3_VOCABULARY}
    shapes = {c.tensor: tuple(sizes.get(size, size) for size in c.shape) for c in graph.constants}
    matrices = {c.tensor: shapes[c.tensor] for c in graph.constants if c.quantizable}
    return matrices, 4 * sum(_count(shape) for name, shape in shapes.items() if name not in matrices)


def _check_kv_length(settings: _Settings, checkpoint: Checkpoint) -> None:
    kv_length, form = settings.kv_length, settings.form
    longest = checkpoint.config.max_position_embeddings
    shortest = SHORTEST_KV_LENGTH[form]
    if not shortest <= kv_length <= longest:
        raise InputError(
            f"{kv_length:,} is not from {shortest:,} to {longest:,}, the lengths that this {form} model has",
            where="--kv-length",
            remedy=f"{min(DEFAULT_KV_LENGTH, longest)} serves most uses",
        )


def _examples(examples: Sequence[str]) -> tuple[str, ...]:
    if any(not example.strip() for example in examples):
        raise InputError("a prompt to try is empty", where="--example", remedy="write one, or leave it away")
    return tuple(dict.fromkeys(examples))


def _one_of(value: str, choices: tuple[Any, ...], where: str) -> Any:
    if value not in choices:
        raise InputError(
            f"{value!r} is none of its values", where=where, remedy=f"use one of {', '.join(choices)}"
        )
    return value


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


@dataclass
class _Clock:
    """Seconds per step, for the result and for whoever profiles."""

    started: float = field(default_factory=time.perf_counter)
    laps: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        return sum(self.laps.values())

    def lap(self, name: str) -> None:
        self.laps[name] = time.perf_counter() - self.started - self.total
