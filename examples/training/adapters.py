"""Train a LoRA adapter on the settings navigator's checkpoint, save it as PEFT does, and measure it."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from training.loop import SEED, DrawTrain, answer_all, draw_examples, fit, report
from training.phrases import read_examples

EXAMPLES = Path(__file__).resolve().parents[1]
CHECKPOINT = EXAMPLES / "settings-navigator" / "checkpoint"
BASE_FROM_ADAPTER = "../../settings-navigator/checkpoint"
"""What adapter_config.json calls the base: relative to the adapter's directory, as edgekit reads it."""

NOTICE = """\
{name} demo adapter
Part of edgekit. Licensed under the Apache License, Version 2.0.

A LoRA adapter of the settings-navigator demo checkpoint, trained on synthetic data that edgekit's authors wrote and
generated. It contains no Gemma weights.
"""


def load_base() -> torch.nn.Module:
    """The checkpoint that the adapters belong to, computed in float32."""
    return AutoModelForCausalLM.from_pretrained(CHECKPOINT, dtype=torch.float32)


def train_adapter(
    folder: Path,
    tokenizer: PreTrainedTokenizerBase,
    config: LoraConfig,
    draw_train: DrawTrain,
    epochs: int,
    learning_rate: float,
    *,
    done: int = 0,
) -> None:
    """Train an adapter on the data of an example's folder, and write folder/adapter.

    done: when it is not 0, go on with the adapter that is there, which so many epochs trained, at half the rate.
    """
    base = load_base()
    if done:
        adapted = PeftModel.from_pretrained(base, folder / "adapter", is_trainable=True)
    else:
        adapted = get_peft_model(base, config)
    adapted.print_trainable_parameters()
    trained = [p for p in adapted.parameters() if p.requires_grad]
    # All of them are matrices. After three epochs of the sentiment data Muon's loss was 0.060, the best of AdamW 0.074.
    optimizer = torch.optim.Muon(trained, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    rate = learning_rate / 2 if done else learning_rate
    rows = draw_examples(tokenizer, folder, draw_train)
    fit(adapted.get_base_model(), [optimizer], rows, epochs, rate, done)

    adapted.to(torch.bfloat16)  # as the base is saved
    adapted.peft_config["default"].base_model_name_or_path = BASE_FROM_ADAPTER
    adapted.save_pretrained(folder / "adapter", save_embedding_layers=False)
    (folder / "adapter" / "README.md").unlink(missing_ok=True)  # PEFT's empty model card
    (folder / "adapter" / "NOTICE").write_text(NOTICE.format(name=folder.name), "utf-8")


def run(
    folder: Path,
    config: LoraConfig,
    draw_train: DrawTrain,
    epochs: int,
    learning_rate: float,
) -> None:
    """The command line of an example's train.py: train, save, and measure what was saved."""
    parser = argparse.ArgumentParser(description=f"Train and measure the {folder.name} adapter.")
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument(
        "--done",
        type=int,
        default=0,
        help="go on with the adapter that is there, which so many epochs trained",
    )
    parser.add_argument("--eval-only", action="store_true", help="measure the adapter that is already there")
    parser.add_argument("--base", action="store_true", help="measure the base without the adapter as well")
    parser.add_argument("--misses", action="store_true", help="print every wrong answer")
    parser.add_argument("--threads", type=int, default=2, help="of the CPU")
    options = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(options.threads)

    tokenizer = AutoTokenizer.from_pretrained(CHECKPOINT)
    if not options.eval_only:
        train_adapter(folder, tokenizer, config, draw_train, options.epochs, learning_rate, done=options.done)

    examples = read_examples(folder / "eval.jsonl")
    prompts = [example.prompt for example in examples]
    if options.base:
        print("the base without the adapter:")
        report(examples, answer_all(load_base(), tokenizer, prompts))
    adapted = PeftModel.from_pretrained(load_base(), folder / "adapter")
    report(examples, answer_all(adapted, tokenizer, prompts), options.misses)
