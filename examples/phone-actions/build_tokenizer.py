"""Make the tokenizer of the phone's actions, with FunctionGemma's control tokens.

python build_tokenizer.py    # writes checkpoint/tokenizer.*
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dataset import SEED, TOOLS, Row, draw_conversations, read_grammar
from jinja2 import Environment

from training.phrases import LANGUAGES
from training.tokenizer import save, train_sentencepiece

HERE = Path(__file__).resolve().parent
CHECKPOINT = HERE / "checkpoint"
START_RESPONSE = "<start_function_response>"
CONTROL = {
    "<start_function_declaration>": False,
    "<end_function_declaration>": False,
    "<start_function_call>": False,
    "<end_function_call>": False,
    START_RESPONSE: True,
    "<end_function_response>": False,
    "<escape>": False,
}
"""The tokens of calls, and whether decoding leaves them out, as FunctionGemma's own tokenizer does."""


def texts(rows: list[Row]) -> list[str]:
    """What the template writes of the rows, cut at its control tokens: the lines that the pieces are learnt from."""
    template = Environment(trim_blocks=True, lstrip_blocks=True).from_string(
        (HERE / "chat_template.jinja").read_text("utf-8")
    )
    lines = [template.render(messages=row.messages, bos_token="<bos>") for row in rows]
    lines += [template.render(messages=[], tools=TOOLS, bos_token="<bos>")] * 100
    for language in LANGUAGES:  # every word that may stand in a slot, so that most are one piece
        slots = read_grammar(language)["slots"]
        lines += [word for words in slots.values() for word in words for _ in range(30)]
    for token in (*CONTROL, "<bos>", "<start_of_turn>", "<end_of_turn>", "\n"):
        lines = [part for line in lines for part in line.split(token) if part]
    return lines


def main() -> None:
    """Build both tokenizers from train rows."""
    model = train_sentencepiece(texts(draw_conversations(SEED)), tuple(CONTROL), longest=24, mixed=True)
    save(model, HERE / "chat_template.jinja", CHECKPOINT, CONTROL)
    path = CHECKPOINT / "tokenizer_config.json"
    config = json.loads(path.read_text("utf-8")) | {"sfr_token": START_RESPONSE}
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
