"""Train the settings-navigator model from random weights and measure it.

    python dataset.py            # the data
    python build_tokenizer.py    # the tokenizer
    python train.py              # the model: checkpoint/, then the exact match on eval.jsonl

The first epoch reads train.jsonl; each later one draws as many new sentences from the same training frames of the
grammar.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from dataset import draw_train
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GenerationConfig,
    PreTrainedTokenizerBase,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from training.loop import SEED, answer_all, fit, report
from training.phrases import read_examples

HERE = Path(__file__).resolve().parent
CHECKPOINT = HERE / "checkpoint"
EPOCHS = 16
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.1
NOTICE = """\
settings-navigator demo checkpoint
Part of edgekit. Licensed under the Apache License, Version 2.0.

Trained from random weights on synthetic data that edgekit's authors wrote and generated.
It has the architecture of Gemma 3 but contains no Gemma weights.
"""


def build_model(tokenizer: PreTrainedTokenizerBase) -> Gemma3ForCausalLM:
    """A small Gemma 3 text model with random weights."""
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
        sliding_window=64,
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
        eos_token_id=[1, tokenizer.convert_tokens_to_ids("<end_of_turn>")],
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


def main() -> None:
    """Train, save and measure the saved checkpoint."""
    parser = argparse.ArgumentParser(description="Train and measure the settings-navigator model.")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument(
        "--eval-only", action="store_true", help="measure the checkpoint that is already there"
    )
    parser.add_argument("--misses", action="store_true", help="print every wrong answer")
    options = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(2)

    tokenizer = AutoTokenizer.from_pretrained(CHECKPOINT)
    if not options.eval_only:
        model = build_model(tokenizer)
        print(f"{model.num_parameters():,} parameters")
        fit(model, tokenizer, optimizers(model), HERE, draw_train, options.epochs, LEARNING_RATE)
        model.to(torch.bfloat16).save_pretrained(CHECKPOINT)
        (CHECKPOINT / "NOTICE").write_text(NOTICE, "utf-8")

    # What counts is the saved file: bfloat16 weights, computed in float32.
    saved = AutoModelForCausalLM.from_pretrained(CHECKPOINT, dtype=torch.float32)
    examples = read_examples(HERE / "eval.jsonl")
    report(examples, answer_all(saved, tokenizer, [e.prompt for e in examples]), options.misses)


if __name__ == "__main__":
    main()
