"""The examples' model: a small Gemma 3 of random weights, and what trains it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, GenerationConfig, PreTrainedTokenizerBase

WEIGHT_DECAY = 0.1


def build_model(
    tokenizer: PreTrainedTokenizerBase, stops: Sequence[str] = ("<end_of_turn>",), window: int = 64
) -> Gemma3ForCausalLM:
    """A small Gemma 3 text model with random weights.

    stops: what ends an answer. window: tokens that most layers see.
    """
    config = Gemma3TextConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=384,
        num_hidden_layers=6,
        layer_types=["sliding_attention"] * 5 + ["full_attention"],
        num_attention_heads=4,
        num_key_value_heads=1,
        head_dim=32,
        query_pre_attn_scalar=32,
        sliding_window=window,
        max_position_embeddings=32768,
        rope_parameters={
            "full_attention": {"rope_type": "default", "rope_theta": 1_000_000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
        },
        tie_word_embeddings=True,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
    )
    model = Gemma3ForCausalLM(config)
    model.generation_config = GenerationConfig(
        bos_token_id=2,
        pad_token_id=0,
        eos_token_id=[1, *(tokenizer.convert_tokens_to_ids(stop) for stop in stops)],
        do_sample=False,
    )
    return model


def optimizers(model: Gemma3ForCausalLM) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for the embedding and the norms.

    With AdamW alone this model needs several times as many epochs to learn that "off" means off for every setting.
    """
    embedding = model.get_input_embeddings().weight
    matrices = [p for p in model.parameters() if p.ndim == 2 and p is not embedding]
    norms = [p for p in model.parameters() if p.ndim == 1]
    return [
        torch.optim.Muon(matrices, weight_decay=WEIGHT_DECAY, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(
            [{"params": [embedding], "weight_decay": WEIGHT_DECAY}, {"params": norms, "weight_decay": 0.0}],
            betas=(0.9, 0.98),
        ),
    ]
