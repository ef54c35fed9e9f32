"""Train the model of the phone's actions from random weights and measure it.

    python dataset.py            # the data
    python build_tokenizer.py    # the tokenizer
    python train.py              # the model: checkpoint/, then how many call sets are exact on eval.jsonl

The first epoch reads train.jsonl; each later one draws as many new rows from the same training frames of the grammar.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections import Counter
from pathlib import Path

import torch
from build_tokenizer import START_RESPONSE
from dataset import TOOLS, Row, draw_train, read_rows
from transformers import AutoModelForCausalLM, AutoTokenizer, Gemma3ForCausalLM, PreTrainedTokenizerBase

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from training.loop import SEED, dropped_merges, fit
from training.loop import Row as Ids
from training.model import build_model, optimizers
from training.phrases import bare

HERE = Path(__file__).resolve().parent
CHECKPOINT = HERE / "checkpoint"
EPOCHS = 8
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


def render(tokenizer: PreTrainedTokenizerBase, row: Row, *, turns: int | None = None) -> str:
    """The text of a conversation, or of its first turns up to where the model speaks."""
    return str(
        tokenizer.apply_chat_template(
            row.messages[:turns], tools=TOOLS, tokenize=False, add_generation_prompt=turns is not None
        )
    )


def prefix_of(tokenizer: PreTrainedTokenizerBase) -> str:
    """What every conversation begins with: the tools."""
    return render(tokenizer, Row([{"role": "user", "content": "|"}], "en")).partition("|")[0]


def encode_rows(tokenizer: PreTrainedTokenizerBase, rows: list[Row], rng: random.Random) -> list[Ids]:
    """The rows without their common beginning. What the model says is learnt; what it is told gets dropped merges."""
    prefix = prefix_of(tokenizer)
    pieces: list[tuple[int, bool, str]] = []
    for i, row in enumerate(rows):
        text, at = render(tokenizer, row).removeprefix(prefix).rstrip("\n"), 0
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
    """The greedy answer to each row's prompt, control tokens kept."""
    model.eval()
    answers = [""] * len(rows)
    by_length = sorted(range(len(rows)), key=lambda i: len(rows[i].messages[0]["content"]))
    for at in range(0, len(rows), 84):
        group = by_length[at : at + 84]
        inputs = tokenizer(
            [render(tokenizer, rows[i], turns=1) for i in group],
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


def report(
    tokenizer: PreTrainedTokenizerBase, rows: list[Row], answers: list[str], *, show_misses: bool
) -> float:
    """Print how many sets of calls are exact, in all and of each kind; return the overall share."""
    right, total = Counter[str](), Counter[str]()
    for row, answer in zip(rows, answers, strict=True):
        wanted = render(tokenizer, Row(row.messages[:2], row.language)).rpartition("<start_of_turn>model\n")[
            2
        ]
        exact = Counter(CALL.findall(wanted)) == Counter(CALL.findall(answer))
        for group in ("all", row.language, f"{len(CALL.findall(wanted))} calls"):
            total[group] += 1
            right[group] += exact
        if show_misses and not exact:
            print(f"  {row.messages[0]['content']!r}\n    wanted {wanted.strip()}\n    said   {answer}")
    for group in total:
        print(f"exact calls {group:>8}: {right[group]}/{total[group]} = {right[group] / total[group]:.1%}")
    return right["all"] / total["all"]


def main() -> None:
    """Train, save and measure the saved checkpoint."""
    parser = argparse.ArgumentParser(description="Train and measure the model of the phone's actions.")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument(
        "--done",
        type=int,
        default=0,
        help="go on with the checkpoint that is there, which so many epochs trained",
    )
    parser.add_argument(
        "--eval-only", action="store_true", help="measure the checkpoint that is already there"
    )
    parser.add_argument("--misses", action="store_true", help="print every wrong answer")
    options = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(2)

    tokenizer = AutoTokenizer.from_pretrained(CHECKPOINT)
    evaluation = read_rows(HERE / "eval.jsonl")
    if not options.eval_only:
        if options.done:
            model = AutoModelForCausalLM.from_pretrained(CHECKPOINT, dtype=torch.float32)
        else:
            model = build_model(tokenizer, ("<end_of_turn>", START_RESPONSE), WINDOW)
        print(f"{model.num_parameters():,} parameters")
        rng, reserved = random.Random(SEED), {bare(row.messages[0]["content"]) for row in evaluation}

        def draw_rows(epoch: int) -> list[Ids]:
            drawn = draw_train(set(reserved), epoch) if epoch else read_rows(HERE / "train.jsonl")
            return encode_rows(tokenizer, drawn, rng)

        prefix = tokenizer(prefix_of(tokenizer), add_special_tokens=False)["input_ids"]
        rate = LEARNING_RATE / 2 if options.done else LEARNING_RATE
        fit(model, optimizers(model), draw_rows, options.epochs, rate, options.done, prefix)
        model.to(torch.bfloat16).save_pretrained(CHECKPOINT)
        (CHECKPOINT / "NOTICE").write_text(NOTICE, "utf-8")

    # What counts is the saved file: bfloat16 weights, computed in float32.
    saved = AutoModelForCausalLM.from_pretrained(CHECKPOINT, dtype=torch.float32)
    report(tokenizer, evaluation, answer_all(saved, tokenizer, evaluation), show_misses=options.misses)


if __name__ == "__main__":
    main()
