"""Gemma 3's forward pass, written in operators that the CPU engine runs in one piece.

The arithmetic is that of Transformers, to which the tests hold every logit. What differs is how it is written down.
XNNPACK takes over a stretch of operators as long as their shapes follow from those of their inputs; an operator whose
target shape is computed at run time ends the stretch and copies its tensor. So here

* the states of a prompt are a matrix (tokens, features), and no projection needs a reshape;
* the queries of a key-value head are rows, token by token and head by head, as they come out of their projection;
* a reshape has one free dimension at most, so that its target is a constant;
* norms and products are plain operators instead of composites and general dot products.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import litert_torch.backend.experimental.torch_tfl  # noqa: F401 (registers torch.ops.tfl)
import torch
import transformers
from litert_torch.backend.composite.stablehlo_composite_builder import StableHLOCompositeBuilder

from edgekit.graph.format import KEY_SEQUENCE_AXIS, RESIDUAL_SCALE, VALUE_SEQUENCE_AXIS, GraphKey
from edgekit.graph.slots import adapter_slots
from edgekit_converters.gemma3.caches import Steps, append, append_to_ring, sliding_mask
from edgekit_converters.gemma3.rotary import TURN, frequencies

tfl = torch.ops.tfl

ADAPTER_ARGUMENT = "lora"
"""An input is named by its argument and its key there: of `lora_atten_q_a_prime_weight_0` this is the first part."""


@dataclass(frozen=True)
class Rotation:
    """Cosines and sines of a kind of layer, of shape (1, tokens, 1, head_dim), for keys and, scaled, for queries.

    The first half of the sines is negated, so that a vector is turned by x * cos + (its halves swapped) * sin.
    """

    cos: torch.Tensor
    sin: torch.Tensor
    query_cos: torch.Tensor
    query_sin: torch.Tensor


class Forward(torch.nn.Module):
    """One signature: tokens and caches in, caches and logits out.

    model: Transformers' model, for its parameters and their names. steps: "one" for decode, whose shapes are then all
    known; "many" for a prompt. logits: give them behind every token, (1, 1, vocabulary) of one and
    else (tokens, vocabulary).
    """

    def __init__(self, model: Any, key: GraphKey, steps: Steps, logits: bool) -> None:
        super().__init__()
        self.model = model
        self.key = key
        self.architecture = key.architecture
        self.steps = steps
        self.logits = logits
        self.ring = key.architecture.ring_length if key.kv_layout == "window" else None
        self.fixed = key.form == "static"
        self.residual_scale = RESIDUAL_SCALE if self.fixed else 1.0
        self.frequencies = frequencies(key.architecture)
        self.activation = transformers.activations.ACT2FN[key.architecture.hidden_activation]
        slots = adapter_slots(key.architecture, key.adapters.targets) if key.adapters else ()
        self.slots = {slot.module: slot for slot in slots}
        self.adapters: dict[str, torch.Tensor] = {}

    def forward(
        self,
        tokens: torch.Tensor,
        input_pos: torch.Tensor,
        kv_cache: dict[str, torch.Tensor],
        mask: torch.Tensor,
        lora: Mapping[str, torch.Tensor] | None = None,
    ) -> dict[str, Any]:
        """Run the model over new tokens.

        tokens: (1, tokens). input_pos: their positions, (tokens,). kv_cache: k_N and v_N of every layer. mask: added to
        the scores of the full layers, (1, 1, tokens, cache). lora: adapter inputs by name, without their prefix.
        """
        text = self.model.model
        self.adapters = {f"{ADAPTER_ARGUMENT}_{name}": values for name, values in (lora or {}).items()}
        local = sliding_mask(self.steps, self.ring, input_pos, mask, self.architecture.sliding_window)
        masks = {"full_attention": self._per_row(mask), "sliding_attention": self._per_row(local)}
        rotations = {kind: self._rotation(input_pos, kind) for kind in masks}
        x = tfl.embedding_lookup(tfl.reshape(tokens, [-1]), text.embed_tokens.weight)
        x = x * (self.architecture.hidden_size**0.5 * self.residual_scale)
        if self.steps == "one":  # the engine expects logits of three dimensions
            x = tfl.reshape(x, [1, 1, self.architecture.hidden_size])
        updated = dict(kv_cache)
        for index, kind in enumerate(self.architecture.layer_types):
            layer, name = text.layers[index], f"model.layers.{index}.mlp"
            h = self._norm_of_residual(x, layer.input_layernorm)
            h = self._attention(h, index, input_pos, masks[kind], rotations[kind], updated)
            x = x + self._norm_to_residual(h, layer.post_attention_layernorm)
            h = self._norm_of_residual(x, layer.pre_feedforward_layernorm)
            h = self.activation(self._project(f"{name}.gate_proj", h)) * self._project(f"{name}.up_proj", h)
            h = self._project(f"{name}.down_proj", h)
            x = x + self._norm_to_residual(h, layer.post_feedforward_layernorm)
        outputs: dict[str, Any] = {"kv_cache": updated}
        if self.logits:
            x = self._norm_of_residual(x, text.norm)
            outputs["logits"] = torch.nn.functional.linear(x, self.model.lm_head.weight)
        return outputs

    def _attention(
        self,
        x: torch.Tensor,
        index: int,
        positions: torch.Tensor,
        mask: torch.Tensor,
        rotation: Rotation,
        kv_cache: dict[str, torch.Tensor],
    ) -> torch.Tensor:
        """Attention of one layer; puts its new caches in the place of the old."""
        a, name = self.architecture, f"model.layers.{index}.self_attn"
        module = self.model.model.layers[index].self_attn
        q = tfl.reshape(self._project(f"{name}.q_proj", x), [1, -1, a.num_attention_heads, a.head_dim])
        k = tfl.reshape(self._project(f"{name}.k_proj", x), [1, -1, a.num_key_value_heads, a.head_dim])
        v = tfl.reshape(self._project(f"{name}.v_proj", x), [1, -1, a.num_key_value_heads, a.head_dim])
        q = self._rotate(self._norm_of_head(q, module.q_norm), rotation.query_cos, rotation.query_sin)
        k = self._rotate(self._norm_of_head(k, module.k_norm), rotation.cos, rotation.sin)
        old = kv_cache[f"k_{index}"], kv_cache[f"v_{index}"]
        value_axis = VALUE_SEQUENCE_AXIS[self.key.form]
        if self.ring and a.layer_types[index] == "sliding_attention":
            new_keys, keys = append_to_ring(self.steps, old[0], self._by_head(k), positions)
            new_values, values = append_to_ring(self.steps, old[1], self._by_head(v), positions)
        else:
            keys = new_keys = append(self.key.form, old[0], self._by_head(k), positions, KEY_SEQUENCE_AXIS)
            values = new_values = append(self.key.form, old[1], self._by_head(v), positions, value_axis)
        kv_cache[f"k_{index}"], kv_cache[f"v_{index}"] = new_keys, new_values
        keys, values = keys.to(q.dtype), values.to(q.dtype)
        weights = tfl.softmax(tfl.batch_matmul(self._by_head(q), keys, False, True) + mask)
        attended = tfl.batch_matmul(weights, values, False, value_axis == 3)
        return self._project(f"{name}.o_proj", self._by_token(attended))

    def _by_head(self, x: torch.Tensor) -> torch.Tensor:
        """(1, tokens, heads, head_dim) → (1, key-value heads, tokens * heads of one, head_dim)."""
        a = self.architecture
        if a.num_key_value_heads > 1:
            heads = x.shape[2] // a.num_key_value_heads
            x = tfl.reshape(x, [1, -1, a.num_key_value_heads, heads * a.head_dim])
            x = tfl.transpose(x, [0, 2, 1, 3])
        return tfl.reshape(x, [1, a.num_key_value_heads, -1, a.head_dim])

    def _by_token(self, x: torch.Tensor) -> torch.Tensor:
        """(1, key-value heads, tokens * heads of one, head_dim) → states as wide as all heads."""
        a = self.architecture
        if a.num_key_value_heads > 1:
            heads = a.num_attention_heads // a.num_key_value_heads
            x = tfl.reshape(x, [1, a.num_key_value_heads, -1, heads * a.head_dim])
            x = tfl.transpose(x, [0, 2, 1, 3])
        width = a.num_attention_heads * a.head_dim
        return tfl.reshape(x, [1, 1, width] if self.steps == "one" else [-1, width])

    def _per_row(self, mask: torch.Tensor) -> torch.Tensor:
        """Repeat a mask's row for every head that shares keys: (1, 1, tokens, seen) → (1, 1, tokens * heads, seen)."""
        heads = self.architecture.num_attention_heads // self.architecture.num_key_value_heads
        if self.steps == "one" or heads == 1:
            return mask  # one row is broadcast
        if self.fixed:  # the GPU backends of 0.11 and 0.14 do not know a GATHER of rows
            rows = torch.cat([tfl.reshape(mask, [1, mask.shape[2], 1, -1])] * heads, dim=2)
            return tfl.reshape(rows, [1, 1, mask.shape[2] * heads, -1])
        rows = torch.arange(mask.shape[2], dtype=torch.int32)[:, None]
        return tfl.gather(mask, tfl.reshape(torch.cat([rows] * heads, dim=1), [-1]), 2)

    def _project(self, name: str, x: torch.Tensor) -> torch.Tensor:
        y = torch.nn.functional.linear(x, self.model.get_submodule(name).weight)
        slot = self.slots.get(name)
        if slot is None:
            return y
        narrow = torch.nn.functional.linear(x, self.adapters[slot.down])
        return y + narrow @ self.adapters[slot.up]

    def _norm_of_residual(self, x: torch.Tensor, module: Any) -> torch.Tensor:
        """Norm of the residual stream, whose scale it takes away."""
        eps = self.architecture.rms_norm_eps * self.residual_scale**2
        return self._norm(x, 1.0 + module.weight, eps)

    def _norm_to_residual(self, x: torch.Tensor, module: Any) -> torch.Tensor:
        """Norm of what is added to the residual stream, at its scale."""
        gain = 1.0 + module.weight
        return self._norm(x, gain * RESIDUAL_SCALE if self.fixed else gain, self.architecture.rms_norm_eps)

    def _norm_of_head(self, x: torch.Tensor, module: Any) -> torch.Tensor:
        return self._norm(x, 1.0 + module.weight, self.architecture.rms_norm_eps)

    def _norm(self, x: torch.Tensor, gain: torch.Tensor, eps: float) -> torch.Tensor:
        if self.fixed:
            # GPUs have a kernel for it; of the plain operators the squares overflow in half precision.
            norm = StableHLOCompositeBuilder("odml.rms_norm", attr={"epsilon": eps})
            x, gain = norm.mark_inputs(x, gain)
            return norm.mark_outputs(x * torch.rsqrt(tfl.mean(x * x, [-1], True) + eps) * gain)
        # Grouped like this the converter cannot fold the weights into a projection behind the norm.
        return x * (torch.rsqrt(tfl.mean(x * x, [-1], True) + eps) * gain)

    def _rotate(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        half = self.architecture.head_dim // 2
        if self.steps == "one" or self.fixed:
            left, right = x[..., :half], x[..., half:]
        else:  # a slice of a tensor of free length has ends that are computed
            left, right = tfl.split_v(x, [half, half], 3)
        return x * cos + torch.cat([right, left], dim=3) * sin

    def _rotation(self, positions: torch.Tensor, kind: str) -> Rotation:
        a = self.architecture
        positions = positions[:, None].to(torch.float32)
        if self.fixed:  # a GPU's sine is exact to a few digits within half a turn, and not beyond
            turns = positions * (self.frequencies[kind] / TURN)[None]
            angles = (turns - torch.floor(turns + 0.5)) * TURN
        else:
            angles = positions * self.frequencies[kind][None]
        cos, sin = torch.cos(angles), torch.sin(angles)
        shape = [1, -1, 1, a.head_dim]
        cos = tfl.reshape(torch.cat([cos, cos], dim=1), shape)
        sin = tfl.reshape(torch.cat([-sin, sin], dim=1), shape)
        scale = a.query_pre_attn_scalar**-0.5
        return Rotation(cos, sin, cos * scale, sin * scale)
