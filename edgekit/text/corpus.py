"""The texts of a task, as the model reads them: conversations through the chat template, and plain text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import InputError, TemplateError
from edgekit.text.data import Row, read_data
from edgekit.text.messages import Message
from edgekit.text.records import holds_rows
from edgekit.text.settle import Text
from edgekit.text.template.render import render

_MAX_TEXT_BYTES = 1 << 30


@dataclass(frozen=True)
class Sample:
    """A text of a corpus, and the forms in which the engine meets it.

    text: the whole conversation as it was trained on, answer and end of turn included; or a line of plain text.
    parts: what the engine cuts by itself: the prompt that it feeds, and the answer alone.
    where: the file and line, for errors. messages: the conversation up to the answer; none for plain text.
    """

    text: str
    parts: tuple[str, ...]
    where: str
    messages: tuple[Message, ...] = ()


def read_corpora(
    paths: Sequence[Path], text: Text, *, fields: Mapping[str, str] | None = None, naming: str = "--field"
) -> tuple[Sample, ...]:
    """Read the files of a task.

    paths: files of rows and directories of `datasets`, as `edgekit validate` reads them; any other file is plain text,
    of which each line counts. text: of the checkpoint, for its chat template. fields: our name → the data's.
    naming: the flag that names columns, for errors.
    Raises InputError, naming file and line, for a row that cannot be used, and for files that hold nothing.
    """
    samples = [sample for path in paths for sample in _samples(path, text, fields, naming)]
    if not samples:
        raise InputError("there is no text in it", where=", ".join(map(str, paths)))
    return tuple(samples)


def _samples(path: Path, text: Text, fields: Mapping[str, str] | None, naming: str) -> Iterator[Sample]:
    if holds_rows(path) or not path.exists():
        remedy = f"mend the row, leave it out, or name its column ({naming} prompt=…)"
        for row in read_data(path, fields=fields, remedy=remedy).rows:
            yield _conversation(row, text, f"{path}, line {row.line}")
        return
    for number, line in enumerate(_lines(path), 1):
        if line.strip():
            yield Sample(line, (), f"{path}, line {number}")


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _MAX_TEXT_BYTES:
            raise InputError(
                f"is larger than {_MAX_TEXT_BYTES >> 20} MiB", where=path, remedy="a sample of it will do"
            )
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 text (byte {error.start})", where=path) from error
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=path) from error
    return content.split("\n")


def _conversation(row: Row, text: Text, where: str) -> Sample:
    prompt = _rendered(row.messages, text, where, ask=True)
    if row.expected is None:
        return Sample(prompt, (), where, row.messages)
    answered: list[Message] = [*row.messages, {"role": "assistant", "content": row.expected}]
    return Sample(_rendered(answered, text, where, ask=False), (prompt, row.expected), where, row.messages)


def _rendered(messages: Sequence[Message], text: Text, where: str, *, ask: bool) -> str:
    try:
        return render(text.template, messages, special_tokens=text.special_tokens, add_generation_prompt=ask)
    except TemplateError as error:
        raise InputError(f"{error.message}", where=where, remedy="mend the row, or leave it out") from error
