"""Every tensor as the bundle computes with it, against the tensor it was made from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from edgekit.bundle.container import read_container
from edgekit.bundle.stored import StoredWeight, model_bytes
from edgekit.bundle.summary import Summary
from edgekit.checkpoint.safetensors import WeightTensor
from edgekit.conversion.trim.gather import gather_rows
from edgekit.errors import BundleError
from edgekit.families.base import Architecture
from edgekit.figures import decibels, number
from edgekit.gates import Gates
from edgekit.graph import find_graph, graph_key
from edgekit.graph.format import Graph, Transform
from edgekit.graph.weights import transformed
from edgekit.html import svg
from edgekit.html.page import Badge, Block, Cell, Column, Fold, Plot, Plots, Prose, Table
from edgekit.html.text import shorten
from edgekit.quantize.caches import attention_names, fit_caches
from edgekit.quantize.rotation import rotate_weights
from edgekit.quantize.solve import QuantizedTensor, block_scale_bytes, dequantize, quantize_tensor
from edgekit.recipes.scheme import Algorithm, Scheme
from edgekit.scoring.noise import cosine_of, kind_of, sqnr_of, weight_sums
from edgekit.scoring.scorer import scoring_key, weights_of, without_scoring
from edgekit.validation.context import Context
from edgekit.validation.drawing import MISSING, counted, span
from edgekit.validation.verdict import NO_REFERENCE, Check, Figure, Skipped, Unseen, decided_by_gates

NAME = "weights"
TITLE = "Weights"

_CHUNK_VALUES = 1 << 22
_HIGHEST_DB = 144.0
"""What float32 itself resolves; a loss is counted from there when a tensor should be equal."""
_GPTQ_DB = 5.0
"""GPTQ gives up some of the ratio of a tensor for that of its products: 1 to 4.3 dB on Gemma 3 270M."""
_WORST_TENSORS = 15
_NOTABLE_DB = 0.5
"""A tensor that falls this short of its expected ratio is at fault, not merely coarse."""

Read = Callable[[slice], NDArray[np.float32]]


@dataclass(frozen=True)
class Row:
    """A tensor as the bundle holds it, against the checkpoint's (or the other bundle's).

    layer: None for the embedding, the head and the last norm. kind: q_proj, gate_proj, embedding, norm, ….
    sqnr_db: signal-to-quantization-noise ratio in decibels; infinite when equal.
    expected_sqnr_db: what quantizing the checkpoint's tensor by the same scheme gives; None when not known.
    """

    tensor: str
    layer: int | None
    kind: str
    scheme: str
    values: int
    sqnr_db: float
    cosine: float
    expected_sqnr_db: float | None = None


@dataclass(frozen=True)
class Section:
    """Every weight tensor, in the order of the model; with an adapter beside the bundle, the base's."""

    tensors: tuple[Row, ...]


def look(context: Context) -> Section | Skipped | Unseen:
    """Compare the stored tensors with the checkpoint's, or with the other bundle's."""
    reference = context.reference
    if reference.checkpoint is None and reference.bundle is None:
        return Skipped(NO_REFERENCE)
    if reference.checkpoint is None and context.adapter is not None:
        return Skipped("the other bundle's are not the base's: name the LoRA adapter to compare them")
    try:
        stored = _weights(context.bundle)
        if reference.bundle is None:
            return _against_checkpoint(context, stored)
        others = _weights(reference.bundle)
    except BundleError as error:
        return Skipped(error.message)
    if _rotation(context.bundle) != _rotation(reference.bundle):
        return Skipped("one of the two files holds its weights rotated, or by another length")
    same = {n: w for n, w in stored.items() if n in others and others[n].shape == w.shape}
    if not same:
        return Skipped("the two files have no tensors of one name")
    return _compare_all(context, same, {name: others[name].read for name in same}, None)


def _weights(bundle: Summary) -> dict[str, StoredWeight]:
    return weights_of(model_bytes(read_container(bundle.path)), bundle.manifest)


def _rotation(bundle: Summary) -> tuple[int, bool]:
    manifest = bundle.manifest
    return (0, True) if manifest is None else (manifest.graph.rotation, manifest.adapters is None)


def _against_checkpoint(context: Context, stored: Mapping[str, StoredWeight]) -> Section | Skipped | Unseen:
    manifest, source = context.bundle.manifest, context.source
    assert source is not None
    if manifest is None:
        return Skipped("edgekit did not make the file, so its tensors have other names")
    key = scoring_key(manifest.graph, graph_key(source.architecture, "dynamic"))
    assert key is not None
    graph = find_graph(without_scoring(key), context.progress)
    tensors = originals_of(context, graph, stored)
    originals = {
        c.tensor: _reader(tensors[c.tensor], c.transform) for c in graph.constants if c.tensor in tensors
    }
    named = {name: weight for name, weight in stored.items() if name in originals}
    other_shape = [
        name
        for name, weight in named.items()
        if weight.shape != tensors[name].shape or len(named) < len(originals)
    ]
    if other_shape:
        remedy = "name the checkpoint that the bundle was made from"
        return Unseen(f"{other_shape[0]} has another shape than the checkpoint's", remedy)
    return _compare_all(context, named, originals, manifest.recipe.schemes)


def originals_of(
    context: Context, graph: Graph, stored: Mapping[str, StoredWeight]
) -> Mapping[str, WeightTensor]:
    """Return the checkpoint's tensors as the bundle holds them: trimmed, fitted and rotated, in full precision."""
    manifest, source, kept = context.bundle.manifest, context.source, context.kept_ids
    assert manifest is not None and source is not None
    tensors = (source if kept is None else gather_rows(source, kept)).tensors
    fitted: Mapping[str, WeightTensor] = tensors
    if graph.key.kv_precision == "int8":
        fitted = fit_caches(tensors, source.architecture, _exponents(tensors, source.architecture, stored))
    return rotate_weights(
        fitted,
        [c.tensor for c in graph.constants if c.quantizable and c.tensor in source.tensors],
        manifest.graph.rotation,
        source.architecture.head_dim,
        through_attention=manifest.adapters is None,
    )


def _exponents(
    tensors: Mapping[str, WeightTensor], architecture: Architecture, stored: Mapping[str, StoredWeight]
) -> list[int]:
    """By which power of two values were divided for 8-bit caches, as the stored projections show."""
    found = []
    for layer in range(architecture.layers):
        name = attention_names(layer).values
        if name not in stored:
            found.append(0)
            continue
        own, kept = tensors[name].read(), stored[name].read(slice(None))
        own_square, kept_square = weight_sums(own, own)[0], weight_sums(kept, kept)[0]
        found.append(round(math.log2(own_square / kept_square) / 2) if own_square and kept_square else 0)
    return found


def _compare_all(
    context: Context,
    weights: Mapping[str, StoredWeight],
    originals: Mapping[str, Read],
    schemes: Mapping[str, str] | None,
) -> Section:
    """Compare tensors by name.

    originals: read rows of a tensor as the graph wants it (a norm's scale as 1 + w).
    schemes: labels by tensor, as in the manifest; with them the same scheme is applied to the original, and
    what the stored tensor falls short of that is held to a gate.
    """
    rows = []
    with context.progress.step("compare the weights", len(weights), "tensors") as advance:
        for name, weight in weights.items():
            rows.append(
                _compare(weight, originals[name], None if schemes is None else schemes.get(name, "float32"))
            )
            advance(1)
    return Section(tuple(rows))


def judge(section: Section, gates: Gates) -> Check:
    """Hold the tensor that falls shortest of its scheme to the gate."""
    losses = {row.tensor: _loss(row) for row in section.tensors if row.expected_sqnr_db is not None}
    worst = max(losses, key=lambda name: losses[name], default=None)
    verdicts = gates.judge("max_sqnr_loss", None if worst is None else losses[worst])
    rows = section.tensors
    finite = [row for row in rows if math.isfinite(row.sqnr_db)] or rows
    lowest = min(finite, key=lambda row: row.sqnr_db)
    said = f"{len(rows)} tensors; the lowest SQNR is {lowest.sqnr_db:.1f} dB, of {lowest.tensor}"
    if worst is not None and not all(gate.passed for gate in verdicts):
        bad = [name for name, loss in losses.items() if loss > verdicts[0].threshold]
        said = f"{len(bad)} tensors are not the checkpoint's, the worst is {worst}; {said}"
    figures: dict[str, Figure] = {
        "tensors": len(rows),
        "lowest SQNR, dB": lowest.sqnr_db,
        "lowest cosine": min(row.cosine for row in rows),
    }
    return decided_by_gates(NAME, TITLE, said, verdicts, figures)


def page(section: Section, check: Check) -> list[Block]:
    """Draw the ratio of every kind over the layers, and the tensors with the worst first."""
    if not section.tensors:
        return []
    tensors = worst_first(section.tensors)
    blocks: list[Block] = []
    lines = _sqnr_lines(tensors)
    if lines:
        chart = svg.line_chart(
            lines,
            title="Signal-to-quantization-noise ratio by layer",
            x_label="layer",
            y_label="SQNR, dB (higher is better)",
            description=f"From {span([ratio for line in lines for ratio in line.y])} dB; kinds: {len(lines)}.",
            marks=True,
            from_zero=False,
            whole_x=True,
        )
        caption = (
            "Each kind should run level. One point far below its line is a damaged tensor. "
            "Tensors that are stored exactly have no noise and are not drawn."
        )
        blocks.append(Plots([Plot(chart, caption)]))
    else:
        blocks.append(Prose("No tensor of a layer has any quantization noise."))
    shown = tensors[:_WORST_TENSORS]
    blocks.append(_weight_table("The worst first: short of what their scheme gives, then low", shown))
    if len(tensors) > len(shown):
        rest = tensors[_WORST_TENSORS:]
        blocks.append(
            Fold(
                counted(len(rest), "more tensor", "more tensors"),
                [_weight_table("The rest, in the same order", rest)],
            )
        )
    return blocks


def _weight_table(caption: str, tensors: Sequence[Row]) -> Table:
    columns = (
        Column("Tensor", code=True),
        Column("Scheme", code=True),
        Column("SQNR", numeric=True),
        Column("Expected", numeric=True),
        Column("1 minus cosine", numeric=True),
        Column("Values", numeric=True),
        Column("Remark"),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            shorten(row.tensor, 120),
            shorten(row.scheme, 60),
            decibels(row.sqnr_db),
            MISSING if row.expected_sqnr_db is None else decibels(row.expected_sqnr_db),
            number(max(1 - row.cosine, 0), 2),
            f"{row.values:,}",
            Badge("failed", f"{number(_shortfall(row), 2)} dB short")
            if _shortfall(row) >= _NOTABLE_DB
            else "",
        )
        for row in tensors
    ]
    return Table(caption, columns, rows)


def worst_first(tensors: Sequence[Row]) -> list[Row]:
    """Sort tensors: those at fault by how far they fall short, then by their ratio."""

    def badness(row: Row) -> tuple[float, float]:
        shortfall = _shortfall(row)
        ratio = -math.inf if math.isnan(row.sqnr_db) else row.sqnr_db
        return (-shortfall if shortfall >= _NOTABLE_DB else 0.0, ratio)

    return sorted(tensors, key=badness)


def _shortfall(row: Row) -> float:
    """By how many decibels a tensor is worse than quantizing the checkpoint's gives."""
    if math.isnan(row.sqnr_db):
        return math.inf
    if row.expected_sqnr_db is None or row.sqnr_db >= row.expected_sqnr_db:
        return 0.0
    return row.expected_sqnr_db - row.sqnr_db


def _sqnr_lines(tensors: Sequence[Row]) -> list[svg.Line]:
    """One line for each kind of tensor that layers have; where there are too many to tell apart, the lowest."""
    by_kind: dict[str, dict[int, float]] = {}
    for row in tensors:
        if row.layer is not None and math.isfinite(row.sqnr_db):
            by_kind.setdefault(row.kind, {}).setdefault(
                row.layer, row.sqnr_db
            )  # worst first: the lowest stays
    chosen = sorted(by_kind, key=lambda kind: min(by_kind[kind].values()))[: svg.SERIES]
    return [
        svg.Line(kind, sorted(by_kind[kind]), [by_kind[kind][layer] for layer in sorted(by_kind[kind])])
        for kind in sorted(chosen)
    ]


def _reader(tensor: Any, transform: Transform) -> Read:
    def read(rows: slice) -> NDArray[np.float32]:
        return transformed(tensor.read(rows), transform)

    return read


def parse_label(label: str) -> Scheme:
    """Read what `Scheme.label` wrote, such as "int4 block 32 octav"."""
    if label == "float32":
        return Scheme(32)
    bits, granularity, *rest = label.split()
    block = int(rest.pop(0)) if granularity == "block" else 0
    algorithm = rest[0] if rest else "min-max"
    assert algorithm in get_args(Algorithm)
    return Scheme(int(bits.removeprefix("int")), block, algorithm)  # type: ignore[arg-type]


def _compare(weight: StoredWeight, original: Read, label: str | None) -> Row:
    scheme = weight.scheme if label is None else parse_label(label)
    signal = noise = stored_square = expected_noise = 0.0
    for rows in _row_ranges(weight, whole=scheme.algorithm == "octav"):
        wanted, found = original(rows), weight.read(rows)
        s, n, q = weight_sums(wanted, found)
        signal, noise, stored_square = signal + s, noise + n, stored_square + q
        if label is not None:
            expected_noise += weight_sums(wanted, _quantized(wanted, scheme))[1]
    allowed = _GPTQ_DB if scheme.algorithm == "gptq" else 0.0
    layer, kind = kind_of(weight.name)
    # Σ w ŵ = (Σ w² + Σ ŵ² - Σ (w - ŵ)²) / 2
    product = (signal + stored_square - noise) / 2
    return Row(
        tensor=weight.name,
        layer=layer,
        kind=kind,
        scheme=weight.scheme.label(),
        values=math.prod(weight.shape),
        sqnr_db=sqnr_of(signal, noise),
        cosine=1.0 if noise == 0 else cosine_of(signal, stored_square, product),
        expected_sqnr_db=None if label is None else sqnr_of(signal, expected_noise) - allowed,
    )


def _row_ranges(weight: StoredWeight, *, whole: bool) -> Iterator[slice]:
    """Ranges of an even number of rows, so that 4-bit codes begin at a byte."""
    rows = weight.shape[0]
    step = rows if whole else max(2, _CHUNK_VALUES // max(1, math.prod(weight.shape[1:])) // 2 * 2)
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def _quantized(values: NDArray[np.float32], scheme: Scheme) -> NDArray[np.float32]:
    """What a scheme makes of a matrix, its block scales rounded as they are stored."""
    if scheme.bits == 32:
        return values
    if scheme.algorithm == "gptq":
        scheme = replace(scheme, algorithm="min-max")
    tensor = quantize_tensor(values, scheme)
    if scheme.block_size:
        raw = np.frombuffer(block_scale_bytes(tensor.scales), np.float16)
        tensor = QuantizedTensor(tensor.codes, raw.astype(np.float32).reshape(tensor.scales.shape))
    return dequantize(tensor, scheme)


def _loss(row: Row) -> float:
    """Decibels below what the scheme gives; a noisier scheme never counts as a gain."""
    assert row.expected_sqnr_db is not None
    return max(0.0, min(row.expected_sqnr_db, _HIGHEST_DB) - min(row.sqnr_db, _HIGHEST_DB))
