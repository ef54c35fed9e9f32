"""Write the support-triage data: what people ask of a phone, each with the team that helps and how much it hurries.

    python dataset.py            # writes train.jsonl and eval.jsonl beside this file

What is asked comes from the settings navigator's grammar, whose screen decides the team; how much it hurries is said in
the words of grammar/en.toml, nb.toml and ja.toml. Eval rows join what both hold out. Same seed, same bytes.
"""

from __future__ import annotations

import json
import random
import re
import sys
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from training.phrases import (
    GREETING,
    LANGUAGES,
    SEED,
    Example,
    Intent,
    Split,
    bare,
    fill,
    split_sentences,
    vary,
    write_splits,
)
from training.settings import read_settings

HERE = Path(__file__).resolve().parent
TEAM_OF_SCREEN = {
    "display": "display",
    "sound": "sound",
    "network": "connectivity",
    "devices": "connectivity",
    "battery": "battery",
    "notifications": "software",
    "privacy": "security",
    "accessibility": "accessibility",
    "storage": "software",
    "system": "software",
}
TEAMS = tuple(dict.fromkeys(TEAM_OF_SCREEN.values()))
URGENCIES = ("high", "normal", "low")
HELD_OUT_WORDINGS = 7
UNSAID = 0.5  # share of the normal rows that say nothing of urgency
TRAIN_ROWS_PER_ANSWER = 60
EVAL_ROWS_PER_ANSWER = 4

# Requests that tell a time themselves would contradict the wording that joins them.
TELLS_TIME = re.compile(r"\b(now|tonight|today|nå|i kveld|i dag)\b|今|すぐ|早く|急", re.IGNORECASE)
JOINS = {
    "en": (
        "{ask}, {urgency}",
        "{ask}. {urgency}",
        "{ask} - {urgency}",
        "{urgency}: {ask}",
        "{urgency}, {ask}",
    ),
    "nb": (
        "{ask}, {urgency}",
        "{ask}. {urgency}",
        "{ask} - {urgency}",
        "{urgency}: {ask}",
        "{urgency}, {ask}",
    ),
    "ja": ("{ask}、{urgency}", "{ask}。{urgency}", "{urgency}、{ask}", "{urgency}。{ask}"),
}

Frames = list[tuple[str, ...]]


def read_urgencies(language: str) -> dict[str, Intent]:
    """How one language says each urgency."""
    grammar = tomllib.loads((HERE / "grammar" / f"{language}.toml").read_text("utf-8"))
    return {
        urgency: Intent(
            language,
            answer=urgency,
            own=(),
            shared=tuple(fill(frame, grammar[urgency]) for frame in grammar["frames"]),
            held_out_own=0,
            held_out_shared=HELD_OUT_WORDINGS,
            kin="urgency",
        )
        for urgency in URGENCIES
    }


def asks_of_teams(language: str, split: Split) -> dict[str, Frames]:
    """The requests of one split for each team, a tuple of sentences for each frame."""
    asks: dict[str, Frames] = {team: [] for team in TEAMS}
    for intent in read_settings(language):
        team = TEAM_OF_SCREEN[json.loads(intent.answer)["screen"]]
        train, evaluation = split_sentences(intent)
        for sentences in train if split == "train" else evaluation:
            timeless = tuple(s for s in sentences if not TELLS_TIME.search(s))
            if timeless:
                asks[team].append(timeless)
    return asks


def draw(split: Split, count: int, taken: set[str], seed: int) -> list[Example]:
    """`count` rows per team, urgency and language from one split.

    taken: bare prompts that must not come; the new ones are added. The split never depends on the seed.
    """
    rows = []
    for language in LANGUAGES:
        asks = asks_of_teams(language, split)
        for urgency, intent in read_urgencies(language).items():
            train, evaluation = split_sentences(intent)
            wordings = train if split == "train" else evaluation
            for team in TEAMS:
                rng = random.Random(f"{seed}/{split}/{language}/{team}/{urgency}")
                expected = json.dumps({"team": team, "urgency": urgency})
                produced = 0
                while produced < count:
                    prompt = rng.choice(rng.choice(asks[team]))
                    if urgency != "normal" or rng.random() >= UNSAID:
                        wording = rng.choice(rng.choice(wordings))
                        prompt = rng.choice(JOINS[language]).format(ask=prompt, urgency=wording)
                    prompt = vary(prompt, language, GREETING, rng)
                    if bare(prompt) not in taken:
                        taken.add(bare(prompt))
                        produced += 1
                        rows.append(Example(prompt, expected, language))
    return rows


def draw_train(taken: set[str], seed: int) -> list[Example]:
    """Train rows that are not in `taken`, others with each seed."""
    return draw("train", TRAIN_ROWS_PER_ANSWER, taken, seed)


def generate() -> tuple[list[Example], list[Example]]:
    """(train rows, eval rows) as they are committed."""
    taken: set[str] = set()
    evaluation = draw("eval", EVAL_ROWS_PER_ANSWER, taken, SEED)
    train = draw_train(taken, SEED)
    random.Random(SEED).shuffle(train)
    return train, evaluation


if __name__ == "__main__":
    write_splits("support-triage", generate, HERE)
