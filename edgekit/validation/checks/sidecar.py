"""What a sidecar adds to each projection, against what PEFT's matrices add."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgekit.bundle.sidecar import read_sidecar
from edgekit.checkpoint import Checkpoint
from edgekit.checkpoint.lora.merge import module_in_peft, open_adapter_weights, sort_by_module
from edgekit.checkpoint.safetensors import StoredTensor
from edgekit.families import family_named
from edgekit.figures import number
from edgekit.gates import Gates
from edgekit.graph.slots import AdapterSlot, adapter_slots
from edgekit.html.page import Badge, Block, Cell, Column, Fold, Prose, Table
from edgekit.html.text import shorten
from edgekit.scoring.noise import kind_of
from edgekit.stats import Floats
from edgekit.validation.context import Context
from edgekit.validation.drawing import MISSING, counted
from edgekit.validation.verdict import Check, Figure, Skipped, Status

NAME = "sidecar"
TITLE = "Sidecar"

_AGAIN = "make the sidecar again: edgekit adapter ADAPTER --base-bundle BASE"
_ROUNDING: Final = 1e-5
"""Relative: float32, and the scaling folded into one of the matrices, differ by some 1e-7 from what PEFT computes."""
_WORST = 15


@dataclass(frozen=True)
class Row:
    """What a sidecar adds to a projection's weight, against what PEFT's matrices add.

    tensor: the projection. rank: as trained, 0 when PEFT does not change it.
    error: ‖found - trained‖ / ‖trained‖ (Frobenius); 1 when the sidecar does not change it, infinite when only it does.
    expected_error: what the best approximation of the sidecar's rank gives; None when the rank was not reduced.
    """

    tensor: str
    layer: int | None
    kind: str
    rank: int
    error: float
    expected_error: float | None = None

    @property
    def faithful(self) -> bool:
        """Whether rounding, and the reduction of the rank, account for the error."""
        return self.error <= _ROUNDING + (self.expected_error or 0.0)


@dataclass(frozen=True)
class Section:
    """Every projection that the sidecar or the adapter as trained changes."""

    projections: tuple[Row, ...]


def look(context: Context) -> Section | Skipped:
    """Compare what the sidecar adds to each projection with scaling * B A of the adapter as trained.

    Written apart from what makes sidecars, so that a mistake there is not repeated here.
    """
    adapter, checkpoint = context.adapter, context.reference.checkpoint
    if adapter is None:
        return Skipped("no adapter is laid over the bundle")
    if checkpoint is None:
        return Skipped("name the LoRA adapter that the sidecar was made from")
    assert checkpoint.adapter is not None
    matrices = read_sidecar(adapter.sidecar)
    family = family_named(checkpoint.architecture.family)
    parts = sort_by_module(open_adapter_weights(checkpoint.path), checkpoint.path, family, conditional=True)
    slots = {slot.module: slot for slot in adapter_slots(checkpoint.architecture)}
    filled = [module for module, slot in slots.items() if slot.down in matrices or slot.up in matrices]
    rows = []
    for module in dict.fromkeys([*filled, *parts]):
        found = _added(slots.get(module), matrices)
        trained = _trained(parts.get(module, {}), checkpoint)
        rows.append(_row(module, found, trained, adapter.manifest.rank))
    return Section(tuple(rows))


def judge(section: Section, gates: Gates) -> Check:
    """Fail when a projection is not the adapter's."""
    rows = section.projections
    worst = max(rows, key=_excess)
    wrong = [row for row in rows if not row.faithful]
    status: Status = "failed" if wrong else "passed"
    said = f"{len(rows)} projections, the largest relative error is {worst.error:.2g}"
    if wrong:
        said = (
            f"{len(wrong)} of {len(rows)} projections are not the adapter's, the worst is {worst.tensor} "
            f"(relative error {worst.error:.2g})"
        )
    elif reduced := [row for row in rows if row.expected_error is not None]:
        said += f", as {len(reduced)} were reduced in rank"
    figures: dict[str, Figure] = {"projections": len(rows), "largest relative error": worst.error}
    return Check(NAME, TITLE, status, said, (), figures, _AGAIN if wrong else None)


def page(section: Section, check: Check) -> list[Block]:
    """Draw the projections, the worst first."""
    worst = sorted(section.projections, key=_excess, reverse=True)
    shown, rest = worst[:_WORST], worst[_WORST:]
    intro = (
        f"The sidecar changes {counted(len(worst), 'projection', 'projections')}. What it adds to each weight is held "
        "against scaling times B A of the adapter as trained. More than rounding, or than reducing the rank costs, "
        "is a fault."
    )
    blocks: list[Block] = [
        Prose(intro),
        _table("The sidecar against the adapter, the worst first", shown),
    ]
    if rest:
        table = _table("The rest of the sidecar, in the same order", rest)
        blocks.append(Fold(counted(len(rest), "more projection", "more projections"), [table]))
    return blocks


def _table(caption: str, rows: Sequence[Row]) -> Table:
    columns = (
        Column("Projection", code=True),
        Column("Rank as trained", numeric=True),
        Column("Relative error", numeric=True),
        Column("Expected", numeric=True),
        Column("Remark"),
    )
    cells: list[tuple[Cell, ...]] = [
        (
            shorten(row.tensor, 120),
            f"{row.rank}",
            number(row.error, 2),
            MISSING if row.expected_error is None else number(row.expected_error, 2),
            "" if row.faithful else Badge("failed", "not the adapter's"),
        )
        for row in rows
    ]
    return Table(caption, columns, cells)


def _excess(row: Row) -> float:
    return row.error - (row.expected_error or 0.0)


def _added(slot: AdapterSlot | None, matrices: Mapping[str, NDArray[np.float32]]) -> Floats | None:
    """What a sidecar adds to a weight, of the weight's shape; None when it does not touch it."""
    if slot is None or slot.down not in matrices or slot.up not in matrices:
        return None
    added: Floats = matrices[slot.up].T.astype(np.float64) @ matrices[slot.down].astype(np.float64)
    return added


def _trained(
    roles: Mapping[str, StoredTensor], checkpoint: Checkpoint
) -> tuple[Floats, Floats, float] | None:
    """PEFT's B, A and scaling; None for a module that has not both matrices."""
    if not {"down", "up"} <= roles.keys():
        return None
    assert checkpoint.adapter is not None
    scaling = checkpoint.adapter.scaling(module_in_peft(roles["down"]))
    return roles["up"].read().astype(np.float64), roles["down"].read().astype(np.float64), scaling


def _row(module: str, found: Floats | None, trained: tuple[Floats, Floats, float] | None, rank: int) -> Row:
    layer, kind = kind_of(f"{module}.weight")
    if found is None or trained is None:  # one of them does not touch the projection at all
        own_rank = 0 if trained is None else trained[1].shape[0]
        return Row(module, layer, kind, own_rank, error=1.0 if found is None else math.inf)
    up, down, scaling = trained
    if found.shape != (up.shape[0], down.shape[1]):
        return Row(module, layer, kind, len(down), error=math.inf)
    wanted = scaling * (up @ down)
    size, distance = float(np.linalg.norm(wanted)), float(np.linalg.norm(found - wanted))
    error = distance / size if size else math.inf if distance else 0.0
    expected = _lost(up, down, rank) if len(down) > rank else None
    return Row(module, layer, kind, len(down), error, expected)


def _lost(up: Floats, down: Floats, rank: int) -> float:
    """The relative error of the best approximation of a lower rank to `up @ down` (Eckart and Young 1936)."""
    values = np.linalg.svd(np.linalg.qr(up)[1] @ np.linalg.qr(down.T)[1].T, compute_uv=False)
    whole = float(np.linalg.norm(values))
    return float(np.linalg.norm(values[rank:])) / whole if whole else 0.0
