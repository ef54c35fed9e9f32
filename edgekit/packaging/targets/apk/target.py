"""`--to apk`: a signed app, installed on a device where that is asked for."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from edgekit.errors import InputError
from edgekit.packaging.app import (
    AppOptions,
    app_facts,
    app_made_of,
    app_notes,
    app_told,
    icon_of,
    identity_of,
    libraries_of,
    refuse_app,
    signer_of,
)
from edgekit.packaging.source import Job, Source
from edgekit.packaging.target import Delivered, Flag, PackageTarget, Written, find_device
from edgekit.progress import Progress
from edgekit.runtime.library import LIBRARY

if TYPE_CHECKING:
    from edgekit.packaging.targets.apk.keys import SigningKey


@dataclass(frozen=True)
class ApkOptions(AppOptions):
    """What an app is called, the key it is signed with, and whether it is installed.

    keystore: PKCS #12; without one the debug key of this machine signs. password: the keystore's, or what gives it;
    without, a file or a variable of the environment says it, or who sits at the terminal. device: a serial; without,
    the only device there is. Raises InputError for options that say nothing without another.
    """

    keystore: Annotated[
        str | Path | None, Flag("PKCS #12 file with the signing key (default: a debug key).")
    ] = None
    key_alias: Annotated[str | None, Flag("The key, where the keystore has several.")] = None
    keystore_password_env: Annotated[
        str | None, Flag("Environment variable with the keystore's password.", metavar="VARIABLE")
    ] = None
    keystore_password_file: Annotated[
        str | Path | None, Flag("File whose first line is the keystore's password.")
    ] = None
    password: str | Callable[[], str] | None = None
    install: Annotated[bool, Flag("Install it over adb and start it.")] = False
    device: Annotated[
        str | None, Flag("The device, as adb's own -s.", names=("--device", "-s"), metavar="SERIAL")
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.keystore is None and self.key_alias is not None:
            raise InputError(
                "a key is named, but no keystore",
                where="--key-alias",
                remedy="name the file: --keystore FILE",
            )
        if self.device is not None and not self.install:
            raise InputError("nothing is done on a device", where="--device", remedy="add --install")

    @cached_property
    def key(self) -> SigningKey:
        """The signing key; a password is asked for once. Raises InputError when there is none that can be used."""
        from edgekit.packaging.targets.apk.keys import debug_key, open_keystore

        if self.keystore is None:
            return debug_key()
        path = Path(self.keystore)
        if not path.is_file():
            raise InputError("there is no such keystore", where=path, remedy="name a PKCS #12 file")
        password = self.password() if callable(self.password) else self.password
        return open_keystore(path, self._found_password() if password is None else password, self.key_alias)

    def _found_password(self) -> str:
        from edgekit.packaging.targets.apk.keys import PASSWORD_VARIABLE, find_password

        environment: dict[str, str] | None = None
        if (variable := self.keystore_password_env) is not None:
            if variable not in os.environ:
                raise InputError(f"the variable {variable} is not set", where="--keystore-password-env")
            environment = {PASSWORD_VARIABLE: os.environ[variable]}
        file = self.keystore_password_file
        return find_password(
            None if file is None else Path(file),
            environment=environment,
            ask=self._ask if sys.stdin.isatty() else None,
        )

    def _ask(self) -> str:
        from getpass import getpass

        return getpass(f"Password of {self.keystore}: ")


def refuse(source: Source, options: ApkOptions) -> None:
    """Find out what is amiss with the app's names, its key, or the device it goes to."""
    refuse_app(source, options)
    _ = options.key
    if options.install:
        find_device(options.device)


def write(job: Job, directory: Path, options: ApkOptions) -> Written:
    """Write the app into a directory, under its name and version; it appears whole, and checked.

    Raises InputError when one of this version is there already, unless the job is to replace it.
    """
    from edgekit.packaging.targets.apk.assemble import App, write_apk
    from edgekit.packaging.targets.apk.parts import parts_of

    identity = identity_of(job.source, options)
    path = directory / f"{job.source.name}-{_file_safe(identity.version_name)}.apk"
    if path.exists() and not job.force:
        raise InputError(
            "there is an app already",
            where=path,
            remedy="pass --force to replace it, or name another directory",
        )
    app = App(identity, options.each_abi, icon_of(job.source, options), signer=signer_of(options))
    made = write_apk(job.source.contents, path, app=app, key=options.key, progress=job.progress)
    parts = parts_of(path, made.members, _downloads(job, options))
    signed = "signed with this machine's debug key: fine for trying, Google Play wants --keystore"
    kind = "debug key" if made.debug_key else "key"
    return Written(
        next_steps=_next_steps(path, job.source, options),
        path=path,
        notes=(*app_notes(identity), *((signed,) if made.debug_key else ()), *job.play.advice),
        facts={
            **app_facts(identity, options),
            "apk": str(path),
            "signer": {"sha256": made.fingerprint, "debug_key": made.debug_key},
        },
        told=(*app_told(identity, options), ("signed", f"{kind}, SHA-256 {made.fingerprint[:16]}…")),
        parts=parts,
    )


def _downloads(job: Job, options: ApkOptions) -> Mapping[str, int]:
    """What was measured already of an app's large files, by their names in it."""
    from edgekit.packaging.targets.apk.assemble import ASSETS

    paths = {ASSETS + name: asset for name, asset in job.source.contents.assets.items()}
    paths |= {f"lib/{abi}/{LIBRARY}": path for abi, path in libraries_of(options).items()}
    return {
        name: job.measured[path].compressed
        for name, path in paths.items()
        if isinstance(path, Path) and path in job.measured
    }


def deliver(_: Source, app: Path, options: ApkOptions, progress: Progress) -> Delivered | None:
    """Install the app and start it, where that is asked for."""
    from edgekit.packaging.targets.apk.install import install_apk

    if not options.install:
        return None
    device = find_device(options.device)
    install_apk(device, app, progress=progress)
    return Delivered(device.serial, (f"installed and started on {device.serial}",))


def _file_safe(version: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", version)


def _next_steps(app: Path, source: Source, options: ApkOptions) -> tuple[str, ...]:
    words = ["edgekit", "package", str(source.directory)]
    for adapter in source.adapters.values():
        words += ["--adapter", str(adapter.directory)]
    if source.adapters and source.task.adapter is None:
        words.append("--with-base")
    if source.signing is not None:
        words += ["--sign", str(source.signing.path)]
    if options.require_signed is not None:
        words += ["--require-signed", str(options.require_signed)]
    words += ["--to", "apk", "-o", str(app.parent), "--force", "--install"]
    return (shlex.join(["adb", "install", "-r", str(app)]), shlex.join(words))


APK: Final = PackageTarget(
    name="apk",
    about="a signed app",
    options=ApkOptions,
    write=write,
    makes="file",
    made_of=app_made_of,
    refuse=refuse,
    libraries=libraries_of,
    deliver=deliver,
)
