"""Write the phone-actions data: what people ask of a phone, each with the calls it takes, or with none.

    python dataset.py            # writes eval.jsonl and test.jsonl beside this file
    python dataset.py --train train.jsonl

The phrasings stand in grammar/en.toml, nb.toml and ja.toml, those of test.jsonl alone in grammar/held-out, the tools in
tools.json. Rows are conversations as TRL takes them, except that all share the tools. Same seed, same bytes.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from training.phrases import (
    ASKING,
    LANGUAGES,
    SEED,
    Intent,
    bare,
    expansions,
    split_sentences,
    vary,
    write_examples,
)

Split = Literal["train", "eval", "test"]
"""What is learnt; what one looks at while working on the model; what measures it once it is made."""
MEASURED: tuple[Split, ...] = ("test", "eval")

HERE = Path(__file__).resolve().parent
TOOLS: list[dict[str, Any]] = json.loads((HERE / "tools.json").read_text("utf-8"))

ROWS = {
    "turn_on_flashlight": (60, 8),
    "turn_off_flashlight": (60, 8),
    "open_wifi_settings": (60, 8),
    "create_contact": (180, 14),
    "send_email": (260, 14),
    "show_map": (130, 12),
    "create_calendar_event": (240, 16),
    "set_timer": (90, 10),
    "set_volume": (90, 8),
    "set_volume level=0": (40, 3),
    "set_volume level=100": (40, 3),
}
"""Rows of one call per language: to train, and to measure."""
PARALLEL_ROWS = (400, 30)
NO_CALL_ROWS = (500, 34)

HELD_OUT = 2  # phrasings of a request
HELD_OUT_NO_CALL = 10
SAME_TOOL = 0.25  # share of the parallel rows that call one tool twice
RESULTS = 0.2  # share of the conversations that end in a call which go on with its results
ANSWERED = 0.9  # share of the calls in the middle of a conversation that got results
REQUESTS = {1: 50, 2: 22, 3: 14, 4: 8, 5: 6}  # of 100 conversations, how many have so many requests
SAME_LANGUAGE = 0.7  # chance that the next request is in the language of the one before

MAILBOXES = (
    *("anna", "ben", "clara", "david", "emma", "frank", "grace", "hans", "ida", "jon", "kari", "lars"),
    *("maria", "nina", "ola", "paul", "rosa", "siri", "tor", "vera", "taro", "hanako", "ken", "yuki"),
)
DOMAINS = ("example.com", "example.org")
WELL = ({"status": "done"}, {"status": "opened"}, {"status": "ok"}, {"result": "ok"}, {"success": True})
ILL = (
    {"reason": "no app on this phone can do it", "status": "error"},
    {"reason": "the phone cannot do it", "status": "error"},
    {"reason": "the system does not allow it", "status": "error"},
    {"error": "no permission"},
    {"success": False},
)
DECLINED = {"status": "declined"}

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Row:
    """A conversation and its language."""

    messages: list[dict[str, Any]]
    language: str

    @property
    def calls(self) -> list[Call]:
        """What the model calls last, unless it has heard of the results."""
        said = self.messages[-1].get("tool_calls", [])
        return [(call["function"]["name"], call["function"]["arguments"]) for call in said]


@cache
def read_grammar(language: str) -> dict[str, Any]:
    """The grammar file of a language."""
    return tomllib.loads((HERE / "grammar" / f"{language}.toml").read_text("utf-8"))


@cache
def read_held_out(language: str) -> dict[str, list[str]]:
    """The frames of each request that only test.jsonl uses."""
    return tomllib.loads((HERE / "grammar" / "held-out" / f"{language}.toml").read_text("utf-8"))


@cache
def frames(language: str, request: str, split: Split) -> tuple[tuple[str, ...], ...]:
    """The phrasings of a request that one split may use, slots unfilled. request: a key of `ROWS`, or none.

    What stands under `more` in the grammar is never held out.
    """
    if split == "test":
        return tuple(tuple(expansions(frame, ())) for frame in read_held_out(language)[request])
    grammar = read_grammar(language)[request]
    written, more = tuple(grammar["frames"]), tuple(grammar.get("more", ()))
    if request == "none":
        intent = Intent(
            language, request, own=more, shared=written, held_out_own=0, held_out_shared=HELD_OUT_NO_CALL
        )
    else:
        intent = Intent(language, request, own=written, shared=more, held_out_own=HELD_OUT)
    train, evaluation = split_sentences(intent)
    return train if split == "train" else evaluation


def one_frame(language: str, request: str, split: Split, rng: random.Random) -> str:
    """A phrasing: each frame as often as another, however many sentences it stands for."""
    return rng.choice(rng.choice(frames(language, request, split)))


# ---- what stands in the slots --------------------------------------------------------------------


def clock(language: str, rng: random.Random) -> tuple[str, str]:
    """How somebody says a time, and the time as HH:MM."""
    said = read_grammar(language)["time"]
    how = rng.choice(("clock", "clock", "morning", "evening"))
    if how == "clock":
        hour, minute = rng.randrange(7, 23), rng.randrange(0, 60, 5)
    else:
        hour, minute = rng.randrange(6, 12) if how == "morning" else rng.randrange(1, 12), 0
    text = rng.choice(said[how]).format(h=hour, mm=f"{minute:02}")
    return text, f"{hour + 12 if how == 'evening' else hour:02}:{minute:02}"


def fill_slots(frame: str, language: str, split: Split, rng: random.Random) -> tuple[str, dict[str, Any]]:
    """A phrasing with its slots filled, and what they mean.

    First and last names that meet in train meet in no other split.
    """
    slots = read_grammar(language)["slots"]
    said: dict[str, str] = {}
    meant: dict[str, Any] = {}
    while True:
        first, last = rng.randrange(len(slots["first"])), rng.randrange(len(slots["last"]))
        if ((first + last) % 5 == 0) == (split != "train"):
            break
    said["first"] = meant["first_name"] = slots["first"][first]
    said["last"] = meant["last_name"] = slots["last"][last]
    said["phone"] = meant["phone_number"] = f"555-01{rng.randrange(100):02}"
    said["address"] = meant["to"] = f"{rng.choice(MAILBOXES)}@{rng.choice(DOMAINS)}"
    for slot, key in (("place", "query"), ("subject", "subject"), ("body", "body"), ("title", "title")):
        said[slot] = meant[key] = rng.choice(slots[slot])
    meant["day"] = rng.choice(list(slots["day"]))
    said["day"] = rng.choice(slots["day"][meant["day"]])
    said["time"], meant["time"] = clock(language, rng)
    meant["minutes"], meant["level"] = rng.randrange(1, 61), rng.randrange(5, 100, 5)
    said["minutes"], said["level"] = str(meant["minutes"]), str(meant["level"])
    keys = {
        "first": "first_name",
        "last": "last_name",
        "phone": "phone_number",
        "address": "to",
        "place": "query",
    }
    arguments = {}
    for slot, text in said.items():
        if f"{{{slot}}}" in frame:
            arguments[keys.get(slot, slot)] = meant[keys.get(slot, slot)]
            frame = frame.replace(f"{{{slot}}}", text)
    return frame, arguments


def call_of(request: str, arguments: dict[str, Any]) -> Call:
    """The call for a request, with the arguments that its key fixes."""
    name, *fixed = request.split()
    for pair in fixed:
        key, value = pair.split("=")
        arguments = {**arguments, key: int(value)}
    return name, dict(sorted(arguments.items()))


# ---- rows ----------------------------------------------------------------------------------------


def single(language: str, request: str, split: Split, rng: random.Random) -> tuple[str, list[Call]]:
    """What somebody types, and the one call for it."""
    frame = vary(one_frame(language, request, split, rng), language, ASKING, rng)
    prompt, arguments = fill_slots(frame, language, split, rng)
    return prompt, [call_of(request, arguments)]


def parallel(language: str, split: Split, rng: random.Random) -> tuple[str, list[Call]]:
    """Two requests in one sentence, and both calls in the order they are said."""
    requests = list(ROWS)
    one = rng.choice([r for r in requests if r.startswith(("create", "send", "show", "set"))])
    two = one if rng.random() < SAME_TOOL else rng.choice(requests)
    parts, calls = [], []
    for request in (one, two) if rng.random() < 0.5 else (two, one):
        part, arguments = fill_slots(one_frame(language, request, split, rng), language, split, rng)
        parts.append(part)
        calls.append(call_of(request, arguments))
    if len({json.dumps(call) for call in calls}) == 1:
        return parallel(language, split, rng)
    said = rng.choice(read_grammar(language)["joins"]).format(one=parts[0], two=parts[1])
    return (said[0].upper() + said[1:] if rng.random() < 0.35 else said), calls


def no_call(language: str, split: Split, rng: random.Random) -> tuple[str, list[Call]]:
    """What no tool can do."""
    grammar = read_grammar(language)
    words = {key: grammar["none"][key] for key in ("country", "thing")} | {"first": grammar["slots"]["first"]}
    frame = vary(one_frame(language, "none", split, rng), language, ASKING, rng)
    while "{number}" in frame:
        frame = frame.replace("{number}", str(rng.randrange(1, 100)), 1)
    for slot, values in words.items():
        frame = frame.replace(f"{{{slot}}}", rng.choice(values))
    return frame, []


def results_of(calls: list[Call], language: str, rng: random.Random) -> list[dict[str, Any]]:
    """What the phone answers to calls, and what the model then says."""
    grammar = read_grammar(language)
    results = [rng.choices((rng.choice(WELL), rng.choice(ILL), DECLINED), (6, 2, 1))[0] for _ in calls]
    messages = [
        {"role": "tool", "name": name, "content": result}
        for (name, _), result in zip(calls, results, strict=True)
    ]
    if any(result in ILL for result in results):
        said = grammar["none"]["error"]
    elif DECLINED in results:
        said = grammar["none"]["declined"]
    else:
        said = ("" if language == "ja" else " ").join(
            dict.fromkeys(grammar[name]["answer"] for name, _ in calls)
        )
    return [*messages, {"role": "assistant", "content": said}]


def first_turns(prompt: str, calls: list[Call], language: str) -> Row:
    """A row: what the user says, and the calls or the refusal."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": prompt}]
    if not calls:
        messages.append({"role": "assistant", "content": read_grammar(language)["none"]["answer"]})
        return Row(messages, language)
    tool_calls = [
        {"type": "function", "function": {"name": name, "arguments": arguments}} for name, arguments in calls
    ]
    messages.append({"role": "assistant", "tool_calls": tool_calls})
    return Row(messages, language)


def join_rows(rows: list[Row], rng: random.Random) -> Iterator[Row]:
    """Conversations of one request or more that use each row once."""
    left = {language: [row for row in rows if row.language == language] for language in LANGUAGES}
    for some in left.values():
        rng.shuffle(some)
    while any(left.values()):
        messages: list[dict[str, Any]] = []
        language = ""
        (requests,) = rng.choices(list(REQUESTS), list(REQUESTS.values()))
        for last in (*[False] * (requests - 1), True):
            if not left.get(language) or rng.random() > SAME_LANGUAGE:
                language = rng.choice([language for language in left if left[language]])
            row = left[language].pop()
            messages += row.messages
            if row.calls and rng.random() < (RESULTS if last else ANSWERED):
                messages += results_of(row.calls, language, rng)
            if not any(left.values()):
                break
        yield Row(messages, language)


def draw(split: Split, taken: set[str], seed: int) -> Iterator[Row]:
    """The rows of one split.

    taken: bare prompts that must not come; the new ones are added. The split never depends on the seed.
    """
    column = 0 if split == "train" else 1
    for language in LANGUAGES:
        kinds = {request: rows[column] for request, rows in ROWS.items()}
        for kind, count in (
            *kinds.items(),
            ("parallel", PARALLEL_ROWS[column]),
            ("none", NO_CALL_ROWS[column]),
        ):
            rng = random.Random(f"{seed}/{split}/{language}/{kind}")
            produced = attempt = 0
            while produced < count and attempt < count * 20:
                attempt += 1
                if kind == "parallel":
                    prompt, calls = parallel(language, split, rng)
                elif kind == "none":
                    prompt, calls = no_call(language, split, rng)
                else:
                    prompt, calls = single(language, kind, split, rng)
                if bare(prompt) not in taken:
                    taken.add(bare(prompt))
                    produced += 1
                    yield first_turns(prompt, calls, language)


@cache
def draw_measured() -> dict[Split, list[Row]]:
    """The rows of test and eval. No prompt is in both."""
    taken: set[str] = set()
    return {split: list(draw(split, taken, SEED)) for split in MEASURED}


def draw_requests(seed: int) -> list[Row]:
    """Rows to train, one request each, others with each seed. No prompt of them is measured."""
    taken = {bare(row.messages[0]["content"]) for rows in draw_measured().values() for row in rows}
    return list(draw("train", taken, seed))


def draw_conversations(seed: int) -> list[Row]:
    """Such rows as conversations."""
    return list(join_rows(draw_requests(seed), random.Random(f"{seed}/conversations")))


def read_rows(path: Path) -> list[Row]:
    """The rows of a JSON lines file."""
    return [Row(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the phone-actions data.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for eval.jsonl and test.jsonl")
    parser.add_argument("--train", type=Path, help="write what the first epoch learns to this file, too")
    options = parser.parse_args()
    for split in MEASURED:
        write_examples(draw_measured()[split], options.out / f"{split}.jsonl")
    if options.train:
        write_examples(draw_conversations(SEED), options.train)
