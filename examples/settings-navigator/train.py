"""Train the settings-navigator model from random weights and measure it.

    python dataset.py            # the data
    python build_tokenizer.py    # the tokenizer
    python train.py              # the model: checkpoint/, then the exact match on eval.jsonl

A plain loop on two CPU cores. The loss covers the answer and <end_of_turn>; the prompt is context only. The first
epoch reads train.jsonl; each later one draws as many new sentences from the same training frames of the grammar.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
from dataset import TRAIN_ROWS_PER_INTENT, bare, draw, misspell
from torch.nn.functional import cross_entropy
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GenerationConfig,
    PreTrainedTokenizerBase,
)

HERE = Path(__file__).resolve().parent
CHECKPOINT = HERE / "checkpoint"
EPOCHS = 16
BATCH_SIZE = 32
POOL = 16 * BATCH_SIZE  # rows sorted by length together: little padding, still mixed batches
LEARNING_RATE = 3e-3
WARMUP_STEPS = 150
WEIGHT_DECAY = 0.1
PIECE_DROPOUT = 0.03  # chance that a BPE merge of the prompt is skipped: one sentence, many spellings in ids
SLIP_CHANCE = 0.05  # chance of a typing slip in a training prompt
SEED = 7
NOTICE = """\
settings-navigator demo checkpoint
Part of edgekit. Licensed under the Apache License, Version 2.0.

Trained from random weights on synthetic data that edgekit's authors wrote and generated.
It has the architecture of Gemma 3 but contains no Gemma weights.
"""


@dataclass(frozen=True)
class Example:
    """One row of the data. prompt: what the user says. expected: the exact answer. language: en, nb or ja."""

    prompt: str
    expected: str
    language: str


def read_examples(path: Path) -> list[Example]:
    """The rows of a JSON lines file."""
    return [Example(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def build_model(tokenizer: PreTrainedTokenizerBase) -> Gemma3ForCausalLM:
    """A small Gemma 3 text model with random weights."""
    config = Gemma3TextConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=384,
        num_hidden_layers=6,
        layer_types=["sliding_attention"] * 5 + ["full_attention"],
        num_attention_heads=4,
        num_key_value_heads=1,
        head_dim=32,
        query_pre_attn_scalar=32,
        sliding_window=64,
        max_position_embeddings=32768,
        rope_parameters={
            "full_attention": {"rope_type": "default", "rope_theta": 1_000_000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
        },
        tie_word_embeddings=True,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
    )
    model = Gemma3ForCausalLM(config)
    model.generation_config = GenerationConfig(
        bos_token_id=2,
        pad_token_id=0,
        eos_token_id=[1, tokenizer.convert_tokens_to_ids("<end_of_turn>")],
        do_sample=False,
    )
    return model


def render(tokenizer: PreTrainedTokenizerBase, prompt: str) -> str:
    """The text of a conversation with one user turn, up to where the model speaks."""
    messages = [{"role": "user", "content": prompt}]
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


def encode_examples(
    tokenizer: PreTrainedTokenizerBase, examples: list[Example], rng: random.Random
) -> list[tuple[list[int], int]]:
    """(ids, length of the prompt part) per example.

    Prompts get typing slips and dropped merges, other ones each time; answers stay exact.
    """
    prompts = [
        misspell(e.prompt, rng) if e.language != "ja" and rng.random() < SLIP_CHANCE else e.prompt
        for e in examples
    ]
    bpe = tokenizer.backend_tokenizer.model
    bpe.dropout = PIECE_DROPOUT
    contexts = tokenizer([render(tokenizer, p) for p in prompts], add_special_tokens=False)["input_ids"]
    bpe.dropout = None
    answers = tokenizer([e.expected + "<end_of_turn>" for e in examples], add_special_tokens=False)[
        "input_ids"
    ]
    return [(context + answer, len(context)) for context, answer in zip(contexts, answers, strict=True)]


def batches(rows: list[tuple[list[int], int]], rng: random.Random) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of similar lengths in random order: (ids, targets), each (batch, length).

    ids are right-padded with 0; targets are -100 except on answers.
    """
    order = rng.sample(range(len(rows)), len(rows))
    pools = [
        sorted(order[at : at + POOL], key=lambda i: len(rows[i][0])) for at in range(0, len(order), POOL)
    ]
    groups = [pool[at : at + BATCH_SIZE] for pool in pools for at in range(0, len(pool), BATCH_SIZE)]
    rng.shuffle(groups)
    result = []
    for group in groups:
        length = max(len(rows[i][0]) for i in group)
        ids = torch.zeros(len(group), length, dtype=torch.long)
        targets = torch.full((len(group), length), -100)
        for row, i in enumerate(group):
            tokens, context = rows[i]
            ids[row, : len(tokens)] = torch.tensor(tokens)
            # Position t predicts token t + 1, so the last context position predicts the answer's first token.
            targets[row, context - 1 : len(tokens) - 1] = torch.tensor(tokens[context:])
        result.append((ids, targets))
    return result


def learning_rate(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine down to a hundredth."""
    if step < WARMUP_STEPS:
        return LEARNING_RATE * (step + 1) / WARMUP_STEPS
    progress = (step - WARMUP_STEPS) / max(1, steps - WARMUP_STEPS)
    return LEARNING_RATE * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def optimizers(model: Gemma3ForCausalLM) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for the embedding and the norms.

    With AdamW alone this model needs several times as many epochs to learn that "off" means off for every setting.
    """
    embedding = model.get_input_embeddings().weight
    matrices = [p for p in model.parameters() if p.ndim == 2 and p is not embedding]
    norms = [p for p in model.parameters() if p.ndim == 1]
    return [
        torch.optim.Muon(matrices, weight_decay=WEIGHT_DECAY, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(
            [{"params": [embedding], "weight_decay": WEIGHT_DECAY}, {"params": norms, "weight_decay": 0.0}],
            betas=(0.9, 0.98),
        ),
    ]


def train(model: Gemma3ForCausalLM, tokenizer: PreTrainedTokenizerBase, epochs: int) -> None:
    """Train in place, printing the loss of each epoch."""
    rng = random.Random(SEED)
    examples = read_examples(HERE / "train.jsonl")
    reserved = {bare(e.prompt) for e in read_examples(HERE / "eval.jsonl")}
    steps = epochs * math.ceil(len(examples) / BATCH_SIZE)
    step, started = 0, time.monotonic()
    parts = optimizers(model)
    model.train()
    for epoch in range(epochs):
        if epoch:
            rows = draw("train", TRAIN_ROWS_PER_INTENT, set(reserved), seed=epoch)
            examples = [Example(**row) for row in rows]
        total = 0.0
        epoch_batches = batches(encode_examples(tokenizer, examples, rng), rng)
        for ids, targets in epoch_batches:
            for group in (group for part in parts for group in part.param_groups):
                group["lr"] = learning_rate(step, steps)
            # Right padding needs no mask: attention is causal and padded positions carry no loss.
            hidden = model.model(input_ids=ids).last_hidden_state  # (batch, length, hidden)
            answer = targets != -100
            loss = cross_entropy(model.lm_head(hidden[answer]), targets[answer])
            model.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for part in parts:
                part.step()
            total += loss.item()
            step += 1
        mean, elapsed = total / len(epoch_batches), time.monotonic() - started
        print(f"epoch {epoch + 1}/{epochs}  loss {mean:.4f}  {elapsed:.0f} s", flush=True)


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


def main() -> None:
    """Train, save and measure the saved checkpoint."""
    parser = argparse.ArgumentParser(description="Train and measure the settings-navigator model.")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument(
        "--eval-only", action="store_true", help="measure the checkpoint that is already there"
    )
    parser.add_argument("--misses", action="store_true", help="print every wrong answer")
    options = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(2)

    tokenizer = AutoTokenizer.from_pretrained(CHECKPOINT)
    if not options.eval_only:
        model = build_model(tokenizer)
        print(f"{model.num_parameters():,} parameters")
        train(model, tokenizer, options.epochs)
        model.to(torch.bfloat16).save_pretrained(CHECKPOINT)
        (CHECKPOINT / "NOTICE").write_text(NOTICE, "utf-8")

    # What counts is the saved file: bfloat16 weights, computed in float32.
    saved = AutoModelForCausalLM.from_pretrained(CHECKPOINT, dtype=torch.float32)
    examples = read_examples(HERE / "eval.jsonl")
    report(examples, answer_all(saved, tokenizer, [e.prompt for e in examples]), options.misses)


if __name__ == "__main__":
    main()
