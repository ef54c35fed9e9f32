"""What the official binding makes the engine say: the judge of the runner's answers."""

from __future__ import annotations

from pathlib import Path

from edgekit.benchmark.plan import CHECK_TOKENS
from edgekit.runtime.ask.protocol import Decoding, Turn
from edgekit.runtime.ask.session import ask
from edgekit.text.generation import GREEDY


def greedy(
    model: Path,
    question: str,
    *,
    sidecar: Path | None = None,
    max_tokens: int = CHECK_TOKENS,
    threads: int | None = None,
) -> str:
    decoding = Decoding(GREEDY, max_tokens=max_tokens, sidecar=sidecar)
    with ask(model, threads=threads) as session:
        return session.say(Turn(({"role": "user", "content": question},), decoding)).text
