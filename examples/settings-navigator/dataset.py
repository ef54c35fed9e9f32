"""Write the settings-navigator data: sentences about a phone, each with the setting it asks for.

    python dataset.py            # writes train.jsonl and eval.jsonl beside this file

The phrasings stand in grammar/en.toml, nb.toml and ja.toml. Same seed, same bytes.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from training.phrases import ASKING, SEED, Example, draw, write_examples
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


def main() -> None:
    """Write both splits."""
    parser = argparse.ArgumentParser(description="Write the settings-navigator data.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for train.jsonl and eval.jsonl")
    options = parser.parse_args()
    train, evaluation = generate()
    write_examples(train, options.out / "train.jsonl")
    write_examples(evaluation, options.out / "eval.jsonl")
    print(f"{len(train)} train rows, {len(evaluation)} eval rows")


if __name__ == "__main__":
    main()
