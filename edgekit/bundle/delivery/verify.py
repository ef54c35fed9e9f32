"""Checking a delivery as an app would: the index by the public key, then each file by length and SHA-256.

And what an app finds out only when all is fetched: whether the manifests name the files that are listed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgekit import results
from edgekit.bundle.delivery.index import (
    ADAPTERS_NAME,
    FILES_NAME,
    INDEX_NAME,
    MOST_INDEX_BYTES,
    DeliveredFile,
    Index,
    ReadIndex,
    read_index,
)
from edgekit.bundle.delivery.place import FaultError, Host, Place, find_place
from edgekit.bundle.directory import (
    ADAPTER_MANIFEST_NAME,
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    SIGNATURE_NAME,
)
from edgekit.bundle.signature import (
    SOMETHING_ELSE,
    Key,
    SignatureFaultError,
    read_key,
    read_signature,
)
from edgekit.errors import BundleError
from edgekit.progress import SILENT, Advance, Progress
from edgekit.records.documents import Json, parse_json_object

_PIECE: Final = 1 << 20


@dataclass(frozen=True)
class DeliveryVerification:
    """Whether a delivery is what it says.

    place: the folder, or the address. channel, version: None when the index cannot be trusted. checked: the files that
    were read, by their paths in the bundle. signed_by: id of the key that the index names. signature: whether it was
    verified; False where no key was given. problems: one sentence for each thing that is wrong. remedy: what to do.
    """

    place: str
    channel: str | None
    version: int | None
    checked: tuple[str, ...]
    signed_by: str | None
    signature: bool
    problems: tuple[str, ...]
    remedy: str | None = None
    files: tuple[Path, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether there are no problems."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {
            "passed": self.passed,
            "delivery": self.place,
            "channel": self.channel,
            "version": self.version,
            "checked": list(self.checked),
            "signed_by": self.signed_by,
            "signature_verified": self.signature,
            "problems": list(self.problems),
        }

    def raise_if_failed(self) -> None:
        """Raise GateError when the delivery does not verify."""
        results.raise_if_failed(self, where=self.place, remedy=self.remedy)


_PUBLISH: Final = "publish it again: edgekit package BUNDLE --to delivery"


def verify_delivery(
    place: str | Path, key: Key | str | Path | None = None, progress: Progress = SILENT
) -> DeliveryVerification:
    """Check a delivery: a folder, or an address of a host, from which everything is fetched.

    key: public, or its file in PEM; without one lengths and digests are checked, and not who signed.
    Raises InputError when there is no such folder, or no such key.
    """
    asked = key if key is None or isinstance(key, Key) else read_key(Path(key))
    where = find_place(str(place))
    try:
        read = _index(where, asked)
    except (FaultError, SignatureFaultError, BundleError) as fault:
        said = fault.message if isinstance(fault, BundleError) else str(fault)
        told = (f"{INDEX_NAME}: {said}",)
        return DeliveryVerification(
            str(place), None, None, (), None, False, told, _remedy(where, [fault.remedy])
        )
    index = read.index
    digests = {file.sha256: file for _, file in index.places}
    problems: dict[str, FaultError] = {}
    kept: dict[str, bytes] = {}
    with progress.step("check the files", sum(file.size for file in digests.values()), "bytes") as advance:
        for digest, file in digests.items():
            try:
                kept[digest] = _checked(where, file, advance)
            except FaultError as fault:
                problems[digest] = fault
    found = [
        f"{path} ({FILES_NAME}/{file.sha256[:12]}…): {problems[file.sha256]}"
        for path, file in index.places
        if file.sha256 in problems
    ]
    inside = _inside(index, kept, asked)
    remedies = [*(fault.remedy for fault in problems.values()), *(None for _ in inside)]
    return DeliveryVerification(
        place=str(place),
        channel=index.channel,
        version=index.version,
        checked=tuple(path for path, _ in index.places),
        signed_by=read.key,
        signature=asked is not None,
        problems=(*found, *inside),
        remedy=_remedy(where, remedies) if remedies else None,
    )


def _remedy(where: Place, remedies: Iterable[str | None]) -> str:
    """What to do about all that was found. None: publish anew, and upload where it lies on a host."""
    anew = f"{_PUBLISH}, and upload all of it" if isinstance(where, Host) else _PUBLISH
    return "; ".join(dict.fromkeys(each or anew for each in remedies))


def _index(where: Place, key: Key | None) -> ReadIndex:
    with where.opened(INDEX_NAME) as body:
        content = b""
        while len(content) <= MOST_INDEX_BYTES and (piece := body.read(_PIECE)):
            content += piece
    if len(content) > MOST_INDEX_BYTES:
        raise SignatureFaultError("far too large for an index", SOMETHING_ELSE)
    return read_index(content, key, INDEX_NAME)


def _checked(where: Place, file: DeliveredFile, advance: Advance) -> bytes:
    """Read a file to its end, and return its first bytes: all of a small one. Raises FaultError."""
    digest, size, first = hashlib.sha256(), 0, b""
    with where.opened(f"{FILES_NAME}/{file.sha256}") as body:
        while piece := body.read(_PIECE):
            digest.update(piece)
            size += len(piece)
            if size > file.size:
                raise FaultError(f"is longer than the {file.size:,} bytes that the index says")
            if len(first) < MAX_MANIFEST_BYTES:
                first += piece
            advance(len(piece))
    if size != file.size:
        raise FaultError(f"has {size:,} bytes, the index says {file.size:,}")
    if digest.hexdigest() != file.sha256:
        raise FaultError(f"its SHA-256 is {digest.hexdigest()[:12]}…, the index says {file.sha256[:12]}…")
    return first


def _inside(index: Index, kept: Mapping[str, bytes], key: Key | None) -> list[str]:
    """What is wrong between manifests, signatures and the lists. kept: first bytes of the sound files, by digest."""
    problems = []
    groups = [("", MANIFEST_NAME, "model", index.bundle.files)]
    groups += [
        (f"{ADAPTERS_NAME}/{each.folder}/", ADAPTER_MANIFEST_NAME, "sidecar", each.files)
        for each in index.adapters
    ]
    for folder, manifest, key_name, files in groups:
        listed = {file.name: file.sha256 for file in files}
        if listed[manifest] in kept:
            values = _json(kept[listed[manifest]])
            named = _at(values, key_name, "file"), _at(values, key_name, "sha256")
            if named not in listed.items():
                problems.append(f"{folder}{manifest}: the {key_name} that it names is not listed")
            base = _at(values, key_name, "sha256") if not folder else _at(values, "base", "model_sha256")
            if base != index.bundle.model:
                problems.append(f"{folder}{manifest}: it is not of the model that is delivered")
        if SIGNATURE_NAME not in listed:
            problems.append(f"{folder}{SIGNATURE_NAME}: the bundle is not signed")
        elif listed[SIGNATURE_NAME] in kept:
            problems += _signature(folder, kept[listed[SIGNATURE_NAME]], listed, key)
    return problems


def _signature(folder: str, content: bytes, listed: Mapping[str, str], key: Key | None) -> list[str]:
    try:
        signed = read_signature(content, key).files
    except SignatureFaultError as fault:
        return [f"{folder}{SIGNATURE_NAME}: {fault}"]
    return [
        f"{folder}{name}: is not what was signed"
        for name, digest in listed.items()
        if name != SIGNATURE_NAME and signed.get(name) != digest
    ]


def _json(content: bytes) -> Json:
    try:
        return parse_json_object(content, where=MANIFEST_NAME, error=BundleError)
    except BundleError:
        return {}


def _at(values: Json, *keys: str) -> Json:
    for key in keys:
        values = values.get(key) if isinstance(values, dict) else None
    return values
