"""`edgekit inspect`: what is inside a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli.console import DebugOption, JsonOption, QuietOption, human_bytes, output_console, print_json

if TYPE_CHECKING:
    from rich.table import Table

    from edgekit.bundle.inspect import BundleSummary, LlmSummary, SamplerSummary, TokenSummary
    from edgekit.bundle.manifest import VocabularyUse
    from edgekit.bundle.tflite import ModelSummary, TensorSpec

EXAMPLES = """Examples:

edgekit inspect my-fine-tune

edgekit inspect downloaded.litertlm --json"""

_BAR = 30


def inspect(
    bundle: Annotated[Path, typer.Argument(help="A bundle directory, or any .litertlm or .tflite file.")],
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Show what is inside a bundle: sections, metadata, signatures, weights by scheme, size by part."""
    from edgekit.bundle.inspect import inspect as run

    summary = run(bundle)
    if as_json:
        print_json(summary.to_json())
        return
    console = output_console()
    print(_title(summary))
    if summary.llm is not None:
        console.print(_metadata(summary, summary.llm))
    for model in summary.models:
        console.print(_signatures(model))
        console.print(_schemes(model))
    console.print(_parts(summary))
    if not quiet and summary.sections:
        console.print(_sections(summary))


def _title(summary: BundleSummary) -> str:
    lines = [f"{summary.path}  {human_bytes(summary.size)}  sha256 {summary.sha256[:16]}…"]
    if summary.manifest is not None:
        manifest = summary.manifest
        lines.append(f"made from {manifest.source.name} with recipe {manifest.recipe.name}")
        same = summary.size_matches and summary.digest_matches
        lines.append(
            "the file is the one its manifest describes" if same else "THE FILE IS NOT ITS MANIFEST'S"
        )
    return "\n".join(lines) + "\n"


def _metadata(summary: BundleSummary, llm: LlmSummary) -> Table:
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
    if summary.manifest is not None and summary.manifest.answer is not None:
        rows["answers"] = f"held to a {summary.manifest.answer.get('kind')}"
    for name, value in rows.items():
        table.add_row(name, "none" if value is None else str(value))
    return table


def _vocabulary(summary: BundleSummary, vocabulary: VocabularyUse) -> str:
    kept = 0 if summary.manifest is None else summary.manifest.architecture.vocab_size
    whole = summary.size + (summary.trimmed_bytes or 0)
    saved = f"{human_bytes(summary.trimmed_bytes or 0)} ({(summary.trimmed_bytes or 0) / whole:.0%}) saved"
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
    """Tensors in short: the layers' caches, all alike, as one entry per shape."""
    caches: dict[str, int] = {}
    texts = []
    for spec in specs:
        shape = "x".join("?" if size == -1 else str(size) for size in spec.shape)
        if spec.name.startswith("kv_cache"):
            caches[shape] = caches.get(shape, 0) + 1
        else:
            texts.append(f"{spec.name} {shape}")
    return ", ".join([*texts, *(f"{count} caches {shape}" for shape, count in caches.items())])


def _schemes(model: ModelSummary) -> Table:
    table = _table("weights")
    for column in ("tensors", "parameters", "size"):
        table.add_column(column, justify="right")
    for scheme in model.schemes:
        table.add_row(
            scheme.scheme, f"{scheme.tensors:,}", f"{scheme.parameters:,}", human_bytes(scheme.bytes)
        )
    return table


def _parts(summary: BundleSummary) -> Table:
    table = _table("size by part")
    table.add_column("size", justify="right")
    table.add_column("", justify="right")
    table.add_column("")
    for name, size in summary.parts.items():
        if size:
            share = size / summary.size
            table.add_row(name, human_bytes(size), f"{share:.1%}", "█" * round(share * _BAR))
    return table


def _sections(summary: BundleSummary) -> Table:
    table = _table("sections")
    table.add_column("from", justify="right")
    table.add_column("size", justify="right")
    table.add_column("metadata")
    for section in summary.sections:
        metadata = ", ".join(f"{key}={value}" for key, value in section.metadata.items())
        table.add_row(section.kind, f"{section.begin:,}", human_bytes(section.size), metadata)
    return table


def _table(title: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title=None)
    table.add_column(title, style="bold")
    return table
