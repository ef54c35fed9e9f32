"""Adapter bundles with one fault planted, whose manifests vouch for them: only a check of the content can tell."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.bundle.adapter.manifest import manifest_bytes, read_adapter_manifest
from edgekit.bundle.directory import ADAPTER_MANIFEST_NAME
from edgekit.bundle.sidecar import read_sidecar, sidecar_bytes

Matrices = Mapping[str, NDArray[np.float32]]


def planted_adapter(
    bundle: Path, target: Path, change: Callable[[Matrices], Matrices] = lambda m: m, **manifest: Any
) -> Path:
    """Copy an adapter bundle with other matrices, and other values in its manifest."""
    was = read_adapter_manifest(bundle)
    data = sidecar_bytes(change(read_sidecar(bundle / was.sidecar.file)), was.rank)
    sidecar = dataclasses.replace(was.sidecar, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    target.mkdir(parents=True)
    (target / sidecar.file).write_bytes(data)
    (target / ADAPTER_MANIFEST_NAME).write_bytes(
        manifest_bytes(dataclasses.replace(was, sidecar=sidecar, **manifest))
    )
    return target
