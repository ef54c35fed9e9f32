"""Make the settings navigator's tokenizer, from the words of its data.

python build_tokenizer.py    # reads train.jsonl, writes checkpoint/tokenizer.*
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from training.tokenizer import save, train_sentencepiece

HERE = Path(__file__).resolve().parent


def corpus(train: Path) -> list[str]:
    """The lines that the pieces are learnt from: prompts, answers, and the words of the chat template."""
    rows = [json.loads(line) for line in train.read_text("utf-8").splitlines()]
    answers = sorted({row["expected"] for row in rows})
    return [row["prompt"] for row in rows] + answers * 10 + ["user", "model", "system"] * 50


def main() -> None:
    """Build both tokenizers from train.jsonl."""
    model = train_sentencepiece(corpus(HERE / "train.jsonl"))
    save(model, HERE / "chat_template.jinja", HERE / "checkpoint")


if __name__ == "__main__":
    main()
