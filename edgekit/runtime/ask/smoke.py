"""Try what was just made in the real engine: open it, and let it generate a few tokens."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.bundle.container import SectionKind, read_container, section_bytes
from edgekit.calling.calls import parse
from edgekit.calling.fit import misfits
from edgekit.calling.grammar import enumerated, regex
from edgekit.calling.tools import Calling
from edgekit.errors import BundleError, InputError
from edgekit.progress import SILENT, Progress
from edgekit.runtime.ask.child import EngineError, start_child
from edgekit.runtime.ask.protocol import Decoding, Reply, Turn
from edgekit.runtime.ask.session import Session, ask
from edgekit.text.answers import AnswerFormat
from edgekit.text.generation import GREEDY
from edgekit.text.messages import Message

SMOKE_TOKENS = 8
ANSWER_TOKENS = 24
CALL_TOKENS = 256
_MOST_TOKENIZER = 64 << 20
HELLO: tuple[Message, ...] = ({"role": "user", "content": "Hello"},)

_FEW = Decoding(max_tokens=SMOKE_TOKENS)

_OTHER_MEANS = {
    "json_schema": "say it without that; enum, const, pattern, anyOf, minLength and the like are supported",
    "regex": "say it with alternatives, classes, groups and counts",
}


@dataclass(frozen=True)
class SmokeResult:
    """What opening a bundle in the engine and generating a few tokens gave."""

    open_seconds: float
    tokens: int
    """Tokens generated."""
    text: str
    decode_tokens_per_second: float
    answers: tuple[str, ...] = ()
    """To the prompts of the caller's, as the most likely tokens; freely, whatever the answer format."""


def smoke(
    model: Path,
    *,
    answer: AnswerFormat | None = None,
    answer_schema: str | Path | None = None,
    sidecar: Path | None = None,
    chat_template: str | None = None,
    calling: Calling | None = None,
    suppressed: tuple[int, ...] | None = None,
    prompts: Sequence[Sequence[Message]] = (),
    tokens: int = SMOKE_TOKENS,
    timeout: float = 120.0,
    progress: Progress = SILENT,
) -> SmokeResult:
    """Open a bundle in the engine and let it generate, under an answer format when there is one.

    answer_schema: the file of the answer format, named when the engine cannot take it. sidecar, chat_template: of an
    adapter. calling: the tools, one of which is called. suppressed: as in `ask`. prompts: conversations that are
    answered as well. timeout: seconds.
    Raises BundleError with the engine's reason when the bundle does not open, generates nothing, crashes the engine or
    takes longer than `timeout`; InputError when the engine cannot take the format.
    """
    decoding = Decoding(max_tokens=tokens, answers=answer, sidecar=sidecar, chat_template=chat_template)
    with (
        progress.step("check in the engine"),
        start_child(model) as child,
        child.within(timeout),
        ask(model, child=child, suppressed=suppressed) as session,
    ):
        if calling is not None:
            _verify_calls(session, calling)
        if answer is None:
            reply = session.say(Turn(greeting(calling), decoding))
        else:
            reply = verify_answers(session, answer, decoding, where=answer_schema)
        freely = replace(decoding, answers=None, sampler=GREEDY, max_tokens=ANSWER_TOKENS)
        answers = tuple(session.say(Turn(tuple(prompt), freely)).text for prompt in prompts)
    if reply.stats.generated_tokens == 0:
        raise BundleError("the engine opened the file but generated nothing", where=model)
    return SmokeResult(
        open_seconds=session.opened.seconds,
        tokens=reply.stats.generated_tokens,
        text=reply.text,
        decode_tokens_per_second=reply.stats.decode_tokens_per_second,
        answers=answers,
    )


def greeting(calling: Calling | None) -> tuple[Message, ...]:
    """The first thing to say, behind the tools where there are some."""
    first = None if calling is None else calling.first()
    return (*(() if first is None else (first,)), *HELLO)


def _verify_calls(session: Session, calling: Calling) -> None:
    """Make the engine call; raises BundleError when what comes out is no call that the tools allow.

    Texts are kept short: a model that knows nothing of these tools would fill them to the end.
    """
    _refuse_bytes(session, enumerated(calling.tools), "--tools", "use other words in the enum")
    short = regex(calling.tools, calling.dialect, "required", longest=8)
    held = Decoding(sampler=GREEDY, max_tokens=CALL_TOKENS, answers=AnswerFormat("regex", short))
    reply = session.say(Turn(greeting(calling), held))
    answer = parse(reply.text, calling.dialect)
    wrong = [problem for call in answer.calls for problem in misfits(call, calling.tools)]
    if reply.ending == "length" and answer.calls:
        return  # it goes on calling
    if answer.problem or wrong or not answer.calls:
        reason = answer.problem or ", ".join(wrong) or f"it said {reply.text[:80]!r}"
        raise BundleError(f"the engine made no call that the tools allow ({reason})", where=session.model)


def verify_answers(
    session: Session,
    answers: AnswerFormat,
    decoding: Decoding = _FEW,
    *,
    where: str | Path | None = None,
) -> Reply:
    """Make the engine answer in a format, and refuse one that it cannot take.

    where: the format's file, for errors. Raises InputError with the engine's reason: an unsupported keyword, a regular
    expression that it does not know, a text that it cannot spell because the tokenizer has only bytes for a character
    of it.
    """
    named = where or ("--answer-regex" if answers.kind == "regex" else "--answer-schema")
    if any(" " in text for text in answers.literals()) and not _spells_spaces(session.model):
        raise InputError(
            "an answer with spaces in it is spelled out, but this bundle's tokenizer does not spell spaces as the "
            "engine's constrained decoding needs them",
            where=named,
            remedy="use answers without spaces, such as turn_on",
        )
    _refuse_bytes(session, answers.literals(), named, "use other words in the answer")
    try:
        return session.say(Turn(HELLO, replace(decoding, answers=answers)))
    except EngineError as error:
        if error.crashed:
            raise
        reason = error.reason.split("Failed to create LLGuidance constraint:")[-1].strip()
        raise InputError(
            f"the engine cannot take this answer format: {reason}",
            where=named,
            remedy=_OTHER_MEANS[answers.kind],
        ) from error


def _refuse_bytes(session: Session, texts: Sequence[str], where: str | Path, remedy: str) -> None:
    for text in texts:
        spelled = set(session.ids(text))
        for char in dict.fromkeys(text):
            if not char.isascii() and len(ids := session.ids(char)) > 1 and spelled & set(ids):
                raise InputError(
                    f"the tokenizer has no token for {char!r}, only its bytes, which the engine cannot constrain",
                    where=where,
                    remedy=remedy,
                )


def _spells_spaces(path: Path) -> bool:
    """Whether the pieces of a bundle's tokenizer hold real spaces, which constrained decoding takes them by."""
    container = read_container(path)
    for section in container.sections:
        if section.kind == SectionKind.SP_TOKENIZER:
            from sentencepiece import sentencepiece_model_pb2

            model = sentencepiece_model_pb2.ModelProto.FromString(bytes(section_bytes(container, section)))
            return not model.normalizer_spec.escape_whitespaces
        if section.kind == SectionKind.HF_TOKENIZER:
            # Spelled with ▁, but where it was respelled for a model that calls.
            document = zlib.decompressobj().decompress(section_bytes(container, section)[8:], _MOST_TOKENIZER)
            return b'"normalizer":null' in document
    return False
