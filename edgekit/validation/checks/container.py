"""The file against what its manifest promises, and against what an engine needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from edgekit.bundle.adapter.opening import Adapter
from edgekit.bundle.sidecar import read_sidecar
from edgekit.bundle.summary import Summary
from edgekit.bundle.tflite import ADAPTER_INPUT
from edgekit.checkpoint import Checkpoint, digest
from edgekit.conversion.adapter.making import adapter_digest
from edgekit.files.digest import file_digest
from edgekit.gates import Gates
from edgekit.html.page import Block, Cell, Column, Table
from edgekit.validation.context import Context
from edgekit.validation.drawing import badge
from edgekit.validation.verdict import Check, Status

NAME = "container"
TITLE = "Container"

_DIGEST = "SHA-256"


@dataclass(frozen=True)
class Item:
    """One thing that was promised and what was found."""

    name: str
    status: Status
    promised: str
    found: str


@dataclass(frozen=True)
class Section:
    """The file against its manifest, and whether the engine opens it."""

    items: tuple[Item, ...]

    @property
    def has_manifest(self) -> bool:
        """Whether edgekit made the file, and so promised a digest."""
        return any(item.name == _DIGEST for item in self.items)


def look(context: Context) -> Section:
    """Hold the file to its manifest, with the adapters that it takes and the one that is laid over it."""
    summary, adapter, base = context.bundle, context.adapter, context.source
    items = _needed_sections(summary)
    if summary.manifest is not None:
        items = [*_digests(summary), *items, *_promises(summary)]
        if base is not None:
            given, made_from = digest(base), summary.manifest.source.digest
            items.append(_same_source("made from this checkpoint", given, made_from))
    items += _slots(summary)
    if adapter is not None:
        items += _sidecar(adapter, summary, context.reference.checkpoint)
    refusal = context.refusal
    opens: Status = "passed" if refusal is None else "failed"
    engine = f"by {version('litert-lm-api')}"
    return Section((*items, Item("opened by the engine", opens, engine, refusal or "yes")))


def judge(section: Section, gates: Gates) -> Check:
    """Fail when a promise is broken; warn when the file was made from something else."""
    wrong = [item for item in section.items if item.status == "failed"]
    odd = [item for item in section.items if item.status == "warned"]
    status: Status = "failed" if wrong else "warned" if odd else "passed"
    if wrong or odd:
        said = "; ".join(f"{i.name}: promised {i.promised}, found {i.found}" for i in wrong or odd)
    else:
        made = "" if section.has_manifest else " (no manifest: edgekit did not make this file)"
        said = f"{len(section.items)} of {len(section.items)} as promised{made}"
    remedy = "copy the bundle again, or convert again with --force" if wrong else None
    return Check(NAME, TITLE, status, said, remedy=remedy)


def page(section: Section, check: Check) -> list[Block]:
    """Draw every promise."""
    columns = (Column("Item"), Column("Verdict"), Column("Promised", code=True), Column("Found", code=True))
    rows: list[tuple[Cell, ...]] = [
        (item.name, badge(item.status), item.promised, item.found) for item in section.items
    ]
    return [Table("The file against its manifest", columns, rows)]


def _promise(name: str, promised: object, found: object) -> Item:
    return Item(name, "passed" if promised == found else "failed", str(promised), str(found))


def _same_source(name: str, given: str, made_from: str) -> Item:
    """Another source is odd, but the figures of the other checks tell what it means."""
    return Item(name, "passed" if given == made_from else "warned", given[:12], made_from[:12])


def _digests(summary: Summary) -> list[Item]:
    assert summary.manifest is not None
    model = summary.manifest.model
    return [
        _promise("bytes", model.size, summary.size),
        _promise(_DIGEST, model.sha256[:12], summary.sha256[:12]),
    ]


def _needed_sections(summary: Summary) -> list[Item]:
    rows = [
        ("LLM metadata", summary.llm is not None),
        ("tokenizer", summary.tokenizer is not None),
        ("model", bool(summary.models)),
        ("stop tokens", summary.llm is not None and bool(summary.llm.stop_tokens)),
        ("chat template", summary.llm is not None and summary.llm.template_sha256 is not None),
    ]
    return [
        Item(name, "passed" if there else "failed", "there", "there" if there else "missing")
        for name, there in rows
    ]


def _promises(summary: Summary) -> list[Item]:
    manifest, llm = summary.manifest, summary.llm
    assert manifest is not None
    items = []
    if llm is not None:
        start = None if llm.start_token is None else llm.start_token.ids
        promised = None if manifest.start_token is None else (manifest.start_token,)
        items += [
            _promise("start token", promised, start),
            _promise("stop tokens", _ids(manifest.stop_tokens), _ids(llm.stop_tokens)),
            _promise("template", (manifest.template_sha256 or "")[:12], (llm.template_sha256 or "")[:12]),
            _promise("KV length", manifest.kv_length, llm.max_num_tokens),
            _promise("minimum runtime", manifest.minimum_runtime, llm.minimum_runtime),
        ]
    if summary.models:
        model = summary.models[0]
        items.append(_promise("form", manifest.graph.form, "dynamic" if model.dynamic else "static"))
        if not model.dynamic:
            lengths = sorted(model.prefill_lengths)
            items.append(_promise("prefill lengths", sorted(manifest.graph.prefill_lengths), lengths))
            items.append(_promise("cache length", manifest.kv_length, model.kv_length))
    if summary.tokenizer is not None:
        wanted, found = manifest.architecture.vocab_size, summary.tokenizer.pieces
        covered: Status = "passed" if found >= wanted else "failed"
        items.append(Item("tokenizer covers every id", covered, f"{wanted:,} ids", f"{found:,}"))
    return items


def _ids(tokens: Sequence[object]) -> list[tuple[int, ...]]:
    return [tuple(getattr(token, "ids", ())) for token in tokens]


def _slots(base: Summary) -> list[Item]:
    """What a base that takes adapters promises; nothing for another bundle."""
    slots = None if base.manifest is None else base.manifest.adapters
    if slots is None:
        return []
    ranks = {
        spec.shape[0]
        for model in base.models
        for signature in model.signatures
        for spec in signature.inputs
        if spec.name.startswith(ADAPTER_INPUT) and spec.shape
    }
    empty = base.path.with_name(slots.empty.file)
    found = file_digest(empty)[:12] if empty.is_file() else "missing"
    return [
        _promise("rank of adapters", str(slots.rank), _listed(ranks) or "none"),
        _promise("sidecar of no adapter", slots.empty.sha256[:12], found),
    ]


def _sidecar(adapter: Adapter, base: Summary, checkpoint: Checkpoint | None) -> list[Item]:
    """What the adapter bundle promises. checkpoint: the adapter that it is validated against."""
    manifest, sidecar = adapter.manifest, adapter.sidecar
    ranks = {len(values) for values in read_sidecar(sidecar).values()} or {manifest.rank}
    items = [
        _promise("sidecar, bytes", manifest.sidecar.size, sidecar.stat().st_size),
        _promise("sidecar, SHA-256", manifest.sidecar.sha256[:12], file_digest(sidecar)[:12]),
        _promise("sidecar made for this base", manifest.base.model_sha256[:12], base.sha256[:12]),
        _promise("sidecar, rank", str(manifest.rank), _listed(ranks)),
    ]
    if checkpoint is not None:
        given = adapter_digest(checkpoint.path)
        items.append(_same_source("sidecar made from this adapter", given, manifest.source.digest))
    return items


def _listed(numbers: set[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))
