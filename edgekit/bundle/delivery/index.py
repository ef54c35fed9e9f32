"""The index of a delivery, `edgekit-delivery.txt`: what the newest version is made of, signed.

The form of `edgekit.sig`: three lines of signature, and below them what was signed:

    # edgekit delivery 1
    {"channel": …, "version": …, "bundle": {"model": …, "files": […]}, "adapters": [{"folder": …, "files": […]}]}

Every file lies at `files/SHA-256` beside the index, so a file never changes, and an index names no place on the host.
The index is verified before it is read. `android-sample/edgekit-delivery` reads the same; both are held to one
set of examples (`tests/bundle/delivery/test_index.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from edgekit.bundle.directory import ADAPTER_MANIFEST_NAME, MANIFEST_NAME, TASKS_NAME, is_plain_name
from edgekit.bundle.signature import Key, SignatureFaultError, SigningKey, sealed, unsealed
from edgekit.errors import BundleError
from edgekit.quoting import json_text
from edgekit.records.codec import decode, is_digest, plain
from edgekit.records.documents import parse_json_object

INDEX_NAME: Final = "edgekit-delivery.txt"
FILES_NAME: Final = "files"
ADAPTERS_NAME: Final = "adapters"
MOST_INDEX_BYTES: Final = 1 << 20
MOST_VERSION: Final = (1 << 53) - 1
"""Of a version and a size: what every reader of JSON holds exactly."""

_FIRST: Final = b"# edgekit delivery 1\n"
_AGAIN: Final = "publish it again: edgekit package BUNDLE --to delivery"


@dataclass(frozen=True)
class DeliveredFile:
    """name: in the bundle's directory. size: bytes. sha256: hexadecimal; where it lies below `files/`."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class DeliveredBundle:
    """The base, without its adapters. model: SHA-256 of its model, which is one of the files."""

    model: str
    files: tuple[DeliveredFile, ...]


@dataclass(frozen=True)
class DeliveredAdapter:
    """An adapter, by the folder below `adapters/` that its task names."""

    folder: str
    files: tuple[DeliveredFile, ...]


@dataclass(frozen=True)
class Index:
    """channel: what is delivered; one app follows one, whatever else the same key signs. version: it only grows."""

    channel: str
    version: int
    bundle: DeliveredBundle
    adapters: tuple[DeliveredAdapter, ...] = ()

    @property
    def places(self) -> Iterator[tuple[str, DeliveredFile]]:
        """Each file with its path in the bundle's directory."""
        yield from ((file.name, file) for file in self.bundle.files)
        for adapter in self.adapters:
            yield from ((f"{ADAPTERS_NAME}/{adapter.folder}/{file.name}", file) for file in adapter.files)


@dataclass(frozen=True)
class ReadIndex:
    """What an index says, and the id of the key that it names."""

    index: Index
    key: str


def index_bytes(index: Index, key: SigningKey) -> bytes:
    """Sign an index; the same index and key give the same bytes."""
    return sealed(_FIRST + json_text(plain(index)).encode(), key)


def read_index(content: bytes, key: Key | None, where: str) -> ReadIndex:
    """Verify an index and read it. key: None to read what it says without asking who said it.

    Raises SignatureFaultError for one that is not signed by the key, BundleError for one that cannot be read.
    """
    named, text = unsealed(content, key)
    if not text.startswith(_FIRST):
        raise SignatureFaultError("what it signs is no delivery")
    values = parse_json_object(
        text.removeprefix(_FIRST), where=where, remedy=_AGAIN, error=BundleError, strict=True
    )
    index = decode(Index, values, where=where, remedy=_AGAIN, error=BundleError)
    if (wrong := _wrong(index)) is not None:
        raise BundleError(wrong, where=where, remedy=_AGAIN)
    return ReadIndex(index, named)


def _wrong(index: Index) -> str | None:
    """What no delivery says; the first such thing."""
    if not is_plain_name(index.channel):
        return "channel is no plain name"
    if not 1 <= index.version <= MOST_VERSION:
        return "version is no positive number"
    named: dict[str, str] = {}
    groups = [
        ("bundle", index.bundle.files),
        *((f"adapters {each.folder}", each.files) for each in index.adapters),
    ]
    if len({each.folder.lower() for each in index.adapters}) != len(index.adapters):
        return "an adapter is listed twice"
    for group, files in groups:
        for file in files:
            if (
                not is_plain_name(file.name)
                or file.name == ADAPTERS_NAME
                or file.name.endswith((".part", ".checked"))
            ):
                return f"{group}: {file.name!r} is no name of a file in a bundle"
            if not is_digest(file.sha256) or not 0 <= file.size <= MOST_VERSION:
                return f"{group}: {file.name} has no size or no SHA-256"
            if named.setdefault(file.sha256, str(file.size)) != str(file.size):
                return f"{group}: {file.name} has two sizes"
        if len({file.name.lower() for file in files}) != len(files):
            return f"{group}: a file is listed twice"
    if not all(is_plain_name(each.folder) for each in index.adapters):
        return "the folder of an adapter is no plain name"
    names = {file.name for file in index.bundle.files}
    if not {MANIFEST_NAME, TASKS_NAME} <= names:
        return f"bundle: {MANIFEST_NAME} and {TASKS_NAME} must be listed"
    if index.bundle.model not in {file.sha256 for file in index.bundle.files}:
        return "bundle: the model is not listed"
    if not all(ADAPTER_MANIFEST_NAME in {file.name for file in each.files} for each in index.adapters):
        return f"adapters: {ADAPTER_MANIFEST_NAME} must be listed"
    return None
