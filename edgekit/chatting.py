"""Open a bundle for a conversation, the way its manifest says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.bundle.answers import AnswerFormat
from edgekit.bundle.container import MAGIC
from edgekit.bundle.manifest import open_bundle
from edgekit.checkpoint.generation import parse_sampler
from edgekit.errors import BundleError

if TYPE_CHECKING:
    from edgekit.runtime.engine import Chat


@contextmanager
def open_chat(
    bundle: str | Path,
    *,
    system: str | None = None,
    sampler: str | None = None,
    seed: int | None = None,
    max_tokens: int | None = None,
    constrained: bool = True,
    threads: int | None = None,
) -> Iterator[Chat]:
    """Open a bundle, or any .litertlm file, in the engine and start a conversation.

    sampler: "greedy" or "temperature=…,top_k=…,top_p=…"; by default the bundle's own.
    constrained: hold answers to the schema or regex in the manifest, if there is one.
    Raises BundleError when the file is not the manifest's, or the engine refuses it.
    """
    from edgekit.runtime.engine import open_engine

    opened = open_bundle(bundle)
    if opened.model_path.suffix == ".tflite":
        raise BundleError(
            "a bare graph has no tokenizer to chat with",
            where=opened.model_path,
            remedy="convert with --format litertlm",
        )
    with opened.model_path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise BundleError(
                "not a .litertlm file: it does not begin with LITERTLM",
                where=opened.model_path,
                remedy="name a bundle directory, or a model file for LiteRT-LM",
            )
    answer = opened.manifest.answer if opened.manifest is not None and constrained else None
    with (
        open_engine(opened.model_path, threads=threads) as engine,
        engine.chat(
            [{"role": "system", "content": system}] if system else [],
            sampler=parse_sampler(sampler) if sampler else None,
            seed=seed,
            answers=None if answer is None else AnswerFormat.from_manifest(answer),
            max_tokens=max_tokens,
        ) as chat,
    ):
        yield chat
