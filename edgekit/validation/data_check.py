"""`edgekit data check`: how a file of rows will be read, before anything is run on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.checkpoint import open_checkpoint
from edgekit.errors import GateError, InputError
from edgekit.figures import number
from edgekit.records.codec import plain
from edgekit.scoring.task import Kind, task_kind
from edgekit.stats import Summary, summarize
from edgekit.text.data import DataIdentity, Row, read_data
from edgekit.text.messages import text_of
from edgekit.text.settle import Text, read_text
from edgekit.text.template.render import render

_FIRST = 3
_FEW_ROWS = 100


@dataclass(frozen=True)
class ReadRow:
    """A row as it will be read. prompt: through the checkpoint's template where there is one."""

    line: int
    prompt: str
    expected: str | None


@dataclass(frozen=True)
class Label:
    """An expected output that occurs in several rows."""

    text: str
    rows: int


@dataclass(frozen=True)
class DataCheck:
    """What a file of rows holds.

    kind: of task; None without expected outputs. unit: of the lengths, "tokens" with a checkpoint and "characters"
    without. repeated: rows whose prompt came before. contradicting: those of them with another expected output.
    in_train: rows whose prompt is in the training file too; None without one.
    """

    data: DataIdentity
    kind: Kind | None
    first: tuple[ReadRow, ...]
    unit: str
    prompts: Summary | None
    answers: Summary | None
    labels: tuple[Label, ...]
    repeated: int
    contradicting: int
    in_train: int | None
    files: tuple[Path, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong with the rows."""
        return not self.problems

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the rows, a sentence each."""
        found = [f"line {row.line}: {row.reason}" for row in self.data.skipped]
        if self.contradicting:
            found.append(f"{self.contradicting:,} rows repeat a prompt and expect another answer")
        if self.in_train:
            found.append(
                f"{self.in_train:,} of {self.data.used:,} prompts are in the training file: they say nothing"
            )
        return tuple(found)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader may want to know before the rows are used."""
        found = []
        if self.data.unread:
            names = ", ".join(self.data.unread)
            found.append(f"not read: {names} (--field expected=COLUMN reads another column)")
        if not self.data.expected:
            found.append("no row has an expected output: nothing will say which answers are right")
        elif self.data.expected < _FEW_ROWS:
            found.append(f"{self.data.expected:,} rows with expected outputs are few to tell a small loss by")
        if self.repeated:
            found.append(f"{self.repeated:,} rows repeat an earlier prompt")
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        values: dict[str, Any] = plain(replace(self, files=()), infinite=True)
        values.pop("files")
        return {**values, "problems": list(self.problems), "remarks": list(self.remarks)}

    def raise_if_failed(self) -> None:
        """Raise GateError when something is wrong with the rows."""
        if self.problems:
            raise GateError("\n".join(self.problems), remedy="mend these rows, or leave them out")


def check_data(
    path: str | Path,
    checkpoint: str | Path | None = None,
    *,
    train: str | Path | None = None,
    fields: Mapping[str, str] | None = None,
) -> DataCheck:
    """Read a file of rows as `validate`, `vocab` and calibration will, and say what is in it.

    checkpoint: whose chat template and tokenizer show prompts and count tokens. train: the file that the model was
    trained on, whose prompts should not be among these. fields: our name → the data's.
    Raises InputError where no row can be used.
    """
    data = read_data(Path(path), fields=fields, skip_bad_rows=True)
    text = None
    if checkpoint is not None:
        opened = open_checkpoint(checkpoint)
        text = read_text(
            opened.text_path,
            generation_directory=opened.generation_path,
            rows=opened.architecture.vocab_size,
        )
    expected = [row.expected for row in data.rows if row.expected is not None]
    kind = task_kind(expected) if expected else None
    repeated, contradicting = _repeated(data.rows)
    in_train = None
    if train is not None:
        known = {_asked(row) for row in read_data(Path(train), skip_bad_rows=True).rows}
        in_train = sum(_asked(row) in known for row in data.rows)
    counts = Counter(text.strip() for text in expected)
    return DataCheck(
        data=data.identity,
        kind=kind,
        first=tuple(ReadRow(r.line, _rendered(r, text), r.expected) for r in data.rows[:_FIRST]),
        unit="characters" if text is None else "tokens",
        prompts=summarize([_length(_rendered(row, text), text) for row in data.rows]),
        answers=summarize([_length(answer, text) for answer in expected]),
        labels=tuple(Label(*item) for item in counts.most_common()) if kind == "labels" else (),
        repeated=repeated,
        contradicting=contradicting,
        in_train=in_train,
    )


def lengths(summary: Summary | None, unit: str) -> str:
    """Write lengths: median 12, at most 40 tokens."""
    if summary is None:
        return "none"
    return f"median {number(summary.median)}, at most {number(summary.maximum)} {unit}"


def _repeated(rows: Sequence[Row]) -> tuple[int, int]:
    seen: dict[tuple[str, ...], str | None] = {}
    repeated = contradicting = 0
    for row in rows:
        asked = _asked(row)
        if asked in seen:
            repeated += 1
            contradicting += seen[asked] != row.expected
        seen.setdefault(asked, row.expected)
    return repeated, contradicting


def _asked(row: Row) -> tuple[str, ...]:
    return tuple(f"{message['role']}: {text_of(message).strip()}" for message in row.messages)


def _rendered(row: Row, text: Text | None) -> str:
    if text is None:
        if len(row.messages) == 1:
            return row.prompt
        return "\n".join(f"{message['role']}: {text_of(message)}" for message in row.messages)
    try:
        return render(
            text.template, row.messages, special_tokens=text.special_tokens, add_generation_prompt=True
        )
    except InputError as error:
        return f"the template refuses it: {error.message}"


def _length(said: str, text: Text | None) -> float:
    return float(len(said) if text is None else len(text.tokenizer.encode(said)))
