"""Train the model of the phone's actions from random weights and measure it.

    python build_tokenizer.py    # the tokenizer
    python train.py              # the model: checkpoint/, then how many call sets are exact on eval.jsonl

Each epoch draws new rows from the training frames of the grammar.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from build_tokenizer import START_RESPONSE
from dataset import MEASURED, TOOLS, Row, draw_requests, join_rows, read_rows, results_of
from transformers import AutoModelForCausalLM, AutoTokenizer, Gemma3ForCausalLM, PreTrainedTokenizerBase

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from training.loop import SEED, Epoch, dropped_merges, fit, rate_factor
from training.loop import Row as Ids
from training.model import build_model, optimizers

HERE = Path(__file__).resolve().parent
CHECKPOINT = HERE / "checkpoint"
REQUEST_EPOCHS = 7
"""Epochs of single requests behind <bos>, which take half the time of those behind the tools."""
CONVERSATION_EPOCHS = 1 + 3
"""Epochs of conversations behind the tools, as the model is used. The last three begin anew, at half the rate."""
CONVERSATIONS = 16  # of a step; each has two requests on average
LEARNING_RATE = 3e-3
WINDOW = 128  # tokens: two requests and both calls
NOTICE = """\
phone-actions demo checkpoint
Part of edgekit. Licensed under the Apache License, Version 2.0.

Trained from random weights on synthetic data that edgekit's authors wrote and generated.
It has the architecture of Gemma 3 but contains no Gemma weights.
"""
SAID = re.compile(
    rf"(<start_of_turn>model\n|<end_function_response>(?!{START_RESPONSE}))(.*?(?:{START_RESPONSE}|<end_of_turn>))",
    re.DOTALL,
)
"""What the model says in a conversation: calls, or words after a prompt or after the last result."""
CALL = re.compile(r"<start_function_call>.*?<end_function_call>", re.DOTALL)


def render(tokenizer: PreTrainedTokenizerBase, row: Row, *, asks: bool = False) -> str:
    """The text of a conversation behind the tools. asks: up to where the model speaks for the last time."""
    messages = row.messages[:-1] if asks else row.messages
    return str(
        tokenizer.apply_chat_template(messages, tools=TOOLS, tokenize=False, add_generation_prompt=asks)
    )


def prefix_of(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The ids that every conversation begins with: the tools."""
    text = render(tokenizer, Row([{"role": "user", "content": ""}], "en"))
    return tokenizer(text.partition("<start_of_turn>user")[0], add_special_tokens=False)["input_ids"]


def encode_rows(tokenizer: PreTrainedTokenizerBase, rows: list[Row], rng: random.Random) -> list[Ids]:
    """The rows without the tools. What the model says is learnt; what it is told gets dropped merges."""
    pieces: list[tuple[int, bool, str]] = []
    for i, row in enumerate(rows):
        text, at = tokenizer.apply_chat_template(row.messages, tokenize=False), 0
        text = text.removeprefix(tokenizer.bos_token).rstrip("\n")
        for said in SAID.finditer(text):
            pieces += [(i, False, text[at : said.start(2)]), (i, True, said[2])]
            at = said.end()
    with dropped_merges(tokenizer):
        told = iter(
            tokenizer([t for _, says, t in pieces if not says], add_special_tokens=False)["input_ids"]
        )
    says_ids = iter(tokenizer([t for _, says, t in pieces if says], add_special_tokens=False)["input_ids"])
    encoded: list[Ids] = [([], []) for _ in rows]
    for i, says, _ in pieces:
        ids = next(says_ids if says else told)
        encoded[i][0].extend(ids)
        encoded[i][1].extend([says] * len(ids))
    rng.shuffle(encoded)
    return encoded


@torch.inference_mode()
def answer_all(model: Gemma3ForCausalLM, tokenizer: PreTrainedTokenizerBase, rows: list[Row]) -> list[str]:
    """The greedy answer to each row's last request, control tokens kept."""
    model.eval()
    answers = [""] * len(rows)
    by_length = sorted(range(len(rows)), key=lambda i: len(str(rows[i].messages)))
    for at in range(0, len(rows), 84):
        group = by_length[at : at + 84]
        inputs = tokenizer(
            [render(tokenizer, rows[i], asks=True) for i in group],
            return_tensors="pt",
            padding=True,
            padding_side="left",
            add_special_tokens=False,
        )
        output = model.generate(**inputs, max_new_tokens=96)
        fresh = output[:, inputs["input_ids"].shape[1] :]
        for i, text in zip(group, tokenizer.batch_decode(fresh), strict=True):
            answers[i] = text.replace("<pad>", "")
    return answers


def cooled(step: int, steps: int) -> float:
    """The share of the rate at a step of about 1,618: a cosine that hardly falls, and at the end two lines down."""
    return rate_factor(step, 2828) * max(0.005, min(1.0, (1822 - step) / 522, (1618 - step) / 261))


def behind_another(rows: list[Row], rng: random.Random) -> list[Row]:
    """The rows as second requests, each behind another row's request, its calls and their results."""
    others = [Row([*row.messages], row.language) for row in rng.sample(rows, len(rows))]
    for row in others:
        if row.calls:
            row.messages.extend(results_of(row.calls, row.language, rng))
    return [Row(other.messages + row.messages, row.language) for other, row in zip(others, rows, strict=True)]


def report(
    tokenizer: PreTrainedTokenizerBase, rows: list[Row], answers: list[str], *, show_misses: bool
) -> float:
    """Print how many sets of calls are exact, in all and of each kind; return the overall share."""
    right, total = Counter[str](), Counter[str]()
    for row, answer in zip(rows, answers, strict=True):
        wanted = render(tokenizer, row).rpartition("<start_of_turn>model\n")[2]
        exact = Counter(CALL.findall(wanted)) == Counter(CALL.findall(answer))
        for group in ("all", row.language, f"{len(CALL.findall(wanted))} calls"):
            total[group] += 1
            right[group] += exact
        if show_misses and not exact:
            print(f"  {row.messages[-2]['content']!r}\n    wanted {wanted.strip()}\n    said   {answer}")
    for group in total:
        print(f"exact calls {group:>8}: {right[group]}/{total[group]} = {right[group] / total[group]:.1%}")
    return right["all"] / total["all"]


def learn(
    model: Gemma3ForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    epochs: range,
    rate: float,
    factor: Callable[[int, int], float],
) -> None:
    """Train in some epochs, and save."""
    rng = random.Random(SEED + epochs.start)
    tools = tuple(prefix_of(tokenizer))

    def draw_epoch(epoch: int) -> Epoch:
        rows = draw_requests(epoch)
        if epoch < REQUEST_EPOCHS:
            return Epoch(encode_rows(tokenizer, rows, rng), tools[:1])
        rows = list(join_rows(rows, rng))
        return Epoch(encode_rows(tokenizer, rows, rng), tools, CONVERSATIONS)

    fit(model, optimizers(model), draw_epoch, len(epochs), rate, epochs.start, factor)
    model.to(torch.bfloat16).save_pretrained(CHECKPOINT)
    (CHECKPOINT / "NOTICE").write_text(NOTICE, "utf-8")


def main() -> None:
    """Train, save and measure the saved checkpoint."""
    parser = argparse.ArgumentParser(description="Train and measure the model of the phone's actions.")
    parser.add_argument(
        "--eval-only", action="store_true", help="measure the checkpoint that is already there"
    )
    parser.add_argument("--on", choices=MEASURED, default="eval", help="which rows to measure with")
    parser.add_argument("--second", action="store_true", help="measure with them as second requests, too")
    parser.add_argument("--misses", action="store_true", help="print every wrong answer")
    options = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(2)

    tokenizer = AutoTokenizer.from_pretrained(CHECKPOINT)
    if not options.eval_only:
        model = build_model(tokenizer, ("<end_of_turn>", START_RESPONSE), WINDOW)
        print(f"{model.num_parameters():,} parameters")
        epochs = REQUEST_EPOCHS + CONVERSATION_EPOCHS
        learn(model, tokenizer, range(epochs - 3), LEARNING_RATE, cooled)
        model = AutoModelForCausalLM.from_pretrained(CHECKPOINT, dtype=torch.float32)
        learn(model, tokenizer, range(epochs - 3, epochs), LEARNING_RATE / 2, rate_factor)

    # What counts is the saved file: bfloat16 weights, computed in float32.
    saved = AutoModelForCausalLM.from_pretrained(CHECKPOINT, dtype=torch.float32)
    single = read_rows(HERE / f"{options.on}.jsonl")
    for rows in (single, behind_another(single, random.Random(SEED)))[: 1 + options.second]:
        report(tokenizer, rows, answer_all(saved, tokenizer, rows), show_misses=options.misses)


if __name__ == "__main__":
    main()
