"""From a grammar of phrasings to sentences as people type them, split into train and eval.

A frame is a sentence pattern: "(my|the) screen is (too|so) dark", and {name} stands for one of some names. For every
intent a few frames are held out for the eval split and never seen in training for that intent. Same seed, same bytes.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Literal

Split = Literal["train", "eval"]

LANGUAGES = ("en", "nb", "ja")
SEED = 20250

ALTERNATIVES = re.compile(r"\(([^()]*)\)")


@dataclass(frozen=True)
class Intent:
    """One answer and how one language asks for it.

    answer: the exact text that the model has to say. own: frames written for this intent. shared: frames that it has in
    common with others, with {name}. names: what {name} may be. held_out_own, held_out_shared: how many frames of each
    kind only eval sees. kin: what intents have in common that hold out the same shared frames; a frame that one of them
    trains and the other does not would tell them apart by itself. Without kin the answer decides.
    """

    language: str
    answer: str
    own: tuple[str, ...]
    shared: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    held_out_own: int = 1
    held_out_shared: int = 0
    kin: str = ""


def fill(frame: str, words: Mapping[str, str]) -> str:
    """A frame with the alternatives of a group of words wherever the group is named; {name} stays."""
    for group, alternatives in words.items():
        frame = frame.replace(f"{{{group}}}", f"({alternatives})")
    return frame


def expansions(frame: str, names: tuple[str, ...]) -> list[str]:
    """Every sentence that a frame stands for, whitespace tidied."""
    pieces = ALTERNATIVES.split(frame)
    # split() alternates literal text and the inside of a bracket, so odd positions are the choices.
    choices = [piece.split("|") if i % 2 else [piece] for i, piece in enumerate(pieces)]
    sentences = [" ".join("".join(parts).split()).replace(" ,", ",") for parts in product(*choices)]
    return [s.replace("{name}", name) for s in sentences for name in (names if "{name}" in s else ("",))]


# ---- how people really type ----------------------------------------------------------------------


@dataclass(frozen=True)
class Manners:
    """What people put around a sentence: openers before it, closers after it."""

    openers: tuple[str, ...]
    closers: tuple[str, ...] = ()


ASKING: Mapping[str, Manners] = {
    "en": Manners(
        openers=(
            "please ",
            "hey, ",
            "hi, ",
            "can you help me? ",
            "hello, ",
            "um, ",
            "ok, ",
            "I have a problem: ",
            "sorry, ",
        ),
        closers=(
            " please",
            ", please",
            ", thanks",
            " right now",
            ", can you help?",
            " now",
            ", help",
            " on my phone",
        ),
    ),
    "nb": Manners(
        openers=(
            "vær så snill, ",
            "hei, ",
            "kan du hjelpe meg? ",
            "hallo, ",
            "du, ",
            "ok, ",
            "jeg har et problem: ",
            "unnskyld, ",
        ),
        closers=(
            " takk",
            ", takk",
            " nå",
            ", er du snill",
            ", kan du hjelpe meg?",
            ", hjelp",
            " på telefonen",
            " med en gang",
        ),
    ),
    "ja": Manners(
        openers=(
            "すみません、",
            "ねえ、",
            "あの、",
            "助けて、",
            "お願い、",
            "えっと、",
            "ちょっと、",
            "困っています。",
        ),
        closers=(
            "、お願いします",
            "、お願い",
            "。助けて",
            "。どうすればいい?",
            "。何とかして",
            "ね",
            "。よろしく",
            "…",
        ),
    ),
}
GREETING: Mapping[str, Manners] = {
    "en": Manners(openers=("hey, ", "hi, ", "hello, ", "um, ", "ok, ")),
    "nb": Manners(openers=("hei, ", "hallo, ", "du, ", "ok, ")),
    "ja": Manners(openers=("ねえ、", "あの、", "えっと、")),
}
"""Manners that tell neither what somebody feels nor how much it hurries."""

MARKS = {"en": ("", "", ".", "!", "..."), "nb": ("", "", ".", "!", "..."), "ja": ("", "", "。", "!", "…")}
QUESTIONS = {
    "en": re.compile(r"^(how|why|where|what|which|who|can|could|is)\b", re.IGNORECASE),
    "nb": re.compile(r"^(hvor|hvordan|hvorfor|hva|hvem|hvilken|kan|kunne|er|finnes)\b", re.IGNORECASE),
    "ja": re.compile(r"(どう|どこ|どの|何が|いつ|教えて|ますか|ですか)|(の|は)$"),
}


def misspell(sentence: str, rng: random.Random) -> str:
    """Drop, double or swap one letter inside one longer word, as thumbs do."""
    words = sentence.split(" ")
    long_words = [i for i, word in enumerate(words) if len(word) >= 5 and word.isalpha()]
    if not long_words:
        return sentence
    i = rng.choice(long_words)
    word, at = words[i], rng.randrange(1, len(words[i]) - 2)
    words[i] = rng.choice(
        (
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        )
    )
    return " ".join(words)


def vary(sentence: str, language: str, manners: Mapping[str, Manners], rng: random.Random) -> str:
    """Add politeness, punctuation, capitals or a typing slip to a sentence; often leave it plain."""
    asks = QUESTIONS[language].search(sentence) is not None
    mark = rng.choice(("", "?")) if asks else rng.choice(MARKS[language])
    openers, closers = manners[language].openers, manners[language].closers
    if openers and rng.random() < 0.18:
        sentence = rng.choice(openers) + sentence
    if closers and rng.random() < 0.18:
        sentence = sentence + rng.choice(closers)
    if sentence[-1] not in "?。…!":
        sentence += mark
    if language == "ja":
        return sentence
    if rng.random() < 0.12:
        sentence = misspell(sentence, rng)
    style = rng.random()
    if style < 0.35:
        return sentence[0].upper() + sentence[1:]
    if style < 0.55:
        return sentence.lower()
    if style < 0.62:
        return sentence.replace("'", "")
    return sentence


# ---- splits --------------------------------------------------------------------------------------


def words(sentence: str, language: str) -> set[str]:
    """The words of a sentence; of Japanese, which has no spaces, the runs written in anything but hiragana."""
    if language == "ja":
        return set(re.findall(r"[^\u3041-\u3096、。 ]+", sentence))
    return set(re.findall(r"[\w'-]+", sentence.lower()))


def familiar(frame: str, others: list[str], intent: Intent) -> list[str]:
    """The sentences of a frame that use no word which the other frames of the intent lack."""
    known = {w for f in others for s in expansions(f, intent.names) for w in words(s, intent.language)}
    return [s for s in expansions(frame, intent.names) if words(s, intent.language) <= known]


def split_frames(intent: Intent) -> tuple[list[str], list[str]]:
    """(train frames, eval frames) of one intent: disjoint, both never empty, always the same.

    A model cannot know a word it never met for an intent. So the own frames that are held out are drawn from those that
    say the thing in another way but can do so in words of the frames that stay.
    """
    rng = random.Random(f"{SEED}/frames/{intent.language}/{intent.kin or intent.answer}")
    own, shared = list(intent.own), list(intent.shared)
    held_out = rng.sample(shared, intent.held_out_shared)
    for _ in range(intent.held_out_own):
        rest = [frame for frame in own + shared if frame not in held_out]
        candidates = [
            frame
            for frame in own
            if frame not in held_out and familiar(frame, [other for other in rest if other != frame], intent)
        ]
        held_out += rng.sample(candidates, 1)
    # Own frames count double: they differ more from each other than the shared ones do.
    return [frame for frame in own * 2 + shared if frame not in held_out], held_out


@cache
def split_sentences(intent: Intent) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]:
    """(train sentences, eval sentences) of one intent, a tuple for each frame.

    Frames overlap here and there; what a held-out frame can say is taken out of every train frame.
    """
    seen, held_out = split_frames(intent)
    reserved = {sentence for frame in held_out for sentence in expansions(frame, intent.names)}
    train = [tuple(s for s in expansions(frame, intent.names) if s not in reserved) for frame in seen]
    evaluation = [
        tuple(familiar(frame, seen, intent) if frame in intent.own else expansions(frame, intent.names))
        for frame in held_out
    ]
    return tuple(filter(None, train)), tuple(filter(None, evaluation))


def bare(prompt: str) -> str:
    """A prompt without case and closing marks: what has to differ for two prompts to count as two."""
    return prompt.lower().strip(".!?。… ")


def sample(
    frames: Sequence[Sequence[str]],
    language: str,
    manners: Mapping[str, Manners],
    rows: int,
    taken: set[str],
    rng: random.Random,
) -> Iterator[str]:
    """Up to `rows` prompts, the frames in turn, none of them in `taken`; adds what it yields to `taken`."""
    produced = attempt = 0
    while produced < rows and attempt < rows * 20:
        sentences = frames[attempt % len(frames)]
        attempt += 1
        prompt = vary(rng.choice(sentences), language, manners, rng)
        if bare(prompt) not in taken:
            taken.add(bare(prompt))
            produced += 1
            yield prompt


# ---- rows ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Example:
    """One row of the data. prompt: what the user says. expected: the exact answer. language: en, nb or ja."""

    prompt: str
    expected: str
    language: str


def draw(
    intents: Iterable[Intent],
    manners: Mapping[str, Manners],
    split: Split,
    count: int,
    taken: set[str],
    seed: int,
) -> list[Example]:
    """`count` rows per intent from one split.

    taken: bare prompts that must not come; the new ones are added. The split never depends on the seed.
    """
    rows = []
    for intent in intents:
        rng = random.Random(f"{seed}/{split}/{intent.language}/{intent.answer}")
        seen, held_out = split_sentences(intent)
        frames = list(seen if split == "train" else held_out)
        rng.shuffle(frames)
        prompts = sample(frames, intent.language, manners, count, taken, rng)
        rows.extend(Example(prompt, intent.answer, intent.language) for prompt in prompts)
    return rows


def read_examples(path: Path) -> list[Example]:
    """The rows of a JSON lines file."""
    return [Example(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def write_examples(rows: Sequence[object], path: Path) -> None:
    """Write rows as JSON lines, readable characters kept."""
    lines = (json.dumps(vars(row), ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), "utf-8", newline="\n")


def write_splits(
    title: str, generate: Callable[[], tuple[Sequence[object], Sequence[object]]], directory: Path
) -> None:
    """The command line of a dataset script: write train.jsonl and eval.jsonl.

    generate: gives train and eval rows. directory: where they go unless --out says otherwise.
    """
    parser = argparse.ArgumentParser(description=f"Write the {title} data.")
    parser.add_argument("--out", type=Path, default=directory, help="folder for train.jsonl and eval.jsonl")
    options = parser.parse_args()
    train, evaluation = generate()
    write_examples(train, options.out / "train.jsonl")
    write_examples(evaluation, options.out / "eval.jsonl")
    print(f"{len(train)} train rows, {len(evaluation)} eval rows")
