"""The training loop of the examples, and how their answers are measured.

A plain loop on the CPU. The loss covers the answer and <end_of_turn>; the prompt is context only.
"""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import DynamicCache, Gemma3ForCausalLM, PreTrainedTokenizerBase

from training.phrases import Example, bare, misspell, read_examples

BATCH_SIZE = 32
POOL = 16  # batches of rows that are sorted by length together: little padding, still mixed batches
WARMUP_STEPS = 150
PIECE_DROPOUT = 0.03  # chance that a BPE merge of the prompt is skipped: one sentence, many spellings in ids
SLIP_CHANCE = 0.05  # chance of a typing slip in a training prompt
SEED = 7

Row = tuple[list[int], list[bool]]
"""The ids of a conversation, and which of them are learnt."""


@dataclass(frozen=True)
class Epoch:
    """What an epoch learns. prefix: ids that stand before every row. batch_size: rows of a step."""

    rows: list[Row]
    prefix: tuple[int, ...] = ()
    batch_size: int = BATCH_SIZE


DrawTrain = Callable[[set[str], int], list[Example]]
"""Draws train rows that are not in a set of bare prompts, other ones with each seed."""


def render(tokenizer: PreTrainedTokenizerBase, prompt: str) -> str:
    """The text of a conversation with one user turn, up to where the model speaks."""
    messages = [{"role": "user", "content": prompt}]
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


def encode_examples(
    tokenizer: PreTrainedTokenizerBase, examples: list[Example], rng: random.Random
) -> list[Row]:
    """The rows of examples: what is answered is learnt.

    Prompts get typing slips and dropped merges, other ones each time; answers stay exact.
    """
    prompts = [
        misspell(e.prompt, rng) if e.language != "ja" and rng.random() < SLIP_CHANCE else e.prompt
        for e in examples
    ]
    with dropped_merges(tokenizer):
        contexts = tokenizer([render(tokenizer, p) for p in prompts], add_special_tokens=False)["input_ids"]
    answers = tokenizer([e.expected + "<end_of_turn>" for e in examples], add_special_tokens=False)[
        "input_ids"
    ]
    return [
        ([*context, *answer], [False] * len(context) + [True] * len(answer))
        for context, answer in zip(contexts, answers, strict=True)
    ]


@contextmanager
def dropped_merges(tokenizer: PreTrainedTokenizerBase) -> Iterator[None]:
    """Within it a text now and then becomes other ids than usual."""
    bpe = tokenizer.backend_tokenizer.model
    bpe.dropout = PIECE_DROPOUT
    try:
        yield
    finally:
        bpe.dropout = None


def batches(rows: list[Row], rng: random.Random, size: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of similar lengths in random order: (ids, targets), each (batch, length).

    ids are right-padded with 0; targets are -100 except on answers.
    """
    order = rng.sample(range(len(rows)), len(rows))
    pool = POOL * size
    pools = [
        sorted(order[at : at + pool], key=lambda i: len(rows[i][0])) for at in range(0, len(order), pool)
    ]
    groups = [pool[at : at + size] for pool in pools for at in range(0, len(pool), size)]
    rng.shuffle(groups)
    result = []
    for group in groups:
        length = max(len(rows[i][0]) for i in group)
        ids = torch.zeros(len(group), length, dtype=torch.long)
        targets = torch.full((len(group), length), -100)
        for row, i in enumerate(group):
            tokens, learnt = rows[i]
            ids[row, : len(tokens)] = torch.tensor(tokens)
            # Position t predicts token t + 1, so the last context position predicts the answer's first token.
            nexts = [token if is_learnt else -100 for token, is_learnt in zip(tokens, learnt, strict=True)][
                1:
            ]
            targets[row, : len(nexts)] = torch.tensor(nexts)
        result.append((ids, targets))
    return result


def rate_factor(step: int, steps: int) -> float:
    """The share of the learning rate at a step: linear warm-up, then a cosine down to a hundredth."""
    if step < WARMUP_STEPS:
        return (step + 1) / WARMUP_STEPS
    progress = (step - WARMUP_STEPS) / max(1, steps - WARMUP_STEPS)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))


def fit(
    model: Gemma3ForCausalLM,
    optimizers: list[torch.optim.Optimizer],
    draw_epoch: Callable[[int], Epoch],
    epochs: int,
    learning_rate: float,
    first_epoch: int = 0,
    factor: Callable[[int, int], float] = rate_factor,
) -> None:
    """Train in place what the optimizers hold, printing the loss of each epoch.

    draw_epoch: about as many steps in each. first_epoch: how many epochs were trained before. factor: of the rate, by
    the step and the number of steps. A prefix is computed once per batch, which makes long instructions cheap.
    """
    rng = random.Random(SEED)
    trained = [p for part in optimizers for group in part.param_groups for p in group["params"]]
    step, steps, started = 0, 1, time.monotonic()
    model.train()
    for epoch in range(first_epoch, first_epoch + epochs):
        total = 0.0
        drawn = draw_epoch(epoch)
        epoch_batches = batches(drawn.rows, rng, drawn.batch_size)
        steps = max(steps, epochs * len(epoch_batches))
        for ids, targets in epoch_batches:
            for group in (group for part in optimizers for group in part.param_groups):
                group["lr"] = learning_rate * factor(step, steps)
            cache = prefix_cache(model, drawn.prefix, len(ids)) if drawn.prefix else None
            # Right padding needs no mask: attention is causal and padded positions carry no loss.
            hidden = model.model(
                input_ids=ids, past_key_values=cache
            ).last_hidden_state  # (batch, length, hidden)
            answer = targets != -100
            loss = cross_entropy(model.lm_head(hidden[answer]), targets[answer])
            model.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            for part in optimizers:
                part.step()
            total += loss.item()
            step += 1
        mean, elapsed = total / len(epoch_batches), time.monotonic() - started
        print(f"epoch {epoch + 1}/{first_epoch + epochs}  loss {mean:.4f}  {elapsed:.0f} s", flush=True)


def prefix_cache(model: Gemma3ForCausalLM, prefix: tuple[int, ...], rows: int) -> DynamicCache:
    """Keys and values of a prefix, once computed and shared by so many rows; gradients flow through them."""
    cache = DynamicCache(config=model.config)
    model.model(input_ids=torch.tensor([list(prefix)]), past_key_values=cache, use_cache=True)
    cache.batch_repeat_interleave(rows)
    return cache


def draw_examples(
    tokenizer: PreTrainedTokenizerBase, folder: Path, draw_train: DrawTrain
) -> Callable[[int], Epoch]:
    """What an epoch learns, for `fit`: its folder's train.jsonl is epoch 0, each later one draws as many new ones.

    None of them is in the folder's eval.jsonl.
    """
    rng = random.Random(SEED)
    reserved = {bare(example.prompt) for example in read_examples(folder / "eval.jsonl")}

    def epoch_of(epoch: int) -> Epoch:
        drawn = draw_train(set(reserved), epoch) if epoch else read_examples(folder / "train.jsonl")
        return Epoch(encode_examples(tokenizer, drawn, rng))

    return epoch_of


@torch.inference_mode()
def answer_all(
    model: Gemma3ForCausalLM, tokenizer: PreTrainedTokenizerBase, prompts: list[str], batch_size: int = 75
) -> list[str]:
    """The greedy answer to each prompt, through the chat template, as Transformers generates it."""
    model.eval()
    answers = [""] * len(prompts)
    by_length = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    for at in range(0, len(prompts), batch_size):
        group = by_length[at : at + batch_size]
        texts = [render(tokenizer, prompts[i]) for i in group]
        inputs = tokenizer(
            texts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False
        )
        output = model.generate(**inputs, max_new_tokens=48)
        fresh = output[:, inputs["input_ids"].shape[1] :]
        for i, text in zip(group, tokenizer.batch_decode(fresh, skip_special_tokens=True), strict=True):
            answers[i] = text
    return answers


def report(examples: list[Example], answers: list[str], show_misses: bool = False) -> float:
    """Print the exact match overall and per language; return the overall share."""
    right, total = Counter[str](), Counter[str]()
    for example, answer in zip(examples, answers, strict=True):
        for group in (example.language, "all"):
            total[group] += 1
            right[group] += answer == example.expected
        if show_misses and answer != example.expected:
            print(f"  {example.prompt!r}\n    wanted {example.expected}\n    said   {answer}")
    for group in total:
        print(f"exact match {group:>3}: {right[group]}/{total[group]} = {right[group] / total[group]:.1%}")
    return right["all"] / total["all"]
