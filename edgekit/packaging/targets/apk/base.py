"""The prebuilt sample app that every APK begins with: `base/app.apk` and what is known of it, `base/base.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import InputError
from edgekit.files.digest import file_digest
from edgekit.packaging.play import BASE_APP
from edgekit.packaging.targets.apk.archive import Member, read_members, read_packed, unpack

BASE = BASE_APP.parent
APK, FACTS = BASE_APP.name, "base.json"

_SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Base:
    """The app without engine and bundle.

    application_id: the placeholder in its manifest. icon: the entry that is the foreground of its icon. abis: those it
    has the shim for. engine: the version of the engine that the shim is for. members, packed: its entries, in order,
    and their bytes as they lie in the archive.
    """

    path: Path
    application_id: str
    icon: str
    abis: tuple[str, ...]
    engine: str
    members: tuple[Member, ...]
    packed: tuple[bytes, ...]

    def content(self, name: str) -> bytes:
        """The content of an entry. Raises InputError when there is no such entry, or it is damaged."""
        for member, packed in zip(self.members, self.packed, strict=True):
            if member.name == name:
                return unpack(packed, member, self.path)
        raise InputError(f"the base app has no {name}", where=self.path, remedy=REINSTALL)


REINSTALL = "install edgekit again: pip install --force-reinstall --no-deps edgekit"


def read_base(folder: Path = BASE) -> Base:
    """Read the base app. Raises InputError when a file of it is missing or is not as it was built."""
    apk, facts_path = folder / APK, folder / FACTS
    try:
        facts = json.loads(facts_path.read_bytes())
        if facts["schema_version"] != _SCHEMA_VERSION:
            raise InputError(
                f"the base app has schema version {facts['schema_version']}, this edgekit knows {_SCHEMA_VERSION}",
                where=facts_path,
                remedy=REINSTALL,
            )
        if file_digest(apk) != facts["sha256"]:
            raise InputError("the base app is damaged: its digest differs", where=apk, remedy=REINSTALL)
        with apk.open("rb") as file:
            members = read_members(file, apk)
            packed = tuple(read_packed(file, member) for member in members)
        return Base(
            apk,
            facts["application_id"],
            facts["icon"],
            tuple(facts["abis"]),
            facts["engine"],
            members,
            packed,
        )
    except OSError as error:
        raise InputError(
            f"the base app cannot be read: {error.strerror}", where=error.filename or apk, remedy=REINSTALL
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"what is known of the base app cannot be read: {error}", where=facts_path, remedy=REINSTALL
        ) from error
