"""Write the settings-navigator data: sentences about a phone, each with the setting it asks for.

    python dataset.py            # writes train.jsonl and eval.jsonl beside this file

The grammar (grammar/en.toml, nb.toml, ja.toml) lists frames: sentence patterns with alternatives. For every
intent and language a few frames are held out for the eval split and never seen in training for that intent.
Same seed, same bytes.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

HERE = Path(__file__).resolve().parent
LANGUAGES = ("en", "nb", "ja")
ACTIONS = ("increase", "decrease", "enable", "disable", "open")
SEED = 20250
TRAIN_ROWS_PER_INTENT = 40
EVAL_ROWS_PER_INTENT = 3
# Every intent has own frames (complaints, its own verbs) and shared ones ("turn on {name}").
HELD_OUT_OWN = 1
HELD_OUT_SHARED = 2

ALTERNATIVES = re.compile(r"\(([^()]*)\)")


@dataclass(frozen=True)
class Intent:
    """One meaningful (screen, setting, action) and how one language says it.

    own: frames written for this intent. shared: frames of the action, with {name}. names: what {name} may be.
    """

    language: str
    screen: str
    setting: str
    action: str
    names: tuple[str, ...]
    own: tuple[str, ...]
    shared: tuple[str, ...]

    @property
    def answer(self) -> str:
        """The exact JSON that the model has to say."""
        return json.dumps({"screen": self.screen, "setting": self.setting, "action": self.action})


def read_grammar(language: str) -> list[Intent]:
    """The intents of one language, in the order of its grammar file."""
    grammar = tomllib.loads((HERE / "grammar" / f"{language}.toml").read_text("utf-8"))
    frames = grammar.pop("frames")
    intents = []
    for key, entry in grammar.items():
        screen, setting = key.split(".")
        for action in ACTIONS:
            if action in entry:
                own, shared = tuple(entry[action]), tuple(frames[action])
                intents.append(Intent(language, screen, setting, action, tuple(entry["names"]), own, shared))
    return intents


def expansions(frame: str, names: tuple[str, ...]) -> list[str]:
    """Every sentence that a frame stands for, whitespace tidied."""
    pieces = ALTERNATIVES.split(frame)
    # split() alternates literal text and the inside of a bracket, so odd positions are the choices.
    choices = [piece.split("|") if i % 2 else [piece] for i, piece in enumerate(pieces)]
    sentences = [" ".join("".join(parts).split()).replace(" ,", ",") for parts in product(*choices)]
    return [s.replace("{name}", name) for s in sentences for name in (names if "{name}" in s else ("",))]


# ---- how people really type ----------------------------------------------------------------------

OPENERS = {
    "en": (
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
    "nb": (
        "vær så snill, ",
        "hei, ",
        "kan du hjelpe meg? ",
        "hallo, ",
        "du, ",
        "ok, ",
        "jeg har et problem: ",
        "unnskyld, ",
    ),
    "ja": (
        "すみません、",
        "ねえ、",
        "あの、",
        "助けて、",
        "お願い、",
        "えっと、",
        "ちょっと、",
        "困っています。",
    ),
}
CLOSERS = {
    "en": (
        " please",
        ", please",
        ", thanks",
        " right now",
        ", can you help?",
        " now",
        ", help",
        " on my phone",
    ),
    "nb": (
        " takk",
        ", takk",
        " nå",
        ", er du snill",
        ", kan du hjelpe meg?",
        ", hjelp",
        " på telefonen",
        " med en gang",
    ),
    "ja": (
        "、お願いします",
        "、お願い",
        "。助けて",
        "。どうすればいい?",
        "。何とかして",
        "ね",
        "。よろしく",
        "…",
    ),
}
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


def vary(sentence: str, language: str, rng: random.Random) -> str:
    """Add politeness, punctuation, capitals or a typing slip to a sentence; often leave it plain."""
    asks = QUESTIONS[language].search(sentence) is not None
    mark = rng.choice(("", "?")) if asks else rng.choice(MARKS[language])
    if rng.random() < 0.18:
        sentence = rng.choice(OPENERS[language]) + sentence
    if rng.random() < 0.18:
        sentence = sentence + rng.choice(CLOSERS[language])
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

    A model that starts from random weights cannot know a word it never met for an intent. So the own frame that is
    held out is drawn from those that say the thing in another way but can do so in words of the other frames.
    """
    rng = random.Random(f"{SEED}/frames/{intent.language}/{intent.answer}")
    own, shared = list(intent.own), list(intent.shared)
    held_out = rng.sample(shared, HELD_OUT_SHARED)
    rest = [frame for frame in own + shared if frame not in held_out]
    candidates = [f for f in own if familiar(f, [other for other in rest if other != f], intent)]
    held_out += rng.sample(candidates, HELD_OUT_OWN)
    # Own frames count double: they differ more from each other than the shared ones do.
    return [frame for frame in own * 2 + shared if frame not in held_out], held_out


def split_sentences(intent: Intent) -> tuple[list[list[str]], list[list[str]]]:
    """(train sentences, eval sentences) of one intent, a list for each frame.

    Frames overlap here and there; what a held-out frame can say is taken out of every train frame.
    """
    seen, held_out = split_frames(intent)
    reserved = {sentence for frame in held_out for sentence in expansions(frame, intent.names)}
    train = [[s for s in expansions(frame, intent.names) if s not in reserved] for frame in seen]
    evaluation = [
        familiar(frame, seen, intent) if frame in intent.own else expansions(frame, intent.names)
        for frame in held_out
    ]
    return [sentences for sentences in train if sentences], evaluation


def bare(prompt: str) -> str:
    """A prompt without case and closing marks: what has to differ for two prompts to count as two."""
    return prompt.lower().strip(".!?。… ")


def sample(
    frames: list[list[str]], language: str, rows: int, taken: set[str], rng: random.Random
) -> Iterator[str]:
    """Up to `rows` prompts, the frames in turn, none of them in `taken`; adds what it yields to `taken`."""
    produced = attempt = 0
    while produced < rows and attempt < rows * 20:
        sentences = frames[attempt % len(frames)]
        attempt += 1
        prompt = vary(rng.choice(sentences), language, rng)
        if bare(prompt) not in taken:
            taken.add(bare(prompt))
            produced += 1
            yield prompt


def draw(split: str, count: int, taken: set[str], seed: int) -> list[dict[str, str]]:
    """`count` rows (prompt, expected, language) per intent and language from one split, "train" or "eval".

    taken: bare prompts that must not come; the new ones are added. The split never depends on the seed.
    """
    rows = []
    for language in LANGUAGES:
        for intent in read_grammar(language):
            rng = random.Random(f"{seed}/{split}/{language}/{intent.answer}")
            seen, held_out = split_sentences(intent)
            frames = seen if split == "train" else held_out
            rng.shuffle(frames)
            prompts = sample(frames, language, count, taken, rng)
            rows.extend({"prompt": p, "expected": intent.answer, "language": language} for p in prompts)
    return rows


def generate() -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """(train rows, eval rows) as they are committed."""
    taken: set[str] = set()
    evaluation = draw("eval", EVAL_ROWS_PER_INTENT, taken, SEED)
    train = draw("train", TRAIN_ROWS_PER_INTENT, taken, SEED)
    random.Random(SEED).shuffle(train)
    return train, evaluation


def write(rows: list[dict[str, str]], path: Path) -> None:
    """Write rows as JSON lines, readable characters kept."""
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8", newline="\n"
    )


def main() -> None:
    """Write both splits."""
    parser = argparse.ArgumentParser(description="Write the settings-navigator data.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for train.jsonl and eval.jsonl")
    options = parser.parse_args()
    train, evaluation = generate()
    write(train, options.out / "train.jsonl")
    write(evaluation, options.out / "eval.jsonl")
    print(f"{len(train)} train rows, {len(evaluation)} eval rows")


if __name__ == "__main__":
    main()
