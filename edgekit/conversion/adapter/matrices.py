"""A PEFT adapter as what fills a graph's adapter inputs: two matrices per projection, of the graph's rank.

PEFT computes y = W x + scaling * B (A x), with A of shape (rank, in) and B of shape (out, rank). The graph computes
y = W x + up (down x): down is A, up is B with the scaling in it. A smaller rank is padded with zeros, which changes no
sum; a larger one is cut to the best approximation of its rank, when that was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.checkpoint.lora.config import AdapterConfig
from edgekit.checkpoint.lora.merge import Parts, module_in_peft, open_adapter_weights, sort_by_module
from edgekit.checkpoint.safetensors import StoredTensor, check_finite, some
from edgekit.errors import AdapterError
from edgekit.families.base import Family
from edgekit.graph.slots import AdapterSlot

_MERGED = "convert it merged into its base: edgekit convert {directory}"


@dataclass(frozen=True)
class AdapterMatrices:
    """What fills the inputs of a graph.

    by_input: input → values, float32, for every slot that the adapter changes. targets: projections that it changes.
    reduction_error: the largest ‖ΔW' - ΔW‖ / ‖ΔW‖ over the projections whose rank was reduced; None for none.
    """

    by_input: Mapping[str, NDArray[np.float32]]
    targets: tuple[str, ...]
    reduction_error: float | None


def adapter_matrices(
    directory: Path,
    adapter: AdapterConfig,
    slots: Sequence[AdapterSlot],
    rank: int,
    family: Family,
    *,
    reduce_rank: bool = False,
) -> AdapterMatrices:
    """Read an adapter for a graph with these slots.

    rank: of the graph. family: of the base. reduce_rank: cut larger ranks to it.
    Raises AdapterError, naming module and way out, for what a sidecar cannot carry, for shapes of another base, and for
    a larger rank; CheckpointError for damaged files.
    """
    parts = sort_by_module(open_adapter_weights(directory), directory, family, conditional=True)
    _refuse_what_no_sidecar_carries(parts, adapter, slots, directory)
    _refuse_larger_rank(parts, adapter, rank, directory, reduce_rank)
    found: dict[str, NDArray[np.float32]] = {}
    errors = []
    for slot in slots:
        if (roles := parts.get(slot.module)) is None:
            continue
        down, up = _pair(slot, roles, adapter, directory)
        if len(down) > rank:
            down, up, error = reduced(down, up, rank)
            errors.append(error)
        down_shape, up_shape = slot.shapes(rank)
        found[slot.down] = _padded(down, down_shape)
        found[slot.up] = _padded(up, up_shape)
    changed = {slot.target for slot in slots if slot.down in found}
    targets = tuple(dict.fromkeys(slot.target for slot in slots if slot.target in changed))
    return AdapterMatrices(found, targets, max(errors, default=None))


def reduced(
    down: NDArray[np.float32], up: NDArray[np.float32], rank: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Return the best approximation of `up.T @ down` of a lower rank, and its relative error (Frobenius norm).

    The singular value decomposition of the product, found from those of its small factors (Eckart and Young 1936):
    with QR decompositions down.T = Q R and up.T = P S, it is P (S R.T) Q.T, and S R.T is only rank by rank.
    """
    q, r = np.linalg.qr(down.T.astype(np.float64))
    p, s = np.linalg.qr(up.T.astype(np.float64))
    left, values, right = np.linalg.svd(s @ r.T)
    lost, whole = np.linalg.norm(values[rank:]), np.linalg.norm(values)
    root = np.sqrt(values[:rank])
    new_up = (p @ left[:, :rank]) * root
    new_down = (right[:rank] @ q.T) * root[:, None]
    return new_down.astype(np.float32), new_up.T.astype(np.float32), float(lost / whole) if whole else 0.0


def _pair(
    slot: AdapterSlot, roles: Mapping[str, StoredTensor], adapter: AdapterConfig, directory: Path
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Matrices of one projection in the graph's layout, of the adapter's rank."""
    if not {"down", "up"} <= roles.keys():
        raise AdapterError(
            f"{slot.module} needs both matrices of its LoRA",
            where=directory,
            remedy="save the adapter again with model.save_pretrained(directory)",
        )
    down, up = roles["down"], roles["up"]
    module = module_in_peft(down)
    rank = adapter.module_rank(module)
    for tensor, expected in ((down, (rank, slot.in_features)), (up, (slot.out_features, rank))):
        if tensor.shape != expected:
            raise AdapterError(
                f"tensor {tensor.name} has shape {tensor.shape}, but this base and adapter_config.json make it "
                f"{expected}",
                where=tensor.source,
                remedy="the adapter was trained on another base: name the bundle of its own with --base-bundle",
            )
        check_finite(tensor.name, tensor.read(), where=tensor.source)
    return down.read(), np.ascontiguousarray(up.read().T) * np.float32(adapter.scaling(module))


def _padded(values: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    whole = np.zeros(shape, np.float32)
    whole[: len(values)] = values
    return whole


def _refuse_what_no_sidecar_carries(
    parts: Parts, adapter: AdapterConfig, slots: Sequence[AdapterSlot], directory: Path
) -> None:
    if adapter.use_dora or any("magnitude" in roles for roles in parts.values()):
        raise _not_carried("its DoRA magnitudes", adapter.path, directory)
    whole = [module for module, roles in parts.items() if roles.keys() & {"weight", "base", "tokens"}]
    if whole or adapter.modules_to_save:
        raise _not_carried(
            f"modules trained whole: {some(whole or list(adapter.modules_to_save))}", adapter.path, directory
        )
    known = {slot.module for slot in slots}
    if others := [module for module in parts if module not in known]:
        inside = [module for module in others if module.startswith("model.layers.")]
        if inside and any(module.rpartition(".")[2] in {slot.target for slot in slots} for module in inside):
            layers = 1 + max(int(slot.module.split(".")[2]) for slot in slots)
            raise AdapterError(
                f"the adapter changes {some(inside)}, but the base has {layers} layers",
                where=directory,
                remedy="the adapter was trained on another base: name the bundle of its own with --base-bundle",
            )
        raise _not_carried(some(others), directory, directory)


def _not_carried(what: str, where: Path, directory: Path) -> AdapterError:
    return AdapterError(
        f"the adapter trains what a sidecar cannot carry: {what}",
        where=where,
        remedy=_MERGED.format(directory=directory),
    )


def _refuse_larger_rank(
    parts: Parts, adapter: AdapterConfig, rank: int, directory: Path, reduce_rank: bool
) -> None:
    ranks = {roles["down"].shape[0] for roles in parts.values() if "down" in roles and roles["down"].shape}
    largest = max(ranks, default=adapter.rank)
    if largest <= rank or reduce_rank:
        return
    larger = "convert the base with --adapters 32, or " if rank < 32 and largest <= 32 else ""
    raise AdapterError(
        f"the adapter has rank {largest}, the base takes rank {rank}",
        where=adapter.path,
        remedy=f"{larger}add --reduce-rank, which tells what it costs, or {_MERGED.format(directory=directory)}",
    )
