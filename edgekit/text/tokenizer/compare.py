"""Whether a SentencePiece model cuts texts as the tokenizers library does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from edgekit.text.tokenizer.document import SPACE
from edgekit.text.tokenizer.sentencepiece import USER_DEFINED, Pieces, pack_model
from edgekit.text.tokenizer.trial import refuse_unusable, try_out

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Reference


Attempt: TypeAlias = Callable[[], tuple[bytes, list[list[int]]]]
"""Gives a serialized model, and the ids that it finds in texts; raises TokenizerError when it cannot be used."""


def begin_attempts(
    pieces: Pieces, rest: bytes, texts: Sequence[str], where: Path, pool: ThreadPoolExecutor
) -> list[Attempt]:
    """Two forms of a model, the likelier one first, which is already being tried when this returns.

    Runs of spaces are taken whole as long as they are, as in Gemma's tokenizers, or grow by merging as other pieces do.
    Which of them Transformers does depends on the order in which its converter once wrote the merges.
    """
    whole = Pieces(pieces.texts, pieces.scores.copy(), pieces.types.copy())
    runs = [i for i, text in enumerate(pieces.texts) if text[:2] == "  " and not text.strip(" ")]
    whole.scores[runs], whole.types[runs] = 0, USER_DEFINED

    def attempt(data: bytes) -> tuple[bytes, list[list[int]]]:
        return data, try_out(data, "sentencepiece", where, texts)[0]

    return [
        pool.submit(attempt, pack_model(whole, rest)).result,
        lambda: attempt(pack_model(pieces, rest)),
    ]


def first_that_agrees(
    attempts: Iterable[Attempt], wanted: Sequence[list[int]], texts: Sequence[str]
) -> tuple[bytes, str | None]:
    """The first model that gives the wanted ids for every text; else say which text differs."""
    reason: str | None = None
    for attempt in attempts:
        data, found = attempt()
        differing = next((i for i, ids in enumerate(found) if ids != wanted[i]), None)
        if differing is None:
            return data, None
        reason = reason or (
            f"of {_shortened(texts[differing])} SentencePiece would make {found[differing][:8]}, "
            f"Transformers makes {wanted[differing][:8]}"
        )
    return b"", reason


def load_reference(content: bytes, where: Path | None) -> Reference:
    """Load a tokenizer.json with the tokenizers library; raises TokenizerError, at `where`, when that cannot be."""
    from tokenizers import Tokenizer as Reference

    refuse_unusable(content, "huggingface", where)
    return Reference.from_str(content.decode())


def encode_with(reference: Reference, texts: Sequence[str]) -> list[list[int]]:
    """The ids that the tokenizers library finds in each text, without a BOS."""
    return [e.ids for e in reference.encode_batch(list(texts), add_special_tokens=False)]


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 24 else text[:24] + "…")


def texts_with(added: Iterable[str], unknown: str | None) -> list[str]:
    """Texts with added tokens in them, less those that AWKWARD_TEXTS leaves out too."""
    tokens = [token for token in added if token != unknown and SPACE not in token]
    step = max(1, len(tokens) // 100)
    some = [*tokens[:20], *tokens[20:-60:step], *tokens[-60:]]
    return [text for token in some for text in (token, f"a{token}b {token} {token}\n")]


AWKWARD_TEXTS: tuple[str, ...] = (
    "",
    "a",
    " ",
    "Hello, world!",
    " leading and trailing ",
    "  two  spaces   three    four     five",
    *(" " * n + "x" for n in (2, 3, 5, 7, 8, 15, 16, 17, 24, 31, 32, 33, 40, 63, 64, 100)),
    *("x" + " " * n for n in (2, 3, 9, 31, 35)),
    *("a" + "\n" * n + "b" for n in (1, 2, 3, 5, 8, 17, 31, 32, 40)),
    *("\t" * n + "z" for n in (1, 2, 3, 8, 33)),
    " \n \n  \n",
    "\r\n\r\n",
    "\u00a0no-break\u00a0space\u2003em\u3000ideographic",
    "Skjermen er for mørk, kan du øke lysstyrken på æøå? Ærlig talt, Åse!",
    "画面が暗すぎます。明るくしてください。",
    "音量を下げて、Bluetoothをオンにする",
    "简体中文 繁體中文 한국어 العربية עברית ไทย हिन्दी ქართული",
    "Ελληνικά Кириллица Ünïcödé ﬁ ﬂ ½ ² ∑ ∞ ≠ →",
    "e\u0301 vs é, Å vs Å",
    "🙂🙃 👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇳🇴 ☎️",
    "0 1 12 123 1234 12345 3.14159 1,000,000 1e-9 0x1F",
    "!!! ??? ... --- *** ### $$$ %% && @@ ~~ `` ^^ || \\\\ // <> [] {} ()",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbb ababababab hahahahaha",
    "the the the The THE tHe theTHEthe",
    '{"screen": "display", "setting": "brightness", "action": "increase"}',
    'def main(argv: list[str]) -> int:\n    return len(argv)  # "count"\n\n\nif __name__ == "__main__":',
    "\tmain([])\n",
    "SELECT * FROM t WHERE a='b'; -- comment\n",
    "<html><body class='x'>&nbsp;</body></html>",
    "https://example.org/path?q=1&r=%20#top user.name+tag@example.co.uk",
    "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n",
    "<start_of_turn >user <end_of_turn",
    "<bos><eos><pad>",
    "a<eos>b <bos>c",
    "<0x41><0x0A>",
    "<unused0><unused1>",
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis Donaudampfschifffahrt",
    "\x00\x01\x02\x07\x08\x0b\x0c\x0e\x1f\x7f",
    "\u200b\u200d\ufeff\u2028\u2029\u00ad",
    "".join(chr(c) for c in range(32, 127)),
    "".join(chr(c) for c in range(128, 256)),
    "".join(chr(c) for c in range(0x250, 0x2B0)),
    "\U0001f600\U0001f4a9\U00020000\U0010ffff\ue000\ufffd",
)
"""Texts on which two tokenizers that are not the same are likely to differ.

Two are missing on purpose, because no SentencePiece model can tell them apart: "▁" itself, which is its
spelling of a space, and the token for the unknown written out.
"""
