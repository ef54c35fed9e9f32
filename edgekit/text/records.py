"""Files that people keep rows in, record by record: JSONL, JSON arrays, CSV, Parquet, `datasets`, compressed too."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from edgekit.errors import InputError, MissingToolError
from edgekit.files.within import FETCH_IT, POINTER, is_pointer
from edgekit.records import documents
from edgekit.text import stored

Record = Mapping[str, Any]
Found = tuple[int, Record | str]
"""A line or place in the file, from 1, and the record, or what is wrong with it."""

SUFFIXES: Final = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
_BATCH: Final = 256
"""Rows of a Parquet file at once: packed, a thousand long texts can be one."""
_SAVED: Final = ("dataset_dict.json", "dataset_info.json", "state.json")
"""Of a directory that `datasets` saved."""
_SPLITS: Final = ("test", "validation", "eval", "train")


def holds_rows(path: Path) -> bool:
    """Whether a path is named as a file of rows, or is a directory of a data set."""
    return path.is_dir() or _suffix(path) in SUFFIXES


def records(path: Path) -> Iterator[Found]:
    """Yield (line, record), or (line, what is wrong with the line).

    Raises InputError for what cannot be read, MissingToolError where a package is needed that is not installed.
    """
    if path.is_dir():
        return _dataset(path) if any((path / name).exists() for name in _SAVED) else _directory(path)
    if not path.is_file():
        raise _not_there(path)
    if is_pointer(path):
        raise InputError(POINTER, where=path, remedy=FETCH_IT)
    suffix = _suffix(path)
    if suffix == ".parquet":
        return _parquet(path)
    return _csv(path, "\t" if suffix == ".tsv" else ",") if suffix in (".csv", ".tsv") else _json(path)


def _not_there(path: Path) -> InputError:
    """What to do about a path where nothing is; owner/name may be meant as a data set of the Hub."""
    words = str(path).split("datasets/")[-1].removeprefix("hf:").strip("/")
    owner, _, name = words.partition("/")
    if owner and name and "/" not in name and not _suffix(path) and not path.is_absolute():
        return InputError(
            "is not on this machine, and data sets are not fetched",
            where=path,
            remedy=f"hf download {words} --repo-type dataset --local-dir {name}, then name the directory {name}",
        )
    return InputError(
        "no such file",
        where=path,
        remedy="name a JSONL, JSON, CSV or Parquet file, or a directory of a data set",
    )


def _suffix(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return next((suffix for suffix in reversed(suffixes) if suffix not in stored.PACKED), "")


def _json(path: Path) -> Iterator[Found]:
    with stored.opened(path) as file:
        begin = file.read(64).decode("utf-8-sig", errors="replace").lstrip()
    if begin.startswith("["):
        yield from _json_array(path)
        return
    left = stored.MAX_VALUES
    with stored.opened(path) as file:
        for line, raw in enumerate(stored.lines(file, path), 1):
            if not raw.strip():
                continue
            left -= raw.count(b",") + 1
            if left < 0:
                raise InputError(f"holds more than {stored.MAX_VALUES:,} values", where=path)
            try:
                record = documents.loads(raw.decode("utf-8-sig" if line == 1 else "utf-8"))
            except UnicodeDecodeError:
                yield line, "not UTF-8"
            except ValueError as error:
                yield line, f"not JSON ({error})"
            else:
                yield line, record if isinstance(record, dict) else "not a JSON object"


def _json_array(path: Path) -> Iterator[Found]:
    """Yield the objects of an array by their place; a first line that is a bracket alone may also begin bad JSONL."""
    with stored.opened(path) as file:
        content = bytearray()
        while block := file.read(1 << 20):
            content += block
            if len(content) > stored.MAX_ARRAY_BYTES:
                raise InputError(
                    f"is an array of more than {stored.MAX_ARRAY_BYTES >> 20} MiB",
                    where=path,
                    remedy="write one object a line (JSONL), which is read line by line",
                )
    try:
        found = documents.loads(content.decode("utf-8-sig"), max_values=stored.MAX_ARRAY_VALUES)
    except ValueError as error:
        yield 1, f"not JSON ({error})"
        return
    for place, record in enumerate(found, 1):
        yield place, record if isinstance(record, dict) else "not a JSON object"


def _csv(path: Path, delimiter: str) -> Iterator[Found]:
    csv.field_size_limit(stored.MAX_LINE)
    with (
        stored.opened(path) as raw,
        io.TextIOWrapper(raw, encoding="utf-8-sig", newline="", errors="replace") as file,
    ):
        reader = csv.DictReader(stored.lines(file, path), delimiter=delimiter)
        try:
            for record in reader:
                if None in record or None in record.values():
                    yield reader.line_num, "not as many cells as the header has"
                elif "�" in "".join(record.values()):
                    yield reader.line_num, "not UTF-8"
                else:
                    # A cell can only be empty, not missing.
                    yield reader.line_num, {name: value for name, value in record.items() if value != ""}
        except csv.Error as error:
            yield reader.line_num, f"not CSV ({error})"


def _parquet(path: Path) -> Iterator[Found]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingToolError(
            "a Parquet file needs the pyarrow package", where=path, remedy='pip install "edgekit[data]"'
        ) from error
    most = stored.most_unpacked(path.stat().st_size)
    place, left = 0, most
    try:
        file = pyarrow.parquet.ParquetFile(path, thrift_string_size_limit=1 << 24)
        if file.metadata.num_rows > stored.MAX_LINES:
            raise InputError(f"has more than {stored.MAX_LINES:,} rows", where=path)
        for batch in file.iter_batches(batch_size=_BATCH):
            left -= batch.nbytes
            if left < 0:
                raise InputError(f"holds more than {most >> 20} MiB", where=path)
            for record in batch.to_pylist():
                place += 1
                yield place, record
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError, OverflowError) as error:
        raise InputError(f"is no sound Parquet file ({error})", where=path) from error


def _directory(path: Path) -> Iterator[Found]:
    """Read a data set as the Hub keeps it: files of rows, named after their splits, as data/test-00000-of-00001."""
    files = sorted(file for file in path.rglob("*") if file.is_file() and _suffix(file) in SUFFIXES)
    files = [f for f in files if not any(part.startswith(".") for part in f.relative_to(path).parts)]
    split = next((s for s in _SPLITS if any(s in file.stem for file in files)), None)
    chosen = files if split is None else [file for file in files if split in file.stem]
    if not chosen or (split is None and len(chosen) > 1):
        names = ", ".join(file.name for file in files[:4]) or "none"
        raise InputError(
            f"no data set saved by `datasets`, and no file of rows for a split is here (files of rows: {names})",
            where=path,
            remedy="name one file",
        )
    read = (record for file in chosen for _, record in records(file))
    yield from enumerate(read, 1)


def _dataset(path: Path) -> Iterator[Found]:
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
        names = [n for n in _SPLITS if n in loaded] or list(loaded)
        loaded = loaded[names[0]]
    yield from enumerate(loaded, 1)
