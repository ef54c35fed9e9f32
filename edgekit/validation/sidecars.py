"""Adapters: what a base and a sidecar promise, and a sidecar's matrices against those that PEFT trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgekit.bundle.adapter.opening import Adapter
from edgekit.bundle.sidecar import read_sidecar
from edgekit.bundle.summary import BundleSummary
from edgekit.bundle.tflite import ADAPTER_INPUT
from edgekit.checkpoint import Checkpoint
from edgekit.checkpoint.lora.merge import module_in_peft, open_adapter_weights, sort_by_module
from edgekit.checkpoint.safetensors import StoredTensor
from edgekit.conversion.adapter.making import adapter_digest
from edgekit.families import family_named
from edgekit.files.digest import file_digest
from edgekit.graph.slots import AdapterSlot, adapter_slots
from edgekit.stats import Floats
from edgekit.validation.checks import promise
from edgekit.validation.result import AdapterRow, Check, ContainerItem, Status, WeightsSection
from edgekit.validation.weights import kind_of

_AGAIN = "make the sidecar again: edgekit adapter ADAPTER --base-bundle BASE"


def slot_items(base: BundleSummary) -> list[ContainerItem]:
    """What a base that takes adapters promises, and what is so; nothing for another bundle."""
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
    return [
        promise("rank of adapters", str(slots.rank), ", ".join(map(str, sorted(ranks))) or "none"),
        promise(
            "sidecar of no adapter",
            slots.empty.sha256[:12],
            file_digest(empty)[:12] if empty.is_file() else "missing",
        ),
    ]


def sidecar_items(
    adapter: Adapter, base: BundleSummary, checkpoint: Checkpoint | None
) -> list[ContainerItem]:
    """What the adapter bundle promises, and what is so.

    checkpoint: the adapter that it is validated against. Another one is a warning, as for a bundle's checkpoint.
    """
    manifest, sidecar = adapter.manifest, adapter.sidecar
    items = [
        promise("sidecar, bytes", manifest.sidecar.size, sidecar.stat().st_size),
        promise("sidecar, SHA-256", manifest.sidecar.sha256[:12], file_digest(sidecar)[:12]),
        promise("sidecar made for this base", manifest.base.model_sha256[:12], base.sha256[:12]),
        _ranks(adapter),
    ]
    if checkpoint is not None:
        given, made_from = adapter_digest(checkpoint.path)[:12], manifest.source.digest[:12]
        same: Status = "passed" if given == made_from else "warned"
        items.append(ContainerItem("sidecar made from this adapter", same, given, made_from))
    return items


def _ranks(adapter: Adapter) -> ContainerItem:
    """The rank that the manifest says against that of the matrices in the file."""
    ranks = {len(values) for values in read_sidecar(adapter.sidecar).values()} or {adapter.manifest.rank}
    return promise("sidecar, rank", str(adapter.manifest.rank), ", ".join(map(str, sorted(ranks))))


def check_sidecar(adapter: Adapter, checkpoint: Checkpoint) -> tuple[AdapterRow, ...]:
    """Compare what a sidecar adds to each projection with what PEFT's matrices add: scaling * B A.

    Written apart from what makes sidecars, so that a mistake there is not repeated here.
    """
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
    return tuple(rows)


def with_sidecar(
    found: tuple[Check, WeightsSection] | Check, rows: tuple[AdapterRow, ...]
) -> tuple[Check, WeightsSection] | Check:
    """Add the sidecar to the check of the base's weights."""
    check, section = found if isinstance(found, tuple) else (found, WeightsSection(()))
    worst = max(rows, key=lambda row: row.error - (row.expected_error or 0.0))
    wrong = [row for row in rows if not row.faithful]
    said = f"sidecar: {len(rows)} projections, the largest relative error is {worst.error:.2g}"
    if wrong:
        said = (
            f"{len(wrong)} of {len(rows)} projections of the sidecar are not the adapter's, the worst is "
            f"{worst.tensor} (relative error {worst.error:.2g})"
        )
    elif reduced := [row for row in rows if row.expected_error is not None]:
        said += f", as {len(reduced)} were reduced in rank"
    status: Status = "failed" if wrong or check.status == "failed" else "passed"
    remedy = "; ".join(dict.fromkeys(filter(None, (check.remedy, _AGAIN if wrong else None)))) or None
    figures = {
        **check.figures,
        "projections in the sidecar": len(rows),
        "largest relative error": worst.error,
    }
    check = replace(
        check, status=status, summary=f"{said}; base: {check.summary}", figures=figures, remedy=remedy
    )
    return check, replace(section, adapter=rows)


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


def _row(
    module: str, found: Floats | None, trained: tuple[Floats, Floats, float] | None, rank: int
) -> AdapterRow:
    layer, kind = kind_of(f"{module}.weight")
    if found is None or trained is None:  # one of them does not touch the projection at all
        own_rank = 0 if trained is None else trained[1].shape[0]
        return AdapterRow(module, layer, kind, own_rank, error=1.0 if found is None else math.inf)
    up, down, scaling = trained
    if found.shape != (up.shape[0], down.shape[1]):
        return AdapterRow(module, layer, kind, len(down), error=math.inf)
    wanted = scaling * (up @ down)
    size, distance = float(np.linalg.norm(wanted)), float(np.linalg.norm(found - wanted))
    error = distance / size if size else math.inf if distance else 0.0
    expected = _lost(up, down, rank) if len(down) > rank else None
    return AdapterRow(module, layer, kind, len(down), error, expected)


def _lost(up: Floats, down: Floats, rank: int) -> float:
    """The relative error of the best approximation of a lower rank to `up @ down` (Eckart and Young 1936)."""
    values = np.linalg.svd(np.linalg.qr(up)[1] @ np.linalg.qr(down.T)[1].T, compute_uv=False)
    whole = float(np.linalg.norm(values))
    return float(np.linalg.norm(values[rank:])) / whole if whole else 0.0
