"""Signing a bundle, and verifying one: signature, manifest, and every file that they name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgekit import results
from edgekit.bundle.adapter.manifest import read_adapter_manifest
from edgekit.bundle.directory import (
    ADAPTER_MANIFEST_NAME,
    EMPTY_SIDECAR_NAME,
    MANIFEST_NAME,
    NOTICE_NAME,
    SBOM_NAME,
    SIGNATURE_NAME,
    TASKS_NAME,
    check_directory,
)
from edgekit.bundle.manifest import ModelFile, read_manifest
from edgekit.bundle.opening import no_manifest
from edgekit.bundle.signature import (
    MOST_BYTES,
    Key,
    SignatureFaultError,
    Signed,
    SigningKey,
    read_key,
    read_signature,
    read_signing_key,
    signature_bytes,
)
from edgekit.errors import BundleError, InputError
from edgekit.files.digest import file_digest
from edgekit.files.whole import write_whole
from edgekit.files.within import check_files, read_regular

_AGAIN: Final = "copy the whole bundle again, or make it again"
_ADAPTERS: Final = "adapters"
_TEXTS: Final = (NOTICE_NAME, TASKS_NAME, SBOM_NAME)
"""What lies beside a manifest and belongs to the bundle, although the manifest does not name it."""


@dataclass(frozen=True)
class Verification:
    """Whether a bundle is what it says.

    bundle: its directory. checked: the files that were read, relative to it. signed_by: id of the key that its
    signature names, None without one. signature: whether it was verified; False where no key was given.
    problems: one sentence for each thing that is wrong. remedy: what to do about them. files: the signature, where it
    was written.
    """

    bundle: Path
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
            "bundle": str(self.bundle),
            "checked": list(self.checked),
            "signed_by": self.signed_by,
            "signature_verified": self.signature,
            "problems": list(self.problems),
        }

    def raise_if_failed(self) -> None:
        """Raise GateError when the bundle does not verify."""
        results.raise_if_failed(self, where=self.bundle, remedy=self.remedy)


def sign(bundle: str | Path, key: SigningKey | str | Path) -> Verification:
    """Sign a bundle, or an adapter bundle; an earlier signature is replaced. key: private, or its file in PEM.

    What is signed is verified first: manifest, model, sidecar, NOTICE and what packaging adds, but not `reports/` and
    `edgekit.toml`. Raises BundleError when there is no bundle, or a file is not what its manifest says.
    """
    signing = key if isinstance(key, SigningKey) else read_signing_key(Path(key))
    directory = _directory(bundle)
    looked = list(_each_file(directory, None))
    if problems := [str(found) for _, _, found in looked if found is not None]:
        raise BundleError(f"this is not signed: {'; '.join(problems)}", where=directory, remedy=_AGAIN)
    files = {name: digest for name, digest, _ in looked if digest is not None}
    path = directory / SIGNATURE_NAME
    write_whole(path, signature_bytes(files, signing), error=BundleError)
    return Verification(directory, tuple(files), signing.public.id, True, (), None, (path,))


def verify(bundle: str | Path, key: Key | str | Path | None = None) -> Verification:
    """Check a bundle, or an adapter bundle: its signature by a public key, and each of its files by its digest.

    bundle: a directory, also the `assets/edgekit` of a package, whose adapters are checked as well. key: public,
    or its file in PEM; without one the digests are checked, and not who signed.
    Raises InputError when there is no bundle to check.
    """
    asked = key if key is None or isinstance(key, Key) else read_key(Path(key))
    directory = _directory(bundle)
    checked: list[str] = []
    problems: list[str] = []
    remedies: list[str] = []
    named: list[str | None] = []
    for folder in (directory, *_adapters(directory)):
        inside = "" if folder == directory else f"{_ADAPTERS}/{folder.name}/"
        signed = None
        try:
            signed = _signature(folder, asked)
            named.append(None if signed is None else signed.key)
        except SignatureFaultError as fault:
            problems.append(f"{inside}{SIGNATURE_NAME}: {fault}")
            remedies.append(fault.remedy or _DO_NOT_USE)
            named.append(None)
        for name, _, found in _each_file(folder, signed):
            checked.append(inside + name)
            if found is not None:
                problems.append(f"{inside}{found}")
                remedies.append(found.remedy)
    trusted = asked is not None and not problems
    remedy = "; ".join(dict.fromkeys(remedies)) or None
    return Verification(directory, tuple(checked), named[0], trusted, tuple(problems), remedy)


@dataclass(frozen=True)
class _Problem:
    """What is wrong with a file, and what to do about it."""

    name: str
    said: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.name}: {self.said}"


_DO_NOT_USE: Final = "do not use it as it is: copy it again from whoever made it"
_NOT_SIGNED: Final = "sign it again (edgekit sign), or take away what was added"


def _directory(path: str | Path) -> Path:
    path = Path(path)
    directory = path if path.is_dir() else path.parent
    if not path.exists():
        raise InputError("no such file or directory", where=path, remedy="name a bundle directory")
    check_directory(directory)
    if not any((directory / name).is_file() for name in (MANIFEST_NAME, ADAPTER_MANIFEST_NAME)):
        raise no_manifest(directory)
    return directory


def _adapters(directory: Path) -> Iterator[Path]:
    """The adapters in a package's assets."""
    folder = directory / _ADAPTERS
    if folder.is_dir() and not folder.is_symlink():
        for path in sorted(folder.iterdir()):
            if (path / ADAPTER_MANIFEST_NAME).is_file() and not path.is_symlink():
                check_directory(path)
                yield path


def _signature(directory: Path, key: Key | None) -> Signed | None:
    """What a directory's signature says. Raises SignatureFaultError for one that does not hold, or is missing."""
    path = directory / SIGNATURE_NAME
    if not path.exists():
        if key is not None:
            raise SignatureFaultError(
                "the bundle is not signed",
                "sign it (edgekit sign), or leave --key out to look at digests alone",
            )
        return None
    content = read_regular(path, MOST_BYTES)
    if content is None:
        raise SignatureFaultError("far too large for a signature")
    return read_signature(content, key)


def _each_file(directory: Path, signed: Signed | None) -> Iterator[tuple[str, str | None, _Problem | None]]:
    """Each file of a bundle: its name, its SHA-256, and what is wrong with it."""
    expected = _expected(directory, signed)
    listed = {} if signed is None else signed.files
    check_files(directory, list(listed), error=BundleError)
    present = (name for name in _TEXTS if (directory / name).is_file())
    for name in dict.fromkeys((*expected, *listed, *present)):
        digest, problem = _digest(directory / name)
        if digest is not None and signed is not None and listed.get(name) != digest:
            changed = _Problem(name, "was changed since it was signed", _DO_NOT_USE)
            problem = changed if name in listed else _Problem(name, "was not signed", _NOT_SIGNED)
        elif digest is not None and (file := expected.get(name)) is not None and file.sha256 != digest:
            said = f"its SHA-256 is {digest[:12]}…, the manifest says {file.sha256[:12]}…"
            problem = _Problem(name, said, _DO_NOT_USE)
        yield name, digest, problem


def _expected(directory: Path, signed: Signed | None) -> Mapping[str, ModelFile | None]:
    """The manifest, and the files that it names. A manifest that was changed since it was signed names none."""
    name = next(name for name in (MANIFEST_NAME, ADAPTER_MANIFEST_NAME) if (directory / name).is_file())
    if signed is not None and signed.files.get(name) != file_digest(directory / name):
        return {name: None}
    if name == ADAPTER_MANIFEST_NAME:
        sidecar = read_adapter_manifest(directory).sidecar
        return {name: None, sidecar.file: sidecar}
    manifest = read_manifest(directory)
    slots = {} if manifest.adapters is None else {EMPTY_SIDECAR_NAME: manifest.adapters.empty}
    return {name: None, manifest.model.file: manifest.model, **{file.file: file for file in slots.values()}}


def _digest(path: Path) -> tuple[str | None, _Problem | None]:
    try:
        return file_digest(path), None
    except FileNotFoundError:
        return None, _Problem(path.name, "is missing", _DO_NOT_USE)
    except OSError as error:
        return None, _Problem(
            path.name, f"cannot be read: {error.strerror}", "make it a file that you may read"
        )
