"""Write the sentiment data: what people say about a phone, each with how they feel about it.

    python dataset.py            # writes train.jsonl and eval.jsonl beside this file

The phrasings stand in grammar/en.toml, nb.toml and ja.toml. Same seed, same bytes.
"""

from __future__ import annotations

import json
import random
import sys
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from training.phrases import GREETING, LANGUAGES, SEED, Example, Intent, draw, fill, write_splits

HERE = Path(__file__).resolve().parent
# The words of each sentiment that its opinions are made of.
OPINIONS = {
    "positive": {"verb": "love", "adjective": "good", "feeling": "pleased", "works": "succeeds"},
    "negative": {"verb": "hate", "adjective": "bad", "feeling": "upset", "works": "fails"},
}
SENTIMENTS = (*OPINIONS, "neutral")
HELD_OUT = {"positive": (1, 6), "negative": (1, 6), "neutral": (3, 0)}  # frames: (own, shared)
TRAIN_ROWS_PER_SENTIMENT = 400
EVAL_ROWS_PER_SENTIMENT = 25


def read_grammar(language: str) -> list[Intent]:
    """The three sentiments and how one language shows them."""
    grammar = tomllib.loads((HERE / "grammar" / f"{language}.toml").read_text("utf-8"))
    words: dict[str, str] = grammar["words"]
    intents = []
    for sentiment in SENTIMENTS:
        roles = {role: words[group] for role, group in OPINIONS.get(sentiment, {}).items()}
        opinions = grammar["opinions"]["frames"] if roles else []
        own, shared = HELD_OUT[sentiment]
        intents.append(
            Intent(
                language,
                answer=json.dumps({"sentiment": sentiment}),
                own=tuple(fill(frame, words) for frame in grammar[sentiment]["frames"]),
                shared=tuple(fill(frame, roles) for frame in opinions),
                names=tuple(grammar["names"]),
                held_out_own=own,
                held_out_shared=shared,
                kin="opinion" if roles else "",
            )
        )
    return intents


def all_sentiments() -> list[Intent]:
    """The sentiments of every language."""
    return [intent for language in LANGUAGES for intent in read_grammar(language)]


def draw_train(taken: set[str], seed: int) -> list[Example]:
    """Train rows that are not in `taken`, others with each seed."""
    return draw(all_sentiments(), GREETING, "train", TRAIN_ROWS_PER_SENTIMENT, taken, seed)


def generate() -> tuple[list[Example], list[Example]]:
    """(train rows, eval rows) as they are committed."""
    taken: set[str] = set()
    evaluation = draw(all_sentiments(), GREETING, "eval", EVAL_ROWS_PER_SENTIMENT, taken, SEED)
    train = draw_train(taken, SEED)
    random.Random(SEED).shuffle(train)
    return train, evaluation


if __name__ == "__main__":
    write_splits("sentiment", generate, HERE)
