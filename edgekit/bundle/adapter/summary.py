"""What is in an adapter bundle: which projections it changes, by how much, in how many bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgekit.bundle.adapter.manifest import AGAIN, AdapterManifest, to_json
from edgekit.bundle.adapter.opening import Adapter, read_adapter_bundle
from edgekit.bundle.sidecar import read_sidecar
from edgekit.errors import AdapterError
from edgekit.graph.slots import ATTENTION, MLP

_INPUT: Final = re.compile(r"lora_atten_([qkvo])_a_prime_weight_(\d+)")


@dataclass(frozen=True)
class TargetSummary:
    """What an adapter does to one kind of projection.

    bytes: of its matrices in the sidecar. norms: ‖ΔW‖ (Frobenius norm, the scaling included) of each layer that it
    changes, from the first to the last.
    """

    target: str
    bytes: int
    norms: tuple[float, ...]


@dataclass(frozen=True)
class AdapterSummary:
    """All that `inspect` finds in an adapter bundle. path: of the sidecar. targets: in the order of the manifest."""

    path: Path
    manifest: AdapterManifest
    targets: tuple[TargetSummary, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        return {
            "path": str(self.path),
            "targets": [
                {"target": found.target, "bytes": found.bytes, "norms": list(found.norms)}
                for found in self.targets
            ],
            "manifest": to_json(self.manifest),
        }


def inspect_adapter(path: str | Path) -> AdapterSummary:
    """Summarize an adapter bundle, whatever its base.

    path: its directory, or the sidecar in it. Raises AdapterError when there is none, or the sidecar is damaged.
    """
    return summarize(read_adapter_bundle(path))


def summarize(adapter: Adapter) -> AdapterSummary:
    """Summarize an adapter bundle that was opened. Raises AdapterError when the sidecar is damaged."""
    found: dict[str, list[_Change]] = {target: [] for target in adapter.manifest.targets}
    for letter, changes in _changes(adapter.sidecar).items():
        attention, mlp = _divided(letter, changes, adapter.manifest.targets)
        for target, part in ((ATTENTION["qkvo".index(letter)], attention), (_mlp_of(letter), mlp)):
            if part and target not in found:
                raise AdapterError(
                    f"the sidecar changes {target}, of which the manifest says nothing",
                    where=adapter.sidecar,
                    remedy=AGAIN,
                )
            if part and target is not None:
                found[target] = part
    return AdapterSummary(
        path=adapter.sidecar,
        manifest=adapter.manifest,
        targets=tuple(
            TargetSummary(target, sum(change.bytes for change in part), tuple(c.norm for c in part))
            for target, part in found.items()
        ),
    )


@dataclass(frozen=True)
class _Change:
    """One projection's pair of matrices: the number in its name, the shapes, the bytes, ‖ΔW‖."""

    number: int
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    bytes: int
    norm: float


def change_norm(down: NDArray[np.float32], up: NDArray[np.float32]) -> float:
    """Return ‖up.T @ down‖ (Frobenius) without making the product: both Gram matrices are only rank by rank."""
    wide, high = down.astype(np.float64), up.astype(np.float64)
    return float(np.sqrt(max(np.sum((wide @ wide.T) * (high @ high.T)), 0.0)))


def _changes(sidecar: Path) -> dict[str, list[_Change]]:
    """The pairs of a sidecar by the letter in their names, in the order of their numbers."""
    matrices = read_sidecar(sidecar)
    found: dict[str, list[_Change]] = {}
    for name, down in matrices.items():
        if match := _INPUT.fullmatch(name):
            up = matrices.get(name.replace("_a_prime_", "_b_prime_"))
            if up is None or down.ndim != 2 or up.ndim != 2 or len(up) != len(down):
                raise AdapterError(f"the sidecar has no pair for {name}", where=sidecar, remedy=AGAIN)
            change = _Change(
                int(match[2]), (down.shape, up.shape), down.nbytes + up.nbytes, change_norm(down, up)
            )
            found.setdefault(match[1], []).append(change)
    return {letter: sorted(changes, key=lambda change: change.number) for letter, changes in found.items()}


def _mlp_of(letter: str) -> str | None:
    """The MLP projection that shares a letter with one of the attention's (see `edgekit.graph.slots`)."""
    return dict(zip("qkv", MLP, strict=True)).get(letter)


def _divided(
    letter: str, changes: list[_Change], targets: tuple[str, ...]
) -> tuple[list[_Change], list[_Change]]:
    """Tell the attention's pairs of one letter from the MLP's, which have the higher numbers and other shapes.

    How many layers the base has, from where on numbers are the MLP's, only the base knows.
    """
    mlp = _mlp_of(letter)
    if mlp not in targets:
        return changes, []
    if ATTENTION["qkvo".index(letter)] not in targets:
        return [], changes
    groups = [list(group) for _, group in groupby(changes, key=lambda change: change.shapes)]
    if len(groups) == 2:
        return groups[0], groups[1]
    half = len(changes) // 2  # as wide as each other: as many of each
    return changes[:half], changes[half:]
