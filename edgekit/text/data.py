"""The texts that a bundle is tried on: a file of the user's, or what is built in."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.calling.tools import Calling
from edgekit.errors import InputError
from edgekit.text.call_turns import is_for_training
from edgekit.text.messages import Message, text_of
from edgekit.text.prompts import PROMPTS
from edgekit.text.records import records
from edgekit.text.shapes import FIELDS, shape


@dataclass(frozen=True)
class Row:
    """One conversation, and the answer it should get.

    line: in the file, from 1. messages: the last is the user's; before it may stand others.
    """

    line: int
    messages: tuple[Message, ...]
    expected: str | None = None

    @property
    def prompt(self) -> str:
        """The user's last message, for tables."""
        return text_of(self.messages[-1])


@dataclass(frozen=True)
class Data:
    """Rows to use, and what they are."""

    rows: tuple[Row, ...]
    identity: DataIdentity

    @property
    def texts(self) -> list[str]:
        """Every text in the rows: what each message says, and what is expected."""
        said = [text_of(message) for row in self.rows for message in row.messages]
        return list(dict.fromkeys([*said, *(row.expected for row in self.rows if row.expected)]))


def read_data(
    path: Path,
    *,
    fields: Mapping[str, str] | None = None,
    skip_bad_rows: bool = False,
    limit: int | None = None,
    remedy: str = "mend the row, name its field (--field prompt=…), or pass --skip-bad-rows",
    refusal: Callable[[Sequence[Message]], str | None] = lambda messages: None,
    calling: Calling | None = None,
) -> Data:
    """Read a file of rows (`edgekit.text.records`), in any shape that `edgekit.text.shapes` knows.

    fields: our name (prompt, messages, expected) → the data's. skip_bad_rows: leave out what cannot be used.
    limit: rows to use at most, the first ones. remedy: what the caller offers for a row that cannot be used.
    refusal: why else a conversation cannot be used. calling: how the bundle calls, where it does; what is expected is
    written so, too. Rows that say that they are for training are left out.
    Raises InputError, naming file and line, for the first row that cannot be used, and MissingToolError where a
    package is needed that is not installed.
    """
    names = dict(fields or {})
    if unknown := sorted(set(names) - set(FIELDS)):
        raise InputError(f"--field sets {', '.join(unknown)}; known are {', '.join(FIELDS)}")
    rows: list[Row] = []
    skipped: list[SkippedRow] = []
    there: Counter[str] = Counter()
    read: Counter[str] = Counter()
    total = trained = 0
    for line, record in records(path):
        if not isinstance(record, str) and is_for_training(record):
            trained += 1
            continue
        total += 1
        if limit is not None and len(rows) >= limit:
            continue
        found = record if isinstance(record, str) else shape(record, names, calling)
        offered = remedy
        if not isinstance(found, str) and (why := refusal(found.messages)) is not None:
            leads = found.messages[0]["role"] == "system"
            what = "take the system message out" if leads else "mend the row"
            found, offered = why, f"{what}, or pass --skip-bad-rows"
        if not isinstance(found, str):
            assert not isinstance(record, str)
            rows.append(Row(line, found.messages, found.expected))
            there.update(name for name, value in record.items() if value is not None)
            read.update(name for name in record if name in found.columns)
            continue
        if not skip_bad_rows:
            raise InputError(f"line {line}: {found}", where=path, remedy=offered)
        skipped.append(SkippedRow(line, found))
    if not rows:
        first = f" (line {skipped[0].line}: {skipped[0].reason})" if skipped else ""
        if trained and not skipped:
            first = ": all of them say that they are for training"
        raise InputError(f"there is no row to use{first}", where=path)
    expected = sum(row.expected is not None for row in rows)
    unread = tuple(name for name in there if name not in read)
    identity = DataIdentity(
        path.name, _digest(rows), total, len(rows), expected, tuple(skipped), tuple(read), unread
    )
    return Data(tuple(rows), identity)


def built_in(limit: int | None = None) -> Data:
    """The prompts that serve when there is no data."""
    rows = tuple(
        Row(line, ({"role": "user", "content": prompt},)) for line, prompt in enumerate(PROMPTS[:limit], 1)
    )
    return Data(rows, DataIdentity("built-in prompts", _digest(rows), len(PROMPTS), len(rows), 0))


def parse_fields(texts: Sequence[str]) -> dict[str, str]:
    """Read the `--field prompt=text` options."""
    fields = {}
    for text in texts:
        name, _, column = text.partition("=")
        if not column:
            raise InputError(f"{text!r} is not NAME=COLUMN", where="--field", remedy="as in prompt=text")
        fields[name.strip()] = column.strip()
    return fields


def _digest(rows: Sequence[Row]) -> str:
    content = json.dumps([[list(row.messages), row.expected] for row in rows], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class SkippedRow:
    """A row of the data that could not be used, by its line (the first is 1)."""

    line: int
    reason: str


@dataclass(frozen=True)
class DataIdentity:
    """The texts that were used.

    source: the file's name, or "built-in prompts". rows: rows in it. used: rows after --limit and without the
    bad ones. expected: used rows that carry an expected output. columns: what was read. unread: columns that were not.
    """

    source: str
    sha256: str
    rows: int
    used: int
    expected: int
    skipped: tuple[SkippedRow, ...] = ()
    columns: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
