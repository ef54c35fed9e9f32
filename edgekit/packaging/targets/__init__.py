"""What a bundle is packaged for: apps, libraries, assets, packs, a delivery, the Gallery. One module or package each.

A target imports no other; what all need to know of the bundle is in `packaging.source`.
"""

from __future__ import annotations

from typing import Any, Final

from edgekit.errors import InputError
from edgekit.packaging.target import PackageTarget
from edgekit.packaging.targets.aar.target import AAR
from edgekit.packaging.targets.apk.target import APK
from edgekit.packaging.targets.assets import ASSETS
from edgekit.packaging.targets.delivery import DELIVERY
from edgekit.packaging.targets.gallery.target import GALLERY
from edgekit.packaging.targets.packs import AI_PACK, ASSET_PACK
from edgekit.packaging.targets.project import PROJECT

TARGETS: Final[tuple[PackageTarget[Any], ...]] = (
    APK,
    PROJECT,
    AAR,
    ASSETS,
    AI_PACK,
    ASSET_PACK,
    DELIVERY,
    GALLERY,
)


def find_target(name: str) -> PackageTarget[Any]:
    """Return the target of this name. Raises InputError when there is none."""
    for target in TARGETS:
        if target.name == name:
            return target
    known = ", ".join(target.name for target in TARGETS)
    raise InputError(f"{name!r} is nothing to package to", where="--to", remedy=f"one of {known}")
