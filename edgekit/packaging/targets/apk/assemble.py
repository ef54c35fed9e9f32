"""Putting an app together: the base under its new identity, engine, shim and bundle, aligned, signed, checked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from edgekit.errors import InputError
from edgekit.files.whole import whole
from edgekit.packaging.app import DEFAULT_ABIS, SIGNER_NAME
from edgekit.packaging.identity import Identity
from edgekit.packaging.source import AppContents
from edgekit.packaging.targets.apk import axml
from edgekit.packaging.targets.apk.archive import (
    DEFLATED,
    PAGE,
    Deflated,
    Entry,
    Member,
    Placed,
    end_record,
    lay_out,
    packed_size,
    read_members,
    read_packed,
    total_size,
    unpack,
    with_directory_at,
    write_entries,
)
from edgekit.packaging.targets.apk.base import BASE, REINSTALL, Base, read_base
from edgekit.packaging.targets.apk.block import PAGE as BLOCK_PAGE
from edgekit.packaging.targets.apk.digest import Hashers, HashingWriter, combine, hash_chunks
from edgekit.packaging.targets.apk.keys import SigningKey
from edgekit.packaging.targets.apk.manifest import MANIFEST, AppManifest, read_manifest, rename_app
from edgekit.packaging.targets.apk.resources import RESOURCES, rename_package
from edgekit.packaging.targets.apk.signing import algorithm_for, signing_block
from edgekit.packaging.targets.apk.verify import verify_file
from edgekit.progress import SILENT, Progress
from edgekit.runtime.library import LIBRARY, engine_library, engine_version

ASSETS = "assets/edgekit/"
SIGNER = f"assets/{SIGNER_NAME}"
_BLOCK_BYTES = 64 << 10  # more than signatures and certificates take


@dataclass(frozen=True)
class App:
    """What an app is called, and for whom it is.

    abis: of ("arm64-v8a", "x86_64"). icon: a square PNG; the sample app's own without. engine: a library, or the
    directory that holds it, in the place of the official one; for one ABI only. base: another base app. signer: public
    key in PEM, by which every bundle that it opens must be signed.
    """

    identity: Identity
    abis: tuple[str, ...] = DEFAULT_ABIS
    icon: Path | None = None
    engine: Path | None = None
    base: Path = BASE
    signer: bytes | None = None


@dataclass(frozen=True)
class ApkResult:
    """An app that was written.

    size: in bytes. manifest: read back from it. fingerprint: SHA-256 of the signer's certificate. debug_key: whether
    that is this machine's debug key. members: its files, with their sizes in the archive.
    """

    path: Path
    size: int
    manifest: AppManifest
    abis: tuple[str, ...]
    fingerprint: str
    debug_key: bool
    members: tuple[Member, ...]


def write_apk(
    contents: AppContents, path: Path, *, app: App, key: SigningKey, progress: Progress = SILENT
) -> ApkResult:
    """Write a signed APK that Android 8.0 and newer install. Replaces a file that is there, when all has gone well.

    The same contents, app and key give the same bytes (with an EC key, where `cryptography` has OpenSSL 3.2). What
    was written is read back and its signatures are checked before the file takes its place.
    Raises InputError when something of it cannot be used, there is no space, or the app would pass 4 GB;
    MissingToolError when the engine cannot be downloaded.
    """
    base = read_base(app.base)
    signer = [] if app.signer is None else [Entry(SIGNER, app.signer)]
    entries = [*_base_entries(base, app), *_engine_entries(base, app), *signer, *_asset_entries(contents)]
    placed = lay_out(entries)
    with whole(path, needed_bytes=total_size(placed) + _BLOCK_BYTES, seconds=0) as file:
        _write(placed, key, file, progress)
        with progress.step("check the signatures"):
            verified = verify_file(file, path)
            members = read_members(file, path)
            manifest = _manifest_of(file, members, path)
        size = os.fstat(file.fileno()).st_size
    return ApkResult(path, size, manifest, app.abis, verified.fingerprint, key.debug, members)


def read_apk(path: Path) -> AppManifest:
    """Read the manifest of an APK. Raises InputError when the file is none."""
    try:
        with path.open("rb") as file:
            return _manifest_of(file, read_members(file, path), path)
    except OSError as error:
        raise InputError(f"the app cannot be read: {error.strerror}", where=path) from error


def _manifest_of(file: BinaryIO, members: Sequence[Member], path: Path) -> AppManifest:
    member = next((each for each in members if each.name == MANIFEST), None)
    if member is None:
        raise InputError(f"this is no app: there is no {MANIFEST} in it", where=path)
    where = f"{path}: {MANIFEST}"
    return read_manifest(axml.decode(unpack(read_packed(file, member), member, path), where), where)


# ---------------------------------------- what is in it


def _base_entries(base: Base, app: App) -> Iterator[Entry]:
    """The entries of the base that the app keeps, in their order, some of them changed."""
    changed = _changed_entries(base, app)
    for member, packed in zip(base.members, base.packed, strict=True):
        name = member.name
        library = name.startswith("lib/")
        if library and name.split("/")[1] not in app.abis:
            continue
        content = unpack(packed, member, base.path)
        if name in changed:
            yield Entry(name, changed.pop(name))
        elif library:
            yield Entry(name, content, PAGE)
        elif member.method == DEFLATED and name != RESOURCES:
            yield Entry(name, Deflated(packed, member.size, member.crc))
        else:  # Android wants the resource table stored
            yield Entry(name, content)


def _changed_entries(base: Base, app: App) -> dict[str, bytes]:
    where = f"{base.path}: {MANIFEST}"
    document = axml.decode(base.content(MANIFEST), where)
    renamed = rename_app(document, base.application_id, app.identity, where)
    if read_manifest(renamed, where).libraries_extracted:
        raise InputError("the base app has its libraries extracted", where=where, remedy=REINSTALL)
    table = base.content(RESOURCES)
    changed = {
        MANIFEST: axml.encode(renamed),
        RESOURCES: rename_package(table, base.application_id, app.identity.application_id, base.path),
    }
    if app.icon is not None:
        from edgekit.packaging.icon import draw_foreground

        foreground = draw_foreground(app.icon)
        base.content(base.icon)  # it is there to be replaced
        changed[base.icon] = foreground.png
        if not foreground.has_shape:
            changed |= _without_monochrome(base)
    return changed


def _without_monochrome(base: Base) -> dict[str, bytes]:
    """The base's adaptive icons without their one-coloured form, which is the foreground's shape: a full-bleed picture
    has none."""
    changed = {}
    for member in base.members:
        if member.name.startswith("res/") and member.name.endswith(".xml"):
            document = axml.decode(base.content(member.name), f"{base.path}: {member.name}")
            if next(document.elements())[1].name == "adaptive-icon":
                changed[member.name] = axml.encode(document.without("monochrome"))
    return changed


def _engine_entries(base: Base, app: App) -> Iterator[Entry]:
    """The engine's library for each ABI."""
    if not app.abis or len(set(app.abis)) != len(app.abis):
        raise InputError(
            "each ABI is named once, and at least one", remedy=f"there are: {', '.join(base.abis)}"
        )
    if app.engine is not None and len(app.abis) > 1:
        raise InputError(
            "an engine library of your own is for one ABI", where=app.engine, remedy="name one ABI"
        )
    if app.engine is None and _minor(base.engine) != _minor(engine_version()):
        raise InputError(
            f"the base app is made for LiteRT-LM {base.engine}, installed is {engine_version()}",
            where=base.path,
            remedy=f"pip install 'litert-lm-api=={base.engine}'",
        )
    for abi in sorted(app.abis):
        if abi not in base.abis:
            raise InputError(
                f"there is no engine for {abi}", remedy=f"there is one for: {', '.join(base.abis)}"
            )
        yield Entry(f"lib/{abi}/{LIBRARY}", engine_library("android", abi, own=app.engine), PAGE)


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]


def _asset_entries(contents: AppContents) -> Iterator[Entry]:
    """The bundle and what goes with it, small files first."""

    entries = [Entry(ASSETS + name, asset) for name, asset in sorted(contents.assets.items())]
    for entry in sorted(entries, key=packed_size):
        yield replace(entry, alignment=PAGE) if packed_size(entry) >= PAGE else entry


# ---------------------------------------- writing


def _write(placed: Sequence[Placed], key: SigningKey, file: FileIO, progress: Progress) -> None:
    """Write entries, signing block and central directory; hashes on the way, reads nothing twice."""
    algorithm = algorithm_for(key.private.public_key()).hash
    total = sum(each.packed for each in placed)
    with Hashers(algorithm) as hashers, progress.step("write the app", total, "bytes") as advance:
        out = HashingWriter(file, hashers)
        directory = write_entries(placed, out, advance)
        out.write(bytes(-out.tell() % BLOCK_PAGE))
        start = out.tell()
        chunks = out.finish()
    record = end_record(len(placed), directory, start)
    chunks += [*hash_chunks(directory, algorithm), *hash_chunks(record, algorithm)]
    block = signing_block(key.private, key.certificate_bytes, combine(chunks, algorithm))
    tail = memoryview(block + directory + with_directory_at(record, start + len(block)))
    while tail:
        tail = tail[file.write(tail) :]
