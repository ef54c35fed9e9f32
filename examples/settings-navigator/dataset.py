"""Write the settings-navigator data: sentences about a phone, each with the setting it asks for.

    python dataset.py            # writes train.jsonl and eval.jsonl beside this file

The phrasings stand in grammar/en.toml, nb.toml and ja.toml. Same seed, same bytes.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from training.phrases import ASKING, SEED, Example, draw, write_splits
from training.settings import all_settings

HERE = Path(__file__).resolve().parent
TRAIN_ROWS_PER_INTENT = 40
EVAL_ROWS_PER_INTENT = 3


def draw_train(taken: set[str], seed: int) -> list[Example]:
    """Train rows that are not in `taken`, others with each seed."""
    return draw(all_settings(), ASKING, "train", TRAIN_ROWS_PER_INTENT, taken, seed)


def generate() -> tuple[list[Example], list[Example]]:
    """(train rows, eval rows) as they are committed."""
    taken: set[str] = set()
    evaluation = draw(all_settings(), ASKING, "eval", EVAL_ROWS_PER_INTENT, taken, SEED)
    train = draw_train(taken, SEED)
    random.Random(SEED).shuffle(train)
    return train, evaluation


if __name__ == "__main__":
    write_splits("settings-navigator", generate, HERE)
