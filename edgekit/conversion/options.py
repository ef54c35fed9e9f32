"""What can be asked of a conversion, beside the checkpoint and the recipe: three records of options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from edgekit.calling.tools import Choice
from edgekit.conversion.trim.alphabets import alphabet_of
from edgekit.conversion.trim.choice import DEFAULT_KEEP
from edgekit.errors import InputError
from edgekit.graph.format import AdapterInputs, Form, KvLayout, KvPrecision
from edgekit.graph.slots import ATTENTION, RANKS, TARGETS
from edgekit.text.messages import Turns

FileFormat = Literal["litertlm", "tflite"]

DEFAULT_KV_LENGTH = 4096
SHORTEST_KV_LENGTH: Mapping[Form, int] = {"dynamic": 128, "static": 1024}

_ADAPTER_TARGETS = {"": TARGETS, "attention": ATTENTION}
_STATIC = "leave --form static out"


@dataclass(frozen=True)
class GraphOptions:
    """How the graph of a bundle is made.

    form: "dynamic" (caches grow with the conversation; for the CPU) or "static" (fixed shapes, as in Google's own
    files).
    kv_layout: what sliding layers remember: "full" for every position, or in the dynamic form "window" for the last
    ones only; then a long conversation takes a fraction of the memory.
    kv_precision: of keys and values: "float32"; "float16", which takes half the memory and more time; or "int8", a
        quarter, and less time behind thousands of tokens.
    kv_length: the most tokens that prompt and answer may have together; by default 4,096, or what the checkpoint's
    max_position_embeddings allows.
    adapters: "16" or "32" for a base that takes adapters of that rank at run time (see `edgekit.adapter`);
    "16:attention" leaves out the projections of the MLP, which costs less at every step. None for no adapters.
    """

    form: Form = "dynamic"
    kv_layout: KvLayout = "full"
    kv_precision: KvPrecision = "float32"
    kv_length: int | None = None
    adapters: str | None = None

    @property
    def tokens(self) -> int:
        """The KV length, once it is settled for a checkpoint."""
        assert self.kv_length is not None
        return self.kv_length


@dataclass(frozen=True)
class TextOptions:
    """How the model answers.

    sampler: "greedy", or "temperature=0.7,top_k=40,top_p=0.9"; None for greedy where answers are
    held to a format, else the checkpoint's own.
    answer_schema: a file with a JSON schema that every answer is held to. answer_regex: a regular expression instead;
    at most one of them.
    examples: prompts to try, kept in the manifest; an app offers them.
    tools: a file of functions that the model may call. tool_choice: whether it may ("auto"), must or must not.
    turns: "many" for a model that was trained on conversations of several turns, "one" for one that was not; None for
    "one" where answers are held to a format or are calls, and several elsewhere.
    """

    sampler: str | None = None
    answer_schema: str | Path | None = None
    answer_regex: str | None = None
    examples: Sequence[str] = ()
    tools: str | Path | None = None
    tool_choice: Choice = "auto"
    turns: Turns | None = None


@dataclass(frozen=True)
class Trim:
    """Which part of the vocabulary to keep.

    texts: files of the task (JSONL, CSV, a `datasets` directory, or plain text): the pieces that they need are kept.
    keep: rows of the trimmed embedding; beside what is needed, the most useful other pieces.
    languages: whose pieces come first among those that no text needs: "en", "nb", …
    fields: our name of a column → the data's.
    """

    texts: Sequence[str | Path]
    keep: int = DEFAULT_KEEP
    languages: Sequence[str] = ()
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Calibrate:
    """The texts that show what the model's matrices are multiplied with.

    texts: files of the task (its train data), as for `Trim`; none for the built-in text. fields: our name of a column →
    the data's.
    """

    texts: Sequence[str | Path] = ()
    fields: Mapping[str, str] = field(default_factory=dict)


def check_graph(options: GraphOptions, file_format: str) -> AdapterInputs | None:
    """Check what can be checked without the checkpoint; return what `adapters` asks for.

    Raises InputError, naming the flag, for a value that there is not and for options that exclude each other.
    """
    one_of(options.form, get_args(Form), "--form")
    one_of(options.kv_layout, get_args(KvLayout), "--kv-layout")
    one_of(options.kv_precision, get_args(KvPrecision), "--kv-precision")
    if options.kv_layout == "window" and options.form == "static":
        raise InputError(
            "the static form's sliding layers keep every position",
            where="--kv-layout window",
            remedy=f"{_STATIC}, or use --kv-layout full",
        )
    if options.kv_precision == "int8" and options.form == "static":
        raise InputError(
            "only the dynamic form has caches of 8 bits",
            where="--kv-precision int8",
            remedy=f"{_STATIC}, or use --kv-precision float32",
        )
    if options.adapters is None:
        return None
    if options.kv_precision == "int8":
        raise InputError(
            "adapters change keys and values in ways that 8-bit caches were not fitted to",
            where="--kv-precision int8 --adapters",
            remedy="use float16, or leave one of them out",
        )
    inputs = parse_adapters(options.adapters)
    if options.form == "static":
        raise InputError(
            "only the dynamic form takes adapters",
            where="--adapters",
            remedy=f"{_STATIC}, or convert each adapter merged into its base",
        )
    if file_format != "litertlm":
        raise InputError(
            "a bare graph is not opened by the LiteRT-LM engine, which fills in adapters",
            where="--adapters",
            remedy="leave --format tflite out",
        )
    return inputs


def parse_adapters(text: str) -> AdapterInputs:
    """Read `--adapters 16` or `--adapters 16:attention`; raises InputError for anything else."""
    rank, _, targets = text.partition(":")
    if rank not in map(str, RANKS):
        raise InputError(
            f"LiteRT-LM takes adapters of rank {' or '.join(map(str, RANKS))}, not {rank!r}",
            where="--adapters",
            remedy="take the next larger one: a smaller adapter is padded without loss",
        )
    if targets not in _ADAPTER_TARGETS or text.endswith(":"):
        raise InputError(
            f"{targets!r} is no set of projections",
            where="--adapters",
            remedy=f"write {rank}:attention, or {rank} for all of them",
        )
    return AdapterInputs(int(rank), _ADAPTER_TARGETS[targets])


def check_trim(trim: Trim, file_format: str) -> None:
    """Check what can be checked without the checkpoint; raises InputError, naming the flag."""
    if not trim.texts:
        raise InputError(
            "there is no text that says what the task needs",
            where="--vocab-from",
            remedy="name the task's training data",
        )
    if trim.keep < 1:
        raise InputError(f"{trim.keep} is no number of pieces", where="--vocab-keep")
    alphabet_of(trim.languages)
    if file_format != "litertlm":
        raise InputError(
            "a bare graph has no tokenizer, and the checkpoint's does not know a trimmed vocabulary's ids",
            where="--format tflite",
            remedy="leave --vocab-from out, or use --format litertlm",
        )


def check_examples(examples: Sequence[str]) -> tuple[str, ...]:
    """Return prompts to try, each once; raises InputError for an empty one."""
    if any(not example.strip() for example in examples):
        raise InputError("a prompt to try is empty", where="--example", remedy="write one, or leave it out")
    return tuple(dict.fromkeys(examples))


def one_of(value: str, choices: tuple[Any, ...], where: str) -> None:
    """Raise InputError unless a value is one of its choices."""
    if value not in choices:
        raise InputError(
            f"{value!r} is none of its values", where=where, remedy=f"use one of {', '.join(choices)}"
        )
