"""The texts that a bundle is tried on: a file of the user's, or what is built in."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import InputError, MissingToolError
from edgekit.text.messages import Message, text_of
from edgekit.text.prompts import PROMPTS

FIELDS = ("prompt", "messages", "expected")
_MAX_CELL = 1 << 24


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
) -> Data:
    """Read a JSONL or CSV file, or a directory that Hugging Face `datasets` saved.

    fields: our name (prompt, messages, expected) → the data's. skip_bad_rows: leave out what cannot be used.
    limit: rows to use at most, the first ones.
    Raises InputError, naming file and line, for the first row that cannot be used, and MissingToolError for a
    directory when `datasets` is not installed.
    """
    names = {**{name: name for name in FIELDS}, **(fields or {})}
    if unknown := sorted(set(names) - set(FIELDS)):
        raise InputError(f"--field sets {', '.join(unknown)}; known are {', '.join(FIELDS)}")
    rows: list[Row] = []
    skipped: list[SkippedRow] = []
    total = 0
    for line, record in _records(path):
        total += 1
        if limit is not None and len(rows) >= limit:
            continue
        found = record if isinstance(record, str) else _row(line, record, names)
        if isinstance(found, Row):
            rows.append(found)
            continue
        if not skip_bad_rows:
            raise InputError(
                f"line {line}: {found}",
                where=path,
                remedy="mend the row, name its field (--field prompt=…), or pass --skip-bad-rows",
            )
        skipped.append(SkippedRow(line, found))
    if not rows:
        raise InputError("there is no row to use", where=path)
    expected = sum(row.expected is not None for row in rows)
    identity = DataIdentity(path.name, _digest(rows), total, len(rows), expected, tuple(skipped))
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


# ---------------------------------------- files


def _records(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """Yield (line, record), or (line, what is wrong with the line)."""
    if path.is_dir():
        return _dataset_records(path)
    if not path.is_file():
        raise InputError(
            "no such file", where=path, remedy="name a JSONL or CSV file, or a datasets directory"
        )
    if path.suffix.lower() in (".csv", ".tsv"):
        return _csv_records(path)
    return _json_records(path)


def _json_records(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    with path.open("rb") as file:
        for line, raw in enumerate(file, 1):
            if not raw.strip():
                continue
            try:
                record = json.loads(raw.decode("utf-8-sig" if line == 1 else "utf-8"))
            except UnicodeDecodeError:
                yield line, "not UTF-8"
            except (ValueError, RecursionError) as error:
                yield line, f"not JSON ({error})"
            else:
                yield line, record if isinstance(record, dict) else "not a JSON object"


def _csv_records(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    csv.field_size_limit(_MAX_CELL)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    with path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
        reader = csv.DictReader(file, delimiter=delimiter)
        try:
            for record in reader:
                if None in record or None in record.values():
                    yield reader.line_num, "not as many cells as the header has"
                elif "�" in "".join(record.values()):
                    yield reader.line_num, "not UTF-8"
                else:
                    yield reader.line_num, _without_empty(record)
        except csv.Error as error:
            yield reader.line_num, f"not CSV ({error})"


def _without_empty(record: Mapping[str, str]) -> dict[str, Any]:
    """A CSV cell can only be empty, not missing; messages are JSON in their cell."""
    return {name: value for name, value in record.items() if value != ""}


def _dataset_records(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    try:
        import datasets
    except ImportError as error:
        raise MissingToolError(
            "a datasets directory needs the datasets package", where=path, remedy="pip install datasets"
        ) from error
    try:
        loaded = datasets.load_from_disk(str(path))
    except (FileNotFoundError, ValueError) as error:
        raise InputError(f"no dataset saved by `datasets` is here ({error})", where=path) from error
    if isinstance(loaded, dict):  # a DatasetDict: one dataset per split
        names = [n for n in ("test", "validation", "eval", "train") if n in loaded] or list(loaded)
        loaded = loaded[names[0]]
    yield from enumerate(loaded, 1)


# ---------------------------------------- rows


def _row(line: int, record: Mapping[str, Any], names: Mapping[str, str]) -> Row | str:
    """Make a row of a record, or say what is wrong with it."""
    prompt, messages = record.get(names["prompt"]), record.get(names["messages"])
    expected = record.get(names["expected"])
    if expected is not None and not isinstance(expected, str):
        expected = json.dumps(expected, ensure_ascii=False)
    if prompt is not None:
        if not isinstance(prompt, str) or not prompt.strip():
            return f'"{names["prompt"]}" is not a text'
        bad = _unusable(prompt) or (expected and _unusable(expected))
        return bad or Row(line, ({"role": "user", "content": prompt},), expected)
    if messages is None:
        return f'neither "{names["prompt"]}" nor "{names["messages"]}" is there'
    if isinstance(messages, str):  # a CSV cell
        try:
            messages = json.loads(messages)
        except ValueError:
            return f'"{names["messages"]}" is not JSON'
    wrong = _wrong_messages(messages)
    if wrong:
        return f'"{names["messages"]}" {wrong}'
    turns = [{"role": m["role"], "content": m["content"]} for m in messages]
    if turns[-1]["role"] in ("assistant", "model"):
        answer = turns.pop()
        expected = expected if expected is not None else text_of(answer)
    if not turns or turns[-1]["role"] != "user":
        return f'"{names["messages"]}" does not ask anything: the last turn must be the user\'s'
    return Row(line, tuple(turns), expected)


def _wrong_messages(messages: object) -> str | None:
    if not isinstance(messages, list) or not messages:
        return "is not a list of messages"
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            return "holds a message without a role"
        content = message.get("content")
        parts = [content] if isinstance(content, str) else content
        if not isinstance(parts, list):
            return "holds a message whose content is no text"
        for part in parts:
            text = part if isinstance(part, str) else part.get("text") if isinstance(part, dict) else None
            if not isinstance(text, str):
                return "holds a part that is no text"
            if bad := _unusable(text):
                return f"holds a text: {bad}"
    return None


def _unusable(text: str) -> str | None:
    if "\0" in text:
        return "a NUL character, at which the engine's C interface ends a text"
    if any("\ud800" <= char <= "\udfff" for char in text):
        return "half of a surrogate pair, which no UTF-8 text can hold"
    return None


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
    bad ones. expected: used rows that carry an expected output.
    """

    source: str
    sha256: str
    rows: int
    used: int
    expected: int
    skipped: tuple[SkippedRow, ...] = ()
