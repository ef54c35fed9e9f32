"""`edgekit inspect`: what is inside a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit import figures
from edgekit.cli.console import DebugOption, JsonOption, QuietOption, output_console, print_json, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from edgekit.bundle.adapter.summary import AdapterSummary, TargetSummary
    from edgekit.bundle.manifest import SamplerUse, VocabularyUse
    from edgekit.bundle.summary import LlmSummary, SamplerSummary, Summary, TokenSummary
    from edgekit.bundle.tflite import ModelSummary, TensorSpec

EXAMPLES = """Examples:

edgekit inspect my-fine-tune

edgekit inspect downloaded.litertlm --json

edgekit inspect sentiment-adapter

edgekit inspect base --adapter sentiment-adapter"""

_BAR = 30
_LEVELS = "▁▂▃▄▅▆▇█"


def inspect(
    bundle: Annotated[
        Path, typer.Argument(help="A bundle directory, any .litertlm or .tflite file, or an adapter bundle.")
    ],
    adapter: Annotated[
        list[Path] | None,
        typer.Option(
            help="An adapter bundle: does it fit this base, and what does it change? May be repeated."
        ),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Show what is inside a bundle: sections, metadata, signatures, weights by scheme, size by part."""
    if _is_adapter_bundle(bundle):
        if adapter:
            raise typer.BadParameter("name the base first: edgekit inspect BASE --adapter ADAPTER")
        _inspect_adapter(bundle, as_json)
        return
    from edgekit.bundle.inspect import inspect as run

    summary = run(bundle)
    fitting = _fitting(bundle, adapter or ())
    if as_json:
        adapters = {"adapters": [found.to_json() for found in fitting]} if adapter else {}
        print_json({**summary.to_json(), **adapters})
        return
    _print(summary, quiet)
    for found in fitting:
        say()
        _print_adapter(found)
        say("fits this base")


def _is_adapter_bundle(path: Path) -> bool:
    """Whether a path means an adapter bundle: its directory, or the sidecar in it."""
    from edgekit.bundle.directory import ADAPTER_MANIFEST_NAME, MANIFEST_NAME
    from edgekit.bundle.sidecar import SIDECAR_SUFFIX

    directory = path.parent if path.name.endswith(SIDECAR_SUFFIX) else path
    return (directory / ADAPTER_MANIFEST_NAME).is_file() and not (directory / MANIFEST_NAME).exists()


def _fitting(bundle: Path, adapters: Sequence[Path]) -> list[AdapterSummary]:
    """Summaries of adapters that fit a base. Raises AdapterError for one that does not."""
    if not adapters:
        return []
    from edgekit.bundle.adapter.opening import open_adapter
    from edgekit.bundle.adapter.summary import summarize
    from edgekit.bundle.opening import open_bundle

    base = open_bundle(bundle)
    return [summarize(open_adapter(path, base)) for path in adapters]


# ---------------------------------------- a bundle


def _print(summary: Summary, quiet: bool) -> None:
    console = output_console()
    say(_title(summary))
    if summary.llm is not None:
        console.print(_metadata(summary, summary.llm))
    for model in summary.models:
        console.print(_signatures(model))
        console.print(_schemes(model))
    console.print(_parts(summary))
    if not quiet and summary.sections:
        console.print(_sections(summary))


def _title(summary: Summary) -> str:
    lines = [f"{summary.path}  {figures.size(summary.size)}  sha256 {summary.sha256[:16]}…"]
    if summary.manifest is not None:
        manifest = summary.manifest
        made = f"made from {manifest.source.name} with recipe {manifest.recipe.name}"
        if (use := manifest.recipe.calibration) is not None:
            made += f", calibrated on {use.tokens:,} tokens of {', '.join(use.texts)}"
        lines.append(made)
        same = summary.size_matches and summary.digest_matches
        lines.append(
            "the file is the one its manifest describes" if same else "THE FILE IS NOT ITS MANIFEST'S"
        )
    return "\n".join(lines) + "\n"


def _metadata(summary: Summary, llm: LlmSummary) -> Table:
    table = _table("metadata")
    table.add_column("")
    tokenizer = summary.tokenizer
    stops = ", ".join(_token(token) for token in llm.stop_tokens)
    rows = {
        "model type": llm.model_type,
        "tokenizer": tokenizer and f"{tokenizer.kind}, {tokenizer.pieces:,} pieces",
        "start token": llm.start_token and _token(llm.start_token),
        "stop tokens": stops or "none: generation ends at the context's end only",
        "pad token": llm.pad_token and _token(llm.pad_token),
        "sampler": llm.sampler and _sampler(llm.sampler),
        "chat template": llm.template_length and f"{llm.template_length:,} characters",
        "KV length": summary.kv_length and f"{summary.kv_length:,} tokens",
        "minimum runtime": llm.minimum_runtime,
    }
    if summary.manifest is not None and summary.manifest.vocabulary is not None:
        rows["vocabulary"] = _vocabulary(summary, summary.manifest.vocabulary)
    if summary.manifest is not None:
        if summary.manifest.answer is not None:
            rows["answers"] = f"held to a {summary.manifest.answer.get('kind')}"
        if (calling := summary.manifest.calling) is not None:
            rows["calls"] = (
                f"{', '.join(tool.name for tool in calling.tools)} ({calling.dialect}, {calling.choice})"
            )
        rows["turns"] = _turns(one=summary.manifest.one_turn)
        if (slots := summary.manifest.adapters) is not None:
            rows["adapters"] = f"takes those of rank {slots.rank} on {', '.join(slots.targets)}"
    for name, value in rows.items():
        table.add_row(name, "none" if value is None else str(value))
    return table


def _turns(*, one: bool) -> str:
    return "each message begins a new conversation" if one else "a message continues the conversation"


def _vocabulary(summary: Summary, vocabulary: VocabularyUse) -> str:
    kept = 0 if summary.manifest is None else summary.manifest.architecture.vocab_size
    less = summary.trimmed_bytes or 0
    saved = f"{figures.size(less)} ({figures.percent(less / (summary.size + less))}) saved"
    return f"{kept:,} of {vocabulary.rows:,} pieces, chosen by {', '.join(vocabulary.corpora)}: {saved}"


def _token(token: TokenSummary) -> str:
    ids = " ".join(str(i) for i in token.ids)
    return f"{ids} {token.text!r}".strip() if token.text is not None else ids


def _sampler(sampler: SamplerSummary) -> str:
    if sampler.top_k == 1:
        return "greedy"
    return (
        f"{sampler.kind}, temperature {sampler.temperature:g}, top-k {sampler.top_k}, top-p {sampler.top_p:g}"
    )


def _signatures(model: ModelSummary) -> Table:
    table = _table(f"signatures of section {model.section}")
    table.add_column("inputs")
    table.add_column("outputs")
    for signature in model.signatures:
        table.add_row(signature.name, _specs(signature.inputs), _specs(signature.outputs))
    return table


def _specs(specs: tuple[TensorSpec, ...]) -> str:
    """Tensors in short: the layers' caches, all alike, as one entry per kind, and what adapters fill as one."""
    caches: dict[str, int] = {}
    texts = []
    for spec in specs:
        shape = "x".join("?" if size == -1 else str(size) for size in spec.shape)
        if spec.name.startswith("kv_cache"):
            kind = shape if spec.dtype == "float32" else f"{shape} {spec.dtype}"
            caches[kind] = caches.get(kind, 0) + 1
        elif not spec.name.startswith("lora_"):
            texts.append(f"{spec.name} {shape}")
    texts += [f"{count} caches {kind}" for kind, count in caches.items()]
    filled = sum(spec.name.startswith("lora_") for spec in specs)
    return ", ".join([*texts, f"{filled} matrices of adapters"] if filled else texts)


def _schemes(model: ModelSummary) -> Table:
    table = _table("weights")
    for column in ("tensors", "parameters", "size"):
        table.add_column(column, justify="right")
    for scheme in model.schemes:
        table.add_row(
            scheme.scheme, f"{scheme.tensors:,}", f"{scheme.parameters:,}", figures.size(scheme.bytes)
        )
    return table


def _parts(summary: Summary) -> Table:
    table = _table("size by part")
    table.add_column("size", justify="right")
    table.add_column("", justify="right")
    table.add_column("")
    for name, size in summary.parts.items():
        if size:
            share = size / summary.size
            table.add_row(name, figures.size(size), figures.percent(share), "█" * round(share * _BAR))
    return table


def _sections(summary: Summary) -> Table:
    table = _table("sections")
    table.add_column("from", justify="right")
    table.add_column("size", justify="right")
    table.add_column("metadata")
    for section in summary.sections:
        metadata = ", ".join(f"{key}={value}" for key, value in section.metadata.items())
        table.add_row(section.kind, f"{section.begin:,}", figures.size(section.size), metadata)
    return table


def _table(title: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title=None)
    table.add_column(title, style="bold")
    return table


# ---------------------------------------- an adapter bundle


def _inspect_adapter(path: Path, as_json: bool) -> None:
    from edgekit.bundle.adapter.summary import inspect_adapter

    summary = inspect_adapter(path)
    if as_json:
        print_json(summary.to_json())
        return
    _print_adapter(summary)


def _print_adapter(summary: AdapterSummary) -> None:
    manifest = summary.manifest
    console = output_console()
    say(f"{summary.path}  {figures.size(manifest.sidecar.size)}  sha256 {manifest.sidecar.sha256[:16]}…")
    say(f"the adapter {manifest.name}, made from {manifest.source.name} for {manifest.base.name}\n")
    table = _table("adapter")
    table.add_column("")
    for name, value in _adapter_rows(summary).items():
        table.add_row(name, "none" if value is None else value)
    console.print(table)
    console.print(_targets(summary.targets))
    for note in manifest.notes:
        say(f"note: {note}")


def _adapter_rows(summary: AdapterSummary) -> dict[str, str | None]:
    manifest = summary.manifest
    source = manifest.source
    scaling = f"alpha {source.alpha:g}{', rank-stabilized' if source.rslora else ''}"
    lost = (
        None
        if source.reduction_error is None
        else f"up to {figures.percent(source.reduction_error)} of a change lost"
    )
    return {
        "base": f"{manifest.base.name}, sha256 of its model {manifest.base.model_sha256[:16]}…",
        "rank": ", ".join(
            filter(None, (f"{source.rank} as trained, {manifest.rank} as stored", scaling, lost))
        ),
        "chat template": "the base's"
        if manifest.chat_template is None
        else f"{len(manifest.chat_template):,} characters, instead of the base's",
        "stop tokens": ", ".join(
            f"{' '.join(map(str, stop.ids))} {stop.text!r}" for stop in manifest.stop_tokens
        ),
        "system prompt": manifest.system_prompt and repr(manifest.system_prompt),
        "sampler": _sampler_use(manifest.sampler),
        "answers": None if manifest.answer is None else f"held to a {manifest.answer.get('kind')}",
        "turns": "as the base says"
        if manifest.turns is None and manifest.answer is None
        else _turns(one=manifest.turns != "many"),
        "licence": manifest.licence,
    }


def _sampler_use(use: SamplerUse) -> str:
    if use.kind == "greedy":
        return "greedy"
    settings = (("temperature", use.temperature), ("top-k", use.top_k), ("top-p", use.top_p))
    return ", ".join(["top_p", *(f"{name} {value:g}" for name, value in settings if value is not None)])


def _targets(targets: Sequence[TargetSummary]) -> Table:
    """Per projection: layers, bytes, and ‖ΔW‖ by layer, drawn to the scale of the largest of all."""
    table = _table("changes")
    for column in ("layers", "size", "least ‖ΔW‖", "most"):
        table.add_column(column, justify="right")
    table.add_column("by layer")
    largest = max((norm for target in targets for norm in target.norms), default=0.0)
    for target in targets:
        least, most = min(target.norms, default=0.0), max(target.norms, default=0.0)
        table.add_row(
            target.target,
            str(len(target.norms)),
            figures.size(target.bytes),
            f"{least:.3g}",
            f"{most:.3g}",
            "".join(_level(norm, largest) for norm in target.norms),
        )
    return table


def _level(value: float, largest: float) -> str:
    return _LEVELS[min(int(value / largest * len(_LEVELS)), len(_LEVELS) - 1)] if largest else _LEVELS[0]
