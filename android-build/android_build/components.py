"""What the app carries of others, by name, version and licence: for its page "About", and for bills of materials."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from android_build.catalog import version
from android_build.engine import engine_version
from android_build.layout import APP
from android_build.maven import Artifact, fetch, listed
from android_build.process import BuildError

SHOWN: Final = APP.resources / "raw" / "components.json"
"""What the app's page lists; the texts of the licences lie beside it."""

_LICENCES: Final = {
    "androidx": "Apache-2.0",
    "com.google.guava": "Apache-2.0",
    "org.bouncycastle": "MIT",
    "org.jetbrains": "Apache-2.0",
    "org.jspecify": "Apache-2.0",
}
"""By the beginning of a Maven group, as its artifacts' POMs say."""


def licence_of(artifact: Artifact) -> str:
    """Return the SPDX id of an artifact's licence. Raises BuildError when nobody has looked it up."""
    for group, licence in _LICENCES.items():
        if artifact.group == group or artifact.group.startswith(f"{group}."):
            return licence
    raise BuildError(
        f"under which licence is {artifact.group}:{artifact.name}? Say it in {Path(__file__).name}"
    )


def components() -> list[dict[str, Any]]:
    """Return the app's libraries as the packager is told of them."""
    return [
        {
            "group": artifact.group,
            "name": artifact.name,
            "version": artifact.version,
            "type": artifact.type,
            "licence": licence_of(artifact),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for artifact, path in zip(listed("app"), fetch("app"), strict=True)
    ]


def shown_text() -> str:
    """Return the content of the file that the app's page reads."""
    ours = {"name": "edgekit", "version": version("versionName"), "licence": "Apache-2.0"}
    engine = {"name": "LiteRT-LM", "version": engine_version(), "licence": "Apache-2.0"}
    libraries = [
        {"name": f"{each.group}:{each.name}", "version": each.version, "licence": licence_of(each)}
        for each in listed("app")
    ]
    lines = ",\n".join(f"  {json.dumps(entry)}" for entry in [ours, engine, *libraries])
    return f"[\n{lines}\n]\n"


def write_shown() -> Path:
    """Write the file that the app's page reads."""
    SHOWN.parent.mkdir(parents=True, exist_ok=True)
    SHOWN.write_text(shown_text(), encoding="utf-8")
    return SHOWN
