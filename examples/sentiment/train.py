"""Train the sentiment adapter on the settings navigator's checkpoint and measure it.

    python dataset.py            # the data
    python train.py              # the adapter: adapter/, then the exact match on eval.jsonl

Rank 8 on the attention projections. The first epoch reads train.jsonl; each later one draws as many new sentences from
the same training frames of the grammar.
"""

from __future__ import annotations

import sys
from pathlib import Path

from dataset import draw_train
from peft import LoraConfig

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from training.adapters import run

HERE = Path(__file__).resolve().parent
EPOCHS = 10
LEARNING_RATE = 2e-2
CONFIG = LoraConfig(
    r=8, lora_alpha=16, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"], task_type="CAUSAL_LM"
)

if __name__ == "__main__":
    run(HERE, CONFIG, draw_train, EPOCHS, LEARNING_RATE)
