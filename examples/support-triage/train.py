"""Train the support-triage adapter on the settings navigator's checkpoint and measure it.

    python dataset.py            # the data
    python train.py              # the adapter: adapter/, then the exact match on eval.jsonl

Rank 16 on every linear layer of attention and MLP. The first epoch reads train.jsonl; each later one draws as many new
sentences from the same training frames of the grammars.
"""

from __future__ import annotations

import sys
from pathlib import Path

from dataset import draw_train
from peft import LoraConfig

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from training.adapters import run

HERE = Path(__file__).resolve().parent
EPOCHS = 8
LEARNING_RATE = 1.5e-2
CONFIG = LoraConfig(
    r=16,
    lora_alpha=32,
    target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    task_type="CAUSAL_LM",
)

if __name__ == "__main__":
    run(HERE, CONFIG, draw_train, EPOCHS, LEARNING_RATE)
