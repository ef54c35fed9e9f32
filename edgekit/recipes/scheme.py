"""How one tensor is stored: the vocabulary that recipes, the linker and manifests share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Algorithm = Literal["min-max", "octav", "mse", "gptq"]


@dataclass(frozen=True)
class Scheme:
    """How one tensor is stored.

    bits: 8 or 4 (2 where the engine runs it), or 32 for float32.
    block_size: columns that share a scale, or 0 for one scale per row (channel-wise).
    algorithm: how scales and codes are chosen: "gptq" by what the tensor is multiplied with, which calibration shows;
    the other names are ai-edge-quantizer's.
    """

    bits: Literal[2, 4, 8, 32]
    block_size: int = 0
    algorithm: Algorithm = "min-max"

    def label(self) -> str:
        """Short name for tables and manifests: "float32", "int8 channel", "int4 block 32 octav"."""
        if self.bits == 32:
            return "float32"
        granularity = f"block {self.block_size}" if self.block_size else "channel"
        suffix = "" if self.algorithm == "min-max" else f" {self.algorithm}"
        return f"int{self.bits} {granularity}{suffix}"

    def data_bytes(self, shape: tuple[int, ...]) -> int:
        """Bytes that the values of a tensor take, without its scales."""
        count = 1
        for dimension in shape:
            count *= dimension
        return (count * self.bits + 7) // 8

    def scale_bytes(self, shape: tuple[int, ...]) -> int:
        """Bytes that the scales take: float16 per block, or float32 and an int64 zero point per row."""
        if self.bits == 32:
            return 0
        rows, columns = shape
        return rows * (columns // self.block_size) * 2 if self.block_size else rows * 12


FLOAT32 = Scheme(bits=32)
