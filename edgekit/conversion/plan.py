"""A conversion decided down to the last byte, before a weight is read."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from edgekit.bundle.container import PREFILL_DECODE, SectionKind
from edgekit.bundle.metadata import (
    MIN_RUNTIME_VERSION,
    MIN_RUNTIME_VERSION_ADAPTERS,
    MIN_RUNTIME_VERSION_WINDOW,
    build_executor_metadata,
    build_llm_metadata,
    serialize,
)
from edgekit.bundle.sidecar import sidecar_bytes
from edgekit.bundle.writing import Section, container_size, pack_hf_tokenizer
from edgekit.calling.tools import Calling, Choice, Tool, read_tools
from edgekit.checkpoint import Checkpoint, WeightTensor
from edgekit.checkpoint.source import plain_name
from edgekit.conversion.caches import value_exponents
from edgekit.conversion.calling import how_it_calls
from edgekit.conversion.options import (
    DEFAULT_KV_LENGTH,
    SHORTEST_KV_LENGTH,
    Calibrate,
    FileFormat,
    GraphOptions,
    TextOptions,
    Trim,
    check_examples,
    check_graph,
    check_trim,
    one_of,
)
from edgekit.conversion.trim.trim import Trimmed, trim_vocabulary
from edgekit.errors import InputError
from edgekit.families.base import EMBEDDING
from edgekit.graph import Graph, Link, find_graph, graph_key, plan_link
from edgekit.graph.delegate import refuse_for_gpu
from edgekit.graph.format import AdapterInputs, GraphKey
from edgekit.progress import Progress
from edgekit.quantize.caches import fit_caches
from edgekit.quantize.rotation import rotate_weights
from edgekit.recipes import Recipe, Scheme, calibrated, read_recipe, resolve
from edgekit.text.answers import AnswerFormat, parse_answer
from edgekit.text.generation import GREEDY, Sampler, parse_sampler
from edgekit.text.messages import Turns
from edgekit.text.settle import Text, read_text
from edgekit.text.template.verify import check_many_turns


@dataclass(frozen=True)
class Settings:
    """What was asked for, checked as far as that goes without the checkpoint."""

    recipe: Recipe
    graph: GraphOptions
    adapters: AdapterInputs | None
    sampler: Sampler | None
    answer: AnswerFormat | None
    tools: tuple[Tool, ...]
    tools_file: Path | None
    tool_choice: Choice
    turns: Turns | None
    examples: tuple[str, ...]
    trim: Trim | None
    calibrate: Calibrate | None
    name: str | None
    file_format: FileFormat


@dataclass(frozen=True)
class Job:
    """All that is known before the weights are read.

    checkpoint, text: the trimmed ones, where the vocabulary is trimmed; whole_text: with all of it. tensors: the
    checkpoint's, as the graph needs them. small_sections: everything in the container but the model; none in a bare
    graph. trimmed: what became of the vocabulary; None when it is whole. calling: how it calls the tools it was given.
    """

    settings: Settings
    checkpoint: Checkpoint
    text: Text
    whole_text: Text
    tensors: Mapping[str, WeightTensor]
    graph: Graph
    schemes: Mapping[str, Scheme]
    link: Link
    small_sections: tuple[Section, ...]
    trimmed: Trimmed | None
    calling: Calling | None = None

    @property
    def name(self) -> str:
        """Of the bundle and its model file."""
        return self.settings.name or self.checkpoint.name

    @property
    def file_name(self) -> str:
        """Of the model file."""
        return f"{self.name}.{self.settings.file_format}"

    @property
    def file_bytes(self) -> int:
        """Size of the model file."""
        if self.settings.file_format == "tflite":
            return self.link.size
        return container_size([*self.small_sections, self.model_section(())])

    @property
    def empty_sidecar(self) -> bytes | None:
        """What a base that takes adapters is used with when there is none."""
        inputs = self.graph.key.adapters
        return None if inputs is None else sidecar_bytes({}, inputs.rank)

    @property
    def minimum_runtime(self) -> str:
        """The oldest engine that opens the bundle."""
        return _minimum_runtime(self.graph.key)

    def model_section(self, chunks: Iterable[bytes | memoryview]) -> Section:
        """The model as a section of the container."""
        return Section(SectionKind.TFLITE_MODEL, self.link.size, chunks, PREFILL_DECODE)


def settle(
    *,
    recipe: str | Path,
    graph: GraphOptions,
    text: TextOptions,
    trim: Trim | None,
    calibrate: Calibrate | None,
    name: str | None,
    file_format: FileFormat,
) -> Settings:
    """Read what was asked for; raises EdgekitError, naming the flag, for what cannot be followed."""
    one_of(file_format, get_args(FileFormat), "--format")
    one_of(text.tool_choice, get_args(Choice), "--tool-choice")
    if text.turns is not None:
        one_of(text.turns, get_args(Turns), "--turns")
    adapters = check_graph(graph, file_format)
    if trim is not None:
        check_trim(trim, file_format)
    asked = read_recipe(recipe)
    if calibrate is not None:
        asked = calibrated(asked)
        if not asked.needs_calibration:
            raise InputError(
                f"the recipe {asked.name} quantizes nothing, so there is nothing to calibrate",
                where="--calibrate",
                remedy="leave it out, or choose another recipe",
            )
    answer = _answer_format(text, file_format)
    held = answer is not None or text.tools is not None
    by_format = GREEDY if held else None  # of labels and fields the most probable one is wanted
    return Settings(
        recipe=asked,
        graph=graph,
        adapters=adapters,
        sampler=parse_sampler(text.sampler) if text.sampler else by_format,
        answer=answer,
        tools=_tools(text, file_format),
        tools_file=None if text.tools is None else Path(text.tools),
        tool_choice=text.tool_choice,
        turns=text.turns,
        examples=check_examples(text.examples),
        trim=trim,
        calibrate=calibrate or (Calibrate() if asked.needs_calibration else None),
        name=None if name is None else plain_name(name, where="--name"),
        file_format=file_format,
    )


def plan(settings: Settings, checkpoint: Checkpoint, progress: Progress, lap: Callable[[str], None]) -> Job:
    """Decide everything about a bundle.

    lap: told the name of each step that is done. Raises EdgekitError when the checkpoint does not go with what was
    asked for.
    """
    settings = replace(settings, graph=_with_kv_length(settings.graph, checkpoint))
    with progress.step("read tokenizer and template"):
        text = read_text(
            checkpoint.text_path,
            generation_directory=checkpoint.generation_path,
            rows=checkpoint.architecture.vocab_size,
            sampler=settings.sampler,
            progress=progress,
        )
    lap("read tokenizer and template")
    if settings.turns == "many":
        check_many_turns(text.device.source, "--turns many")
    whole, whole_text = checkpoint, text
    trimmed = _trimmed(settings, checkpoint, text, progress)
    if trimmed is not None:
        checkpoint, text = trimmed.checkpoint, trimmed.text
        lap("trim the vocabulary")
    calling = None
    if settings.tools_file is not None:
        calling = how_it_calls(text, settings.tools, settings.tool_choice, where=settings.tools_file)
    options, rotation = settings.graph, settings.recipe.graph.rotation
    architecture = checkpoint.architecture
    key = graph_key(
        architecture, options.form, options.kv_layout, settings.adapters, options.kv_precision, rotation
    )
    graph = find_graph(key, progress)
    lap("find the graph")
    matrices = {c.tensor: checkpoint.tensors[c.tensor].shape for c in graph.constants if c.quantizable}
    schemes = resolve(settings.recipe, matrices)
    if options.form == "static":
        _refuse_for_gpu(graph, schemes[EMBEDDING], settings.recipe.name)
    kv_length = options.tokens if options.form == "static" else None
    link = plan_link(graph, schemes, architecture.vocab_size, kv_length)
    sections = _small_sections(text, checkpoint, settings, key) if settings.file_format == "litertlm" else ()
    lap("plan the link")
    fitted: Mapping[str, WeightTensor] = checkpoint.tensors
    if key.kv_precision == "int8":
        fitted = fit_caches(fitted, architecture, value_exponents(whole, whole_text, progress))
        lap("fit the caches")
    tensors = rotate_weights(
        fitted,
        matrices,
        rotation,
        architecture.head_dim,
        through_attention=settings.adapters is None,
    )
    return Job(
        settings, checkpoint, text, whole_text, tensors, graph, schemes, link, sections, trimmed, calling
    )


def _refuse_for_gpu(graph: Graph, embedding: Scheme, recipe: str) -> None:
    """The static form is for GPUs: refuse what none would open, rather than let it ship."""
    refuse_for_gpu(graph.flatbuffer, graph.key.file_name())
    if embedding.bits == 32:
        raise InputError(
            "EMBEDDING_LOOKUP: the GPU backend looks nothing up in a table of float32, and takes its process down",
            where=f"--form static --recipe {recipe}",
            remedy="use int8, or leave --form static out",
        )


def _answer_format(text: TextOptions, file_format: FileFormat) -> AnswerFormat | None:
    asked = text.answer_schema is not None or text.answer_regex is not None
    if asked and file_format != "litertlm":
        raise InputError(
            "a bare graph cannot hold its answers to a format: that takes the LiteRT-LM engine",
            where="--format tflite",
            remedy="leave --answer-schema and --answer-regex out, or use --format litertlm",
        )
    return parse_answer(text.answer_schema, text.answer_regex)


def _tools(text: TextOptions, file_format: FileFormat) -> tuple[Tool, ...]:
    if text.tools is None:
        if text.tool_choice != "auto":
            raise InputError(
                "there are no tools to choose", where="--tool-choice", remedy="pass --tools FILE.json"
            )
        return ()
    if text.answer_schema is not None or text.answer_regex is not None:
        raise InputError(
            "answers are held to the calls of the tools, or to a format of their own",
            where="--tools, --answer-schema, --answer-regex",
            remedy="leave one of them away",
        )
    if file_format != "litertlm":
        raise InputError(
            "a bare graph holds no tools",
            where="--format tflite",
            remedy="leave --tools out, or use --format litertlm",
        )
    return read_tools(text.tools)


def _with_kv_length(options: GraphOptions, checkpoint: Checkpoint) -> GraphOptions:
    """The options with a length that the model has: by default the usual one, or the model's longest."""
    longest = checkpoint.architecture.max_position_embeddings
    shortest = SHORTEST_KV_LENGTH[options.form]
    if options.kv_length is None:
        options = replace(options, kv_length=min(DEFAULT_KV_LENGTH, longest))
    if not shortest <= options.tokens <= longest:
        raise InputError(
            f"{options.tokens:,} is not from {shortest:,} to {longest:,}, the lengths that this "
            f"{options.form} model has",
            where="--kv-length",
            remedy=f"{min(DEFAULT_KV_LENGTH, longest)} serves most uses"
            if shortest <= longest
            else 'correct "max_position_embeddings" in config.json, or use --form dynamic',
        )
    return options


def _trimmed(settings: Settings, checkpoint: Checkpoint, text: Text, progress: Progress) -> Trimmed | None:
    if settings.trim is None:
        return None
    with tempfile.TemporaryDirectory(prefix="edgekit-") as directory:
        return trim_vocabulary(
            checkpoint,
            text,
            settings.trim,
            Path(directory),
            answer=settings.answer,
            sampler=settings.sampler,
            progress=progress,
        )


def _small_sections(
    text: Text, checkpoint: Checkpoint, settings: Settings, key: GraphKey
) -> tuple[Section, ...]:
    """Metadata and tokenizer."""
    kv_length = settings.graph.tokens
    llm = serialize(build_llm_metadata(text, kv_length=kv_length, min_runtime_version=_minimum_runtime(key)))
    ring_length = key.architecture.ring_length if key.kv_layout == "window" else None
    executor = serialize(
        build_executor_metadata(
            checkpoint.architecture, form=key.form, kv_length=kv_length, ring_length=ring_length
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


def _minimum_runtime(key: GraphKey) -> str:
    if key.kv_layout == "window":
        return MIN_RUNTIME_VERSION_WINDOW
    return MIN_RUNTIME_VERSION if key.adapters is None else MIN_RUNTIME_VERSION_ADAPTERS
