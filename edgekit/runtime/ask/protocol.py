"""What crosses the pipe between edgekit and the engine's child program, `script.py`: JSON, one object a line.

A request carries a number, and every line of its answer carries the same; the lines of a request that nobody listens
to any more are passed over. The child answers in order, one request at a time:

    request                                  answer (the last line)
    open     Open                            opened   Opened
    ids      text                            ids      [int]
    text     ids                             text     str
    score    prompt, answer                  scores   [float], the log-likelihood of each token of an answer
    prompt   messages, Decoding              prompt   Rendered, of a conversation that is opened for it alone
    begin    history, Decoding               begun    the conversation, which ends the one before it
    render   message                         prompt   Rendered, as the conversation stands
    say      message                         reply    Reply, behind any number of lines piece, str
    count                                    count    int, tokens in the conversation's cache
    end                                      ended
    cancel   of, the number of a `say`       nothing; that `say` ends soon

Any request may be answered with `error`, the engine's words, and `open` with `missing` where there is no engine. A
child that closes its output has crashed. It ends at once, whatever it is doing, when its input is closed. Its standard
error is a file with the engine's log, in which `reasons` finds why something failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgekit.text.answers import AnswerFormat
from edgekit.text.generation import Sampler
from edgekit.text.messages import Message

Backend = Literal["cpu", "gpu"]
"""What an engine computes on."""

Ending = Literal["end_of_turn", "length", "context", "cancelled"]
"""Why an answer ended: after a stop token, at the limit of the call, because the cache is full, or because the caller
stopped listening."""


@dataclass(frozen=True)
class Open:
    """A model file to open in the engine.

    backend: what it computes on; a GPU by WebGPU, in half precision. max_num_tokens: tokens that a conversation may
    hold, None for what the file says. threads: None leaves the choice to the engine. cache_dir: where it keeps its
    packed weights for the next start, None keeps none. suppressed: ids that are never generated while answers are held
    to a format; None finds them by the engine's own tokenizer.
    """

    path: str
    backend: Backend = "cpu"
    max_num_tokens: int | None = None
    threads: int | None = None
    cache_dir: str | None = None
    suppressed: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Opened:
    """An opened model.

    version: release of the engine. start_id: what it puts before a conversation, None for nothing. stop_ids: the
    sequences that end an answer. suppressed: ids that are never generated while answers are held to a format.
    max_tokens: that a conversation may hold, None where this release does not tell. takes_sidecars: it can be given
    one. seconds: that opening took.
    """

    version: str
    start_id: int | None
    stop_ids: tuple[tuple[int, ...], ...]
    suppressed: tuple[int, ...]
    max_tokens: int | None
    takes_sidecars: bool
    seconds: float


@dataclass(frozen=True)
class Decoding:
    """How answers come about: the one rule for smoke test, golden answers, validation and chat.

    sampler: None for the bundle's. seed: of the sampling; the engine's own default is always the same. max_tokens: most
    tokens of an answer. answers: the format that each answer is held to; the engine prepares it for each conversation,
    which takes 1.6 s at 262,144 pieces. sidecar: of an adapter that was checked against this bundle
    (`edgekit.bundle.adapter.opening`); None leaves the base as it is. chat_template: None for the bundle's.
    """

    sampler: Sampler | None = None
    seed: int | None = None
    max_tokens: int | None = None
    answers: AnswerFormat | None = None
    sidecar: Path | None = None
    chat_template: str | None = None


AS_BUNDLED = Decoding()
"""What the model file says."""


@dataclass(frozen=True)
class Turn:
    """One answer in a conversation of its own: to the last of these messages, the others stand before it."""

    messages: tuple[Message, ...]
    decoding: Decoding = AS_BUNDLED


@dataclass(frozen=True)
class Rendered:
    """A prompt; text is None when the runner refused the conversation, and error says why."""

    text: str | None
    error: str | None = None


@dataclass(frozen=True)
class Stats:
    """One turn in figures, as the engine measured them; 0 for what its release does not count."""

    prompt_tokens: int
    """Tokens fed in this turn, a start token included."""
    generated_tokens: int
    """Tokens generated, the one that ended the turn included."""
    time_to_first_token: float
    """Seconds from the call to the first piece of text."""
    prefill_tokens_per_second: float
    decode_tokens_per_second: float


@dataclass(frozen=True)
class Reply:
    """What the model said, why it ended, and how fast it was."""

    text: str
    ending: Ending
    stats: Stats
