"""`--to delivery`: a folder for a static host, from which apps fetch the bundle after they are installed.

Run again on the same folder, it publishes the next version. Files are named by their SHA-256 and written first, the
signed index is replaced last, by a rename; older versions' files stay until `--prune`, for clients in the middle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

from edgekit.bundle.delivery.index import (
    FILES_NAME,
    INDEX_NAME,
    MOST_INDEX_BYTES,
    MOST_VERSION,
    DeliveredAdapter,
    DeliveredBundle,
    DeliveredFile,
    Index,
    index_bytes,
    read_index,
)
from edgekit.bundle.directory import is_plain_name
from edgekit.bundle.signature import Key, SignatureFaultError, SigningKey
from edgekit.errors import InputError
from edgekit.figures import size as printed
from edgekit.files.digest import file_digest
from edgekit.files.lock import hold
from edgekit.files.trouble import refuse_if_full
from edgekit.files.whole import whole, write_whole
from edgekit.files.within import opened_folder, read_regular
from edgekit.packaging.source import ADAPTERS_NAME, AppContents, Job, Source
from edgekit.packaging.target import Flag, PackageTarget, Written
from edgekit.records.codec import is_digest

_PIECE: Final = 4 << 20


@dataclass(frozen=True)
class DeliveryOptions:
    """channel: what apps know the delivery by; the bundle's name without. number: of this version; without, the next.

    Raises InputError for names and numbers that no delivery has.
    """

    channel: Annotated[str | None, Flag("What apps know this delivery by (default: the bundle's name).")] = (
        None
    )
    number: Annotated[
        int | None,
        Flag("This version's number, above all before (default: the next).", names=("--delivery-version",)),
    ] = None
    prune: Annotated[bool, Flag("Delete files that only older versions name.")] = False

    def __post_init__(self) -> None:
        if self.channel is not None and not is_plain_name(self.channel):
            raise InputError(
                f"{self.channel!r} is no plain name", where="--channel", remedy="letters, digits, . _ and -"
            )
        if self.number is not None and not 1 <= self.number <= MOST_VERSION:
            raise InputError("versions begin at 1", where="--delivery-version")


def refuse(source: Source, _: DeliveryOptions) -> None:
    """Refuse what is not signed."""
    if source.signing is None:
        raise InputError(
            "a delivery is signed, so that apps can tell it from anybody else's",
            where="--sign",
            remedy="name a private key: openssl genpkey -algorithm ed25519 -out signing.key",
        )


def write(job: Job, place: Path, options: DeliveryOptions) -> Written:
    """Publish a version into a folder; what was published before stays whole until the new index takes its place."""
    signing = job.source.signing
    assert signing is not None
    contents = job.source.contents
    files = {path: _described(path, asset) for path, asset in contents.assets.items()}
    with hold(place):
        old = _published(place, signing.public)
        index = _next(job.source, files, old, options)
        with opened_folder(place / FILES_NAME, make=True):
            pass
        _place_files(contents, files, place / FILES_NAME, job)
        if index != old:
            content = index_bytes(index, signing)
            if len(content) > MOST_INDEX_BYTES:
                raise InputError("too many files for one delivery", where=place)
            write_whole(place / INDEX_NAME, content)
        kept = {file.sha256 for _, file in index.places}
        pruned = _pruned(place / FILES_NAME, kept) if options.prune else ()
    return _told(place, index, old, pruned, signing)


def _told(place: Path, index: Index, old: Index | None, pruned: Iterable[int], key: SigningKey) -> Written:
    before = set() if old is None else {file.sha256 for _, file in old.places}
    files = {file.sha256: file.size for _, file in index.places}
    fetched = sum(size for digest, size in files.items() if digest not in before)
    sizes = tuple(pruned)
    notes = [f"{len(sizes)} files of older versions were deleted, {printed(sum(sizes))}"] if sizes else []
    if index == old:
        notes.append(f"this is version {index.version}, as it was published: nothing to publish")
    elif old is not None:
        notes.append(f"who has version {old.version} fetches {printed(fetched)}")
    return Written(
        next_steps=(
            f"upload {{output}}/{FILES_NAME}, and when it is there {{output}}/{INDEX_NAME}",
            "edgekit verify HTTPS-ADDRESS --key PUBLIC",
        ),
        path=place / INDEX_NAME,
        beside=tuple(place / FILES_NAME / digest for digest in sorted(files)),
        notes=tuple(notes),
        facts={"channel": index.channel, "version": index.version, "fetched": fetched, "key": key.public.id},
        told=(("channel", index.channel), ("version", str(index.version))),
    )


def _described(path: str, asset: Path | bytes) -> DeliveredFile:
    name = path.rpartition("/")[2]
    if isinstance(asset, bytes):
        return DeliveredFile(name, len(asset), hashlib.sha256(asset).hexdigest())
    return DeliveredFile(name, asset.stat().st_size, file_digest(asset))


def _published(place: Path, key: Key) -> Index | None:
    """What lies there. Raises InputError when another key signed it: apps would refuse what this one signs."""
    path = place / INDEX_NAME
    try:
        content = read_regular(path, MOST_INDEX_BYTES, links=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"the index cannot be read: {error.strerror}", where=path) from error
    try:
        if content is None:
            raise SignatureFaultError("far too large for an index")
        return read_index(content, key, str(path)).index
    except SignatureFaultError as fault:
        raise InputError(
            f"what lies here is not of this key: {fault}",
            where=path,
            remedy="apps take no other key's next version: sign with the one before, or name another folder",
        ) from fault


def _next(
    source: Source, files: dict[str, DeliveredFile], old: Index | None, options: DeliveryOptions
) -> Index:
    """What is to be published; the old index itself when it says the same."""
    channel = options.channel or source.name
    if old is not None and old.channel != channel:
        raise InputError(
            f"this folder delivers {old.channel}, not {channel}",
            where="--channel",
            remedy=f"--channel {old.channel} if it is its next version; another folder if it is not",
        )
    index = Index(
        channel,
        1 if old is None else old.version,
        DeliveredBundle(source.manifest.model.sha256, _group(files, "")),
        tuple(
            DeliveredAdapter(folder, _group(files, f"{ADAPTERS_NAME}/{folder}/"))
            for folder in source.adapters
        ),
    )
    if index == old and options.number in (None, old.version):
        return old
    least = 1 if old is None else old.version + 1
    if options.number is not None and options.number < least:
        raise InputError(
            f"version {least - 1} is published here, and apps take no older one",
            where="--delivery-version",
            remedy=f"{least} or more",
        )
    return replace(index, version=least if options.number is None else options.number)


def _group(files: dict[str, DeliveredFile], folder: str) -> tuple[DeliveredFile, ...]:
    """The files of a folder, and of none below it."""
    inside = ((path.removeprefix(folder), file) for path, file in files.items() if path.startswith(folder))
    return tuple(file for name, file in inside if "/" not in name)


def _place_files(contents: AppContents, files: dict[str, DeliveredFile], folder: Path, job: Job) -> None:
    """Write what is not there yet, each file under its digest; one that is there and damaged is written anew."""
    new = {
        file.sha256: (contents.assets[path], file)
        for path, file in files.items()
        if not _is_there(folder / file.sha256, file)
    }
    total = sum(file.size for _, file in new.values())
    refuse_if_full(folder, total)
    with job.progress.step("write the files", total, "bytes") as advance:
        for digest, (asset, file) in new.items():
            if isinstance(asset, bytes):
                write_whole(folder / digest, asset)
                advance(len(asset))
                continue
            found = hashlib.sha256()
            with asset.open("rb") as reading, whole(folder / digest, needed_bytes=file.size) as writing:
                while piece := reading.read(_PIECE):
                    found.update(piece)
                    left = memoryview(piece)
                    while left:
                        left = left[writing.write(left) :]
                    advance(len(piece))
                if found.hexdigest() != digest:
                    raise InputError("the file was changed while it was copied", where=asset)


def _is_there(path: Path, file: DeliveredFile) -> bool:
    regular = path.is_file() and not path.is_symlink() and path.stat().st_size == file.size
    return regular and file_digest(path) == file.sha256


def _pruned(folder: Path, kept: set[str]) -> tuple[int, ...]:
    """Delete what is named by a digest that nobody asks for any more; returns the sizes."""
    sizes = []
    for path in sorted(folder.iterdir()):
        if is_digest(path.name) and path.name not in kept and path.is_file():
            sizes.append(path.stat().st_size)
            path.unlink()
    return tuple(sizes)


DELIVERY: Final = PackageTarget(
    name="delivery",
    about="a signed folder for a static host, which apps fetch from",
    options=DeliveryOptions,
    write=write,
    makes="file",
    refuse=refuse,
)
