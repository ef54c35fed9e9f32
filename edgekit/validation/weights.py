"""Check 8: every tensor as the bundle computes with it, against the tensor it was made from."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from edgekit.bundle.stored import StoredWeight
from edgekit.gates import Gates
from edgekit.graph.format import Graph
from edgekit.progress import SILENT, Progress
from edgekit.quantize.solve import QuantizedTensor, block_scale_bytes, dequantize, quantize_tensor
from edgekit.recipes.scheme import Algorithm, Scheme
from edgekit.scoring.noise import cosine_of, sqnr_of, weight_sums
from edgekit.scoring.scorer import EMBEDDING
from edgekit.validation.answers import verdict
from edgekit.validation.result import Check, WeightRow, WeightsSection

_CHUNK_VALUES = 1 << 22
_LAYER = re.compile(r"model\.layers\.(\d+)\.(?:\w+\.)?(\w+)\.weight$")
_HIGHEST_DB = 144.0
"""What float32 itself resolves; a loss is counted from there when a tensor should be equal."""

Read = Callable[[slice], NDArray[np.float32]]


def check_weights(
    weights: Mapping[str, StoredWeight],
    originals: Mapping[str, Read],
    gates: Gates,
    *,
    schemes: Mapping[str, str] | None,
    progress: Progress = SILENT,
) -> tuple[Check, WeightsSection]:
    """Compare the stored tensors with their originals, by name.

    originals: reads rows of the tensor as the graph wants it (a norm's scale as 1 + w).
    schemes: labels by tensor, as in the manifest; with them the same scheme is applied to the original, and
    what the stored tensor falls short of that is held to a gate.
    """
    rows = []
    names = [name for name in weights if name in originals]
    with progress.step("compare the weights", len(names), "tensors") as advance:
        for name in names:
            label = None if schemes is None else schemes.get(name, "float32")
            rows.append(_compare(weights[name], originals[name], label))
            advance(1)
    losses = {row.tensor: _loss(row) for row in rows if row.expected_sqnr_db is not None}
    worst = max(losses, key=lambda name: losses[name], default=None)
    verdicts = gates.judge("max_sqnr_loss", None if worst is None else losses[worst])
    finite = [row for row in rows if math.isfinite(row.sqnr_db)] or rows
    lowest = min(finite, key=lambda row: row.sqnr_db)
    said = f"{len(rows)} tensors; the lowest SQNR is {lowest.sqnr_db:.1f} dB, of {lowest.tensor}"
    if worst is not None and not all(gate.passed for gate in verdicts):
        bad = [name for name, loss in losses.items() if loss > verdicts[0].threshold]
        said = f"{len(bad)} tensors are not the checkpoint's, the worst is {worst}; {said}"
    figures = {
        "tensors": len(rows),
        "lowest SQNR, dB": lowest.sqnr_db,
        "lowest cosine": min(row.cosine for row in rows),
    }
    return verdict("weights", said, verdicts, figures), WeightsSection(tuple(rows))


def originals_of(graph: Graph, tensors: Mapping[str, Any]) -> dict[str, Read]:
    """Readers of a checkpoint's tensors as a graph wants them."""
    return {c.tensor: _reader(tensors[c.tensor], c.transform) for c in graph.constants if c.tensor in tensors}


def _reader(tensor: Any, transform: str) -> Read:
    def read(rows: slice) -> NDArray[np.float32]:
        values: NDArray[np.float32] = tensor.read(rows)
        return np.float32(1) + values if transform == "one-plus" else values

    return read


def kind_of(name: str) -> tuple[int | None, str]:
    """The layer and the kind of a tensor, from its name."""
    match = _LAYER.match(name)
    if match is not None:
        return int(match[1]), "norm" if "norm" in match[2] else match[2]
    if name == EMBEDDING:
        return None, "embedding"
    return None, "norm" if "norm" in name else "head" if "lm_head" in name else "other"


def parse_label(label: str) -> Scheme:
    """Read what `Scheme.label` wrote, such as "int4 block 32 octav"."""
    if label == "float32":
        return Scheme(32)
    bits, granularity, *rest = label.split()
    block = int(rest.pop(0)) if granularity == "block" else 0
    algorithm = rest[0] if rest else "min-max"
    assert algorithm in get_args(Algorithm)
    return Scheme(int(bits.removeprefix("int")), block, algorithm)  # type: ignore[arg-type]


def _compare(weight: StoredWeight, original: Read, label: str | None) -> WeightRow:
    scheme = weight.scheme if label is None else parse_label(label)
    signal = noise = stored_square = expected_noise = 0.0
    for rows in _row_ranges(weight, whole=scheme.algorithm == "octav"):
        wanted, found = original(rows), weight.read(rows)
        s, n, q = weight_sums(wanted, found)
        signal, noise, stored_square = signal + s, noise + n, stored_square + q
        if label is not None:
            expected_noise += weight_sums(wanted, _quantized(wanted, scheme))[1]
    layer, kind = kind_of(weight.name)
    # Σ w ŵ = (Σ w² + Σ ŵ² - Σ (w - ŵ)²) / 2
    product = (signal + stored_square - noise) / 2
    return WeightRow(
        tensor=weight.name,
        layer=layer,
        kind=kind,
        scheme=weight.scheme.label(),
        values=math.prod(weight.shape),
        sqnr_db=sqnr_of(signal, noise),
        cosine=1.0 if noise == 0 else cosine_of(signal, stored_square, product),
        expected_sqnr_db=None if label is None else sqnr_of(signal, expected_noise),
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
    tensor = quantize_tensor(values, scheme)
    if scheme.block_size:
        raw = np.frombuffer(block_scale_bytes(tensor.scales), np.float16)
        tensor = QuantizedTensor(tensor.codes, raw.astype(np.float32).reshape(tensor.scales.shape))
    return dequantize(tensor, scheme)


def _loss(row: WeightRow) -> float:
    """Decibels below what the scheme gives; a noisier scheme never counts as a gain."""
    assert row.expected_sqnr_db is not None
    return max(0.0, min(row.expected_sqnr_db, _HIGHEST_DB) - min(row.sqnr_db, _HIGHEST_DB))
