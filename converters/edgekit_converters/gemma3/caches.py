"""What a layer keeps of the past: every position, or a ring of the last ones, however long the text.

Every position: the engine lengthens the cache as the text grows, and new keys and values are written in place.

A ring of R slots holds position p in slot p mod R. Which position a slot holds follows from the next position to be
written alone, so no counter is part of the state, and taking back up to R - window tokens leaves a ring that still
has every position that the window can reach: the ones written since are exactly those that it cannot.

    decode    writes one slot in place and attends to the ring
    prefill   attends to the ring as it was and to the prompt behind it, then keeps of both what comes last;
              so a prompt may be longer than the ring
"""

from __future__ import annotations

from typing import Literal

import litert_torch.generative.custom_ops.dynamic_update_slice as slices
import torch

from edgekit.graph.format import KEY_SEQUENCE_AXIS, VALUE_SEQUENCE_AXIS, Form, GraphKey

Steps = Literal["one", "many"]

_BLOCKED = -1e4
"""Added to the scores of positions that must not be seen."""

_NEVER = -(1 << 24)
"""The position of a slot that was never written: out of every window's reach."""


def cache_shapes(key: GraphKey, length: int) -> dict[str, tuple[list[int], int | None]]:
    """Shape of every cache by the name of its input, and the axis whose length is free, if one is."""
    a, shapes = key.architecture, {}
    for index, kind in enumerate(a.layer_types):
        ring = key.kv_layout == "window" and kind == "sliding_attention"
        for letter, axis in (("k", KEY_SEQUENCE_AXIS), ("v", VALUE_SEQUENCE_AXIS[key.form])):
            shape = [1, a.num_key_value_heads, a.head_dim]
            shape.insert(axis, a.ring_length if ring else length)
            shapes[f"{letter}_{index}"] = (shape, None if ring else axis)
    return shapes


def sliding_mask(
    steps: Steps, ring: int | None, positions: torch.Tensor, mask: torch.Tensor, window: int
) -> torch.Tensor:
    """What sliding layers add to their scores, (1, 1, tokens, seen).

    ring: its length; None where every position is kept, and `mask`, that of the full layers, rules out the future.
    """
    queries = positions[:, None]
    if ring is None:
        keys = torch.arange(mask.shape[3], dtype=torch.int32)[None]
        return mask + _additive(keys > queries - window)
    slots = torch.arange(ring, dtype=torch.int32)
    if steps == "one":
        held = _held(slots, positions, ring)
        return _additive(((held >= 0) & (positions - held < window))[None])
    held = _held(slots, positions[:1] - 1, ring)
    keys = torch.cat([torch.where(held < 0, _NEVER, held), positions])[None]
    return _additive((keys < queries + 1) & (keys > queries - window))


def append(
    form: Form, cache: torch.Tensor, new: torch.Tensor, positions: torch.Tensor, axis: int
) -> torch.Tensor:
    """Write keys or values, of shape (1, heads, tokens, head_dim), into a cache of every position.

    axis: that of positions in the cache.
    """
    if axis == 3:
        new = new.transpose(2, 3)
    return _write(form, cache, new, positions[:1], axis)


def append_to_ring(
    steps: Steps, ring: torch.Tensor, new: torch.Tensor, positions: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Write keys or values into a ring; gives the ring to keep, and what to attend to."""
    length = ring.shape[2]
    if steps == "one":
        ring = _write("dynamic", ring, new, _slot(positions, length), 2)
        return ring, ring
    first, last = positions[:1], positions[-1:]
    slots = torch.arange(length, dtype=torch.int32)
    will_hold = _held(slots, last, length)
    rows = torch.where(will_hold >= first, will_hold - first + length, slots)
    both = torch.cat([ring.to(new.dtype), new], dim=2)
    # Not index_select: what the exporter makes of that knows no free dimensions.
    return torch.ops.tfl.gather(both, rows, 2).to(ring.dtype), both


def _write(
    form: Form, cache: torch.Tensor, new: torch.Tensor, place: torch.Tensor, axis: int
) -> torch.Tensor:
    if form == "static":  # four scalars become a PACK; a tensor of zeros a FILL, which no GPU backend runs
        zero = torch.tensor(0, dtype=torch.int32)
        place = torch.ops.tfl.reshape(place, [])
    else:
        zero = torch.zeros((1,), dtype=torch.int32)
    start = [zero, zero, zero, zero]
    start[axis] = place
    if form == "dynamic":
        start = list(torch.cat(start))
    return slices.dynamic_update_slice(cache, new.to(cache.dtype), start)


def _held(slots: torch.Tensor, last: torch.Tensor, length: int) -> torch.Tensor:
    """The position that each slot holds when `last` was the latest written; negative where none was."""
    behind = _slot(last, length) - slots
    return last - torch.where(behind < 0, behind + length, behind)


def _slot(position: torch.Tensor, length: int) -> torch.Tensor:
    # Of two tensors: with a plain number the exporter makes 64 bits of the result.
    return torch.remainder(position, torch.full((1,), length, dtype=torch.int32))


def _additive(seen: torch.Tensor) -> torch.Tensor:
    """0 where a position is seen, `_BLOCKED` elsewhere; arithmetic, since a choice needs operands of a shape told."""
    return ((1.0 - seen.to(torch.float32)) * _BLOCKED)[None, None]
