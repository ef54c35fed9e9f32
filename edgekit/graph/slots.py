"""Where an adapter enters a graph: two matrices for every projection that it may change, as inputs.

The CPU engine fills every input whose name matches `lora_atten_(q|k|v|o)_(a|b)_prime_weight_N` from the sidecar of
the conversation, or with zeros when the sidecar, or the conversation, has none for it. It compares names by pattern
and sizes in bytes, nothing else. So the projections of the MLP, for which it has no names, take those of layers
beyond the last: layer N's gate, up and down are q, k and v of layer `layers + N`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.families.base import Architecture

RANKS = (16, 32)
"""The ranks that LiteRT-LM takes. Smaller adapters are padded with zeros."""

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")
TARGETS = ATTENTION + MLP
"""Every projection of a layer, in the order of the graph's inputs."""

_LETTERS = dict(zip(TARGETS, "qkvoqkv", strict=True))


@dataclass(frozen=True)
class AdapterSlot:
    """One projection that an adapter may change: y = W x + up (down x).

    module: its name in the checkpoint, without ".weight". down, up: the inputs for the adapter's two matrices, of
    shapes (rank, in_features) and (rank, out_features), float32; the scaling is part of `up`.
    """

    module: str
    target: str
    down: str
    up: str
    in_features: int
    out_features: int

    def shapes(self, rank: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Shapes of `down` and `up`."""
        return (rank, self.in_features), (rank, self.out_features)


def adapter_slots(architecture: Architecture, targets: Sequence[str] = TARGETS) -> tuple[AdapterSlot, ...]:
    """List the slots of a graph, layer by layer."""
    return slots_of(
        layers=architecture.layers,
        hidden=architecture.hidden_size,
        mlp=architecture.intermediate_size,
        query=architecture.query_size,
        key=architecture.key_size,
        targets=targets,
    )


def slots_of(
    *, layers: int, hidden: int, mlp: int, query: int, key: int, targets: Sequence[str] = TARGETS
) -> tuple[AdapterSlot, ...]:
    """List the slots of a graph of so many layers, with these widths inside one."""
    shapes = {  # rows and columns of each projection
        "q_proj": (query, hidden),
        "k_proj": (key, hidden),
        "v_proj": (key, hidden),
        "o_proj": (hidden, query),
        "gate_proj": (mlp, hidden),
        "up_proj": (mlp, hidden),
        "down_proj": (hidden, mlp),
    }
    slots = []
    for layer in range(layers):
        for target in TARGETS:
            if target in targets:
                block = "self_attn" if target in ATTENTION else "mlp"
                number = layer if target in ATTENTION else layers + layer
                name = f"lora_atten_{_LETTERS[target]}_{{}}_prime_weight_{number}"
                rows, columns = shapes[target]
                slots.append(
                    AdapterSlot(
                        module=f"model.layers.{layer}.{block}.{target}",
                        target=target,
                        down=name.format("a"),
                        up=name.format("b"),
                        in_features=columns,
                        out_features=rows,
                    )
                )
    return tuple(slots)
