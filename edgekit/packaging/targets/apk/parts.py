"""What an app consists of: the bytes of each part in the APK, and in a download."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from edgekit.packaging.play import LEVEL
from edgekit.packaging.target import SizedPart
from edgekit.packaging.targets.apk.archive import DEFLATED, Member, read_packed
from edgekit.packaging.targets.apk.manifest import MANIFEST
from edgekit.packaging.targets.apk.resources import RESOURCES
from edgekit.runtime.library import LIBRARY

MODEL: Final = "model"
"""The part that is the bundle's, and not the app's."""

_MODELS: Final = (".litertlm", ".tflite")


def parts_of(path: Path, members: Sequence[Member], measured: Mapping[str, int]) -> tuple[SizedPart, ...]:
    """Sum up an APK's files by what they are; the parts together are the file.

    measured: by name, what large files take in a download; the others are deflated here, as a store does.
    """
    stored: dict[str, int] = {}
    download: dict[str, int] = {}
    with path.open("rb") as file:
        for member in sorted(members, key=lambda each: _order(each.name)):
            part = _part(member.name)
            small = measured.get(member.name)
            if small is None:
                small = member.packed if member.method == DEFLATED else _deflated(read_packed(file, member))
            stored[part] = stored.get(part, 0) + member.packed
            download[part] = download.get(part, 0) + small
        between, at = [], 0
        for member in sorted(members, key=lambda each: each.offset):
            file.seek(at)
            between.append(file.read(member.offset - at))
            at = member.offset + member.packed
        file.seek(at)
        between.append(file.read())
    rest = b"".join(between)
    stored[_REST], download[_REST] = len(rest), _deflated(rest)
    return tuple(SizedPart(name, stored[name], download[name]) for name in stored)


_REST: Final = "signature, ZIP"
_ORDER: Final = (MODEL, "engine", "other native code", "code", "resources", "manifests, notices")


def _part(name: str) -> str:
    folder, _, rest = name.partition("/")
    if folder == "lib":
        abi, _, library = rest.partition("/")
        return f"{'engine' if library == LIBRARY else 'other native code'}, {abi}"
    if folder == "assets":
        return MODEL if name.endswith(_MODELS) else "manifests, notices"
    if name.endswith(".dex"):
        return "code"
    return "resources" if folder == "res" or name in (RESOURCES, MANIFEST) else "manifests, notices"


def _order(name: str) -> tuple[int, str]:
    part = _part(name)
    return _ORDER.index(part.partition(", ")[0] if part not in _ORDER else part), part


def _deflated(content: bytes) -> int:
    return len(zlib.compress(content, LEVEL))
