"""Convert: a checkpoint becomes a bundle.

    open the checkpoint → settle its text → find the graph → plan the link → write → check in the engine

Nothing appears at the output before all of it is done and the engine has answered.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from edgekit.bundle import manifest as manifests
from edgekit.bundle.answers import AnswerFormat, parse_regex, read_schema
from edgekit.bundle.container import (
    PREFILL_DECODE,
    Section,
    SectionKind,
    Written,
    container_size,
    pack_hf_tokenizer,
    write_container,
)
from edgekit.bundle.directory import MANIFEST_NAME, NOTICE_NAME, new_bundle
from edgekit.bundle.manifest import Manifest, manifest_bytes
from edgekit.bundle.metadata import (
    MIN_RUNTIME_VERSION,
    Text,
    build_executor_metadata,
    build_llm_metadata,
    read_text,
    serialize,
)
from edgekit.checkpoint import Checkpoint, digest, open_checkpoint
from edgekit.checkpoint.adapter import AdapterConfig
from edgekit.checkpoint.generation import parse_sampler
from edgekit.checkpoint.source import safe_name
from edgekit.errors import BundleError, InputError
from edgekit.graph import Graph, Link, find_graph, graph_key, plan_link
from edgekit.graph.format import Form, GraphKey
from edgekit.graph.library import GEMMA_3_270M, GEMMA_3_VOCABULARY
from edgekit.graph.weights import model_chunks
from edgekit.progress import SILENT, Progress
from edgekit.recipes import Recipe, Scheme, read_recipe, resolve, shipped_recipes
from edgekit.recipes.recipe import DEFAULT as DEFAULT_RECIPE
from edgekit.recipes.recipe import stored_bytes

if TYPE_CHECKING:
    from edgekit.runtime.engine import SmokeResult

FileFormat = Literal["litertlm", "tflite"]

DEFAULT_KV_LENGTH = 4096
SHORTEST_KV_LENGTH: Mapping[Form, int] = {"dynamic": 128, "static": 1024}

_PACKAGES = ("edgekit", "ai-edge-quantizer", "ai-edge-litert", "litert-lm-api")
_OTHER_MEANS = {
    "json_schema": "say it without that; enum, const, pattern, anyOf, minLength and the like are supported",
    "regex": "say it with alternatives, classes, groups and counts",
}
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
    base: str | Path | None = None,
    name: str | None = None,
    sampler: str | None = None,
    answer_schema: str | Path | None = None,
    answer_regex: str | None = None,
    file_format: str = "litertlm",
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
    shape: "dynamic" or "static". sampler: "greedy" or "temperature=…,top_k=…,top_p=…".
    answer_schema, answer_regex: what every answer is held to; at most one of them.
    file_format: "litertlm", or "tflite" for the model without tokenizer and metadata.
    force: replace a bundle that is there. check: open the result in the engine and generate.
    threads: for quantizing; all cores by default.
    Raises EdgekitError, and leaves what was there as it was, when anything is amiss.
    """
    clock = _Clock()
    form = _one_of(shape, get_args(Form), "--shape")
    suffix = _one_of(file_format, get_args(FileFormat), "--format")
    chosen = read_recipe(recipe)
    answer = _answer_format(answer_schema, answer_regex, suffix)
    opened = open_checkpoint(checkpoint, base=base, progress=progress)
    model_name = opened.name if name is None else _plain_name(name)
    target = Path(output) if output is not None else Path(f"{model_name}-{chosen.name}")
    _check_kv_length(kv_length, form, opened)
    source_digest = _in_the_background(digest, opened)
    clock.lap("open the checkpoint")

    with progress.step("read tokenizer and template"):
        text = read_text(
            opened.text_path,
            generation_directory=opened.generation_path,
            rows=opened.config.vocab_size,
            sampler=parse_sampler(sampler) if sampler else None,
        )
    clock.lap("settle the text")
    graph = find_graph(graph_key(opened.config, form), progress)
    clock.lap("find the graph")
    schemes = _schemes(chosen, graph, opened)
    link = plan_link(graph, schemes, opened.config.vocab_size, kv_length if form == "static" else None)
    clock.lap("plan the link")

    sections = _small_sections(text, opened, form, kv_length) if suffix == "litertlm" else []
    model_section = Section(SectionKind.TFLITE_MODEL, link.size, (), PREFILL_DECODE)
    needed = container_size([*sections, model_section]) if suffix == "litertlm" else link.size
    with new_bundle(target, force=force, needed_bytes=needed) as staging:
        path = staging.path / f"{model_name}.{suffix}"
        written = _write_model(path, link, sections, opened, suffix, threads, progress)
        clock.lap("quantize and write")
        manifest = _manifest(
            opened,
            source_digest.result(),
            chosen,
            schemes,
            graph,
            text,
            path.name,
            written,
            kv_length,
            answer,
        )
        clock.lap("digest the checkpoint")
        (staging.path / MANIFEST_NAME).write_bytes(manifest_bytes(manifest))
        if opened.notice is not None:
            (staging.path / NOTICE_NAME).write_text(opened.notice.rstrip() + "\n", encoding="utf-8")
        if answer is not None:
            _verify_answers(path, answer, answer_schema, progress)
            clock.lap("try the answer format")
        smoke = _check(path, suffix, progress) if check else None
        clock.lap("check in the engine")
    clock.lap("finish the bundle")
    return ConvertResult(target, target / path.name, manifest, clock.total, clock.laps, smoke)


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


def _write_model(
    path: Path,
    link: Link,
    sections: list[Section],
    checkpoint: Checkpoint,
    suffix: str,
    threads: int | None,
    progress: Progress,
) -> Written:
    """Write the model file, front to back, and sync it to the disk."""
    values = sum(_count(slot.shape) for slot in link.slots)
    with path.open("wb") as file, progress.step("quantize and write", values * 2, "bytes") as advance:
        # Told in bytes of the bfloat16 source, which is what people know the size of.
        chunks = model_chunks(
            link, checkpoint.tensors, threads=threads, advance=lambda done: advance(done * 2)
        )
        if suffix == "litertlm":
            model = Section(SectionKind.TFLITE_MODEL, link.size, chunks, PREFILL_DECODE)
            written = write_container(file, [*sections, model])
        else:
            hasher = hashlib.sha256()
            for chunk in chunks:
                file.write(chunk)
                hasher.update(chunk)
            written = Written(link.size, hasher.hexdigest(), ())
        file.flush()
        os.fsync(file.fileno())
    return written


def _small_sections(text: Text, checkpoint: Checkpoint, form: Form, kv_length: int) -> list[Section]:
    """Everything but the model: metadata and tokenizer."""
    llm = serialize(build_llm_metadata(text, kv_length=kv_length))
    executor = serialize(build_executor_metadata(checkpoint.config, form=form, kv_length=kv_length))
    sections = [
        Section(SectionKind.LLM_METADATA, len(llm), [llm]),
        Section(SectionKind.EXECUTOR_METADATA, len(executor), [executor]),
    ]
    if text.tokenizer.kind == "sentencepiece":
        sections.append(Section(SectionKind.SP_TOKENIZER, len(text.tokenizer.data), [text.tokenizer.data]))
    else:
        packed = pack_hf_tokenizer(text.tokenizer.data)
        sections.append(Section(SectionKind.HF_TOKENIZER, len(packed), [packed]))
    return sections


def _answer_format(schema: str | Path | None, regex: str | None, suffix: str) -> AnswerFormat | None:
    if schema is None and regex is None:
        return None
    if schema is not None and regex is not None:
        raise InputError(
            "a schema and a regular expression are given",
            where="--answer-schema, --answer-regex",
            remedy="leave one of them away",
        )
    if suffix != "litertlm":
        raise InputError(
            "a bare graph cannot hold its answers to a format: that takes the LiteRT-LM engine",
            where="--format tflite",
            remedy="leave --answer-schema and --answer-regex away, or use --format litertlm",
        )
    return read_schema(Path(schema)) if schema is not None else parse_regex(regex or "")


def _verify_answers(path: Path, answer: AnswerFormat, schema: str | Path | None, progress: Progress) -> None:
    """Have the engine decode under the answer format, and name the file of a schema that it cannot take."""
    from edgekit.runtime.engine import open_engine, verify_answers

    try:
        with progress.step("try the answer format"), open_engine(path) as engine:
            verify_answers(engine, answer)
    except InputError as error:
        if isinstance(error, BundleError):  # the file, not the format
            raise
        raise InputError(
            error.message,
            where=error.where if schema is None else schema,
            remedy=error.remedy or _OTHER_MEANS[answer.kind],
        ) from error


def _check(path: Path, suffix: str, progress: Progress) -> SmokeResult | None:
    """Open the written file in the real engine, or a bare graph in the interpreter, and let it compute."""
    if suffix == "litertlm":
        from edgekit.runtime.engine import smoke

        with progress.step("check in the engine"):
            return smoke(path)
    from edgekit.runtime.interpreter import check_model

    with progress.step("check in the interpreter"):
        check_model(path)
    return None


def _manifest(
    checkpoint: Checkpoint,
    source_digest: str,
    recipe: Recipe,
    schemes: Mapping[str, Scheme],
    graph: Graph,
    text: Text,
    file: str,
    written: Written,
    kv_length: int,
    answer: AnswerFormat | None,
) -> Manifest:
    config = checkpoint.config
    sampler = text.sampler
    texts = {token_id: token for token, token_id in text.tokenizer.special.items()}
    notes = list(text.notes)
    if checkpoint.notice is None:
        notes.append(_NO_NOTICE)
    return Manifest(
        model=manifests.ModelFile(file, written.size, written.sha256),
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
        recipe=manifests.RecipeUse(recipe.name, {name: scheme.label() for name, scheme in schemes.items()}),
        graph=manifests.GraphUse(graph.digest()[:16], graph.key.form, graph.key.prefill_lengths),
        kv_length=kv_length,
        start_token=text.start_id,
        pad_token=text.tokenizer.pad_id,
        stop_tokens=tuple(
            manifests.StopToken((token_id,), texts.get(token_id, "")) for token_id in text.stop_ids
        ),
        sampler=manifests.SamplerUse(
            sampler.kind,
            *(
                (None,) * 3
                if sampler.kind == "greedy"
                else (sampler.temperature, sampler.top_k, sampler.top_p)
            ),
        ),
        template_sha256=hashlib.sha256(text.device.source.encode()).hexdigest(),
        answer=None if answer is None else answer.to_manifest(),
        minimum_runtime=MIN_RUNTIME_VERSION,
        tools={package: version(package) for package in _PACKAGES},
        licence=None if checkpoint.notice is None else checkpoint.notice.strip().splitlines()[0],
        notes=tuple(notes),
    )


def _adapter(adapter: AdapterConfig) -> dict[str, Any]:
    return {
        "type": "DoRA" if adapter.use_dora else "LoRA",
        "rank": adapter.rank,
        "alpha": adapter.alpha,
        "rslora": adapter.use_rslora,
    }


def _schemes(recipe: Recipe, graph: Graph, checkpoint: Checkpoint) -> dict[str, Scheme]:
    matrices = {c.tensor: checkpoint.tensors[c.tensor].shape for c in graph.constants if c.quantizable}
    return resolve(recipe, matrices)


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


def _check_kv_length(kv_length: int, form: Form, checkpoint: Checkpoint) -> None:
    longest = checkpoint.config.max_position_embeddings
    shortest = SHORTEST_KV_LENGTH[form]
    if not shortest <= kv_length <= longest:
        raise InputError(
            f"{kv_length:,} is not from {shortest:,} to {longest:,}, the lengths that this {form} model has",
            where="--kv-length",
            remedy=f"{min(DEFAULT_KV_LENGTH, longest)} serves most uses",
        )


def _plain_name(name: str) -> str:
    """Refuse a name that is no file name on a phone or in a shell."""
    if safe_name(name) != name:
        raise InputError(
            f"{name!r} cannot name a file on every device",
            where="--name",
            remedy="use at most 64 letters (a to z), digits, dots, dashes and underscores",
        )
    return name


def _one_of(value: str, choices: tuple[Any, ...], where: str) -> Any:
    if value not in choices:
        raise InputError(f"{value!r} is not one of {', '.join(choices)}", where=where)
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
