"""What both sides are asked: texts to tokenize, conversations to render, prompts to answer."""

from __future__ import annotations

from edgekit.bundle.adapter.opening import Adapter
from edgekit.bundle.summary import Summary
from edgekit.calling.tools import Calling
from edgekit.runtime.ask.questions import Prompt, Questions
from edgekit.text.answers import AnswerFormat
from edgekit.text.data import Data
from edgekit.text.messages import Message, text_of
from edgekit.text.prompts import AWKWARD

SECOND = "And now?"


def questions_for(bundle: Summary, adapter: Adapter | None, data: Data, max_tokens: int) -> Questions:
    """Put the questions for a bundle together, as its task asks them: with an adapter's system prompt."""
    system = None if adapter is None else adapter.manifest.system_prompt
    calling = calling_of(bundle, adapter)
    return Questions(
        texts=tuple(dict.fromkeys([*data.texts, *([] if system is None else [system]), *AWKWARD])),
        conversations=tuple(messages for _, messages in conversations(data, system)),
        prompts=tuple(_begun(row.messages, system, calling) for row in data.rows),
        max_tokens=max_tokens,
        answers=_answer_format(bundle, adapter),
        # Behind a call comes its result, not another message.
        second=None
        if bundle.manifest is None or bundle.manifest.turns == "one" or calling is not None
        else SECOND,
    )


def _answer_format(bundle: Summary, adapter: Adapter | None) -> AnswerFormat | None:
    """What answers are held to; an adapter's task has a format of its own, or none."""
    if adapter is not None:
        return adapter.answer
    if (calling := calling_of(bundle, adapter)) is not None and calling.format is not None:
        return AnswerFormat("regex", calling.format)
    answer = None if bundle.manifest is None else bundle.manifest.answer
    return None if answer is None else AnswerFormat.from_manifest(answer)


def calling_of(bundle: Summary, adapter: Adapter | None) -> Calling | None:
    """How a bundle calls; None where it does not, or an adapter with a task of its own lies over it."""
    return None if bundle.manifest is None or adapter is not None else bundle.manifest.calling


def _begun(messages: Prompt, system: str | None, calling: Calling | None) -> Prompt:
    """A conversation with what stands before it: the adapter's system prompt, or the tools behind the row's own."""
    led = messages[0]["role"] in ("system", "developer")
    if calling is not None:
        first = calling.first(text_of(messages[0]) if led else None)
        return (*(() if first is None else (first,)), *(messages[1:] if led else messages))
    if system is None or led:
        return messages
    return ({"role": "system", "content": system}, *messages)


def conversations(data: Data, system: str | None = None) -> list[tuple[str, tuple[Message, ...]]]:
    """The conversations to render, by name; the last message is always the user's.

    system: the system prompt of an adapter.
    """

    def said(role: str, text: str) -> Message:
        return {"role": role, "content": text}

    def parts(role: str, text: str) -> Message:
        return {"role": role, "content": [{"type": "text", "text": text}]}

    prompt = data.rows[0].prompt
    short = "Answer in one short sentence."
    cases: list[tuple[str, tuple[Message, ...]]] = [
        ("one turn", (said("user", prompt),)),
        ("one turn, list of parts", (parts("user", prompt),)),
        ("spaces around the text", (said("user", f"  {prompt}\n"),)),
        ("several lines, quotes and braces", (said("user", 'a\n\n"b" {{ c }} {% d %}\t<e> &'),)),
        ("system message", (said("system", short), said("user", prompt))),
        ("system message, lists of parts", (parts("system", short), parts("user", prompt))),
        ("three turns", (said("user", prompt), said("assistant", "Done."), said("user", "And now?"))),
        (
            "system message and five turns",
            (
                said("system", short),
                *(said("user", prompt), said("assistant", "Yes.")),
                *(said("user", "Why?"), said("assistant", "Because.\nIt is.")),
                said("user", "Thanks"),
            ),
        ),
    ]
    if system is not None:
        cases.append(("the adapter's system prompt", (said("system", system), said("user", prompt))))
    longer = [(f"row {row.line}", row.messages) for row in data.rows if len(row.messages) > 1]
    return cases + longer[:5]
