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
from transformers import AutoModelForCausalLM, AutoTokenizer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from training.loop import SEED, answer_all, draw_examples, fit, report
from training.model import build_model, optimizers
from training.phrases import read_examples

HERE = Path(__file__).resolve().parent
CHECKPOINT = HERE / "checkpoint"
EPOCHS = 16
LEARNING_RATE = 3e-3
NOTICE = """\
settings-navigator demo checkpoint
Part of edgekit. Licensed under the Apache License, Version 2.0.

Trained from random weights on synthetic data that edgekit's authors wrote and generated.
It has the architecture of Gemma 3 but contains no Gemma weights.
"""


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
        fit(
            model,
            optimizers(model),
            draw_examples(tokenizer, HERE, draw_train),
            options.epochs,
            LEARNING_RATE,
        )
        model.to(torch.bfloat16).save_pretrained(CHECKPOINT)
        (CHECKPOINT / "NOTICE").write_text(NOTICE, "utf-8")

    # What counts is the saved file: bfloat16 weights, computed in float32.
    saved = AutoModelForCausalLM.from_pretrained(CHECKPOINT, dtype=torch.float32)
    examples = read_examples(HERE / "eval.jsonl")
    report(examples, answer_all(saved, tokenizer, [e.prompt for e in examples]), options.misses)


if __name__ == "__main__":
    main()
