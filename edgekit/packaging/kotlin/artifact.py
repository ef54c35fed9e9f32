"""LiteRT-LM's Android artifact: its coordinates, what it needs, and a bundle's values in its types.

The API is that of litertlm-android 0.18 (its Config.kt and Conversation.kt). The artifact is on Google's Maven
repository only: this project's tests compile what is written for it against its signatures, not against the artifact.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from edgekit.bundle.manifest import SamplerUse
from edgekit.packaging.sbom import ENGINE_LICENCE, Part, maven, packaged_part
from edgekit.packaging.source import Source
from edgekit.quoting import kotlin_string
from edgekit.runtime.library import engine_version

ARTIFACT: Final = "com.google.ai.edge.litertlm:litertlm-android"

KOTLIN_NEEDED: Final = "2.4"
"""Older compilers cannot read the artifact's metadata."""

KEEP: Final = "edgekit-keep.pro"
"""The file of the rules, beside an app's build file."""

KEEP_RULES: Final = f"""\
# The engine's native code looks up these classes by name. The artifact was reported to bring no rules of its own.
-keep class {ARTIFACT.split(":")[0]}.** {{ *; }}
"""
"""For R8, which would remove or rename them in a release build: the app would abort at its first conversation."""


_WIDTH: Final = 80


def coordinates() -> str:
    """The artifact in the version of the engine that the bundle was checked with."""
    return f"{ARTIFACT}:{engine_version()}"


def made_of_artifact(source: Source, _: object) -> tuple[Part, tuple[Part, ...]]:
    """What an app that takes the artifact needs besides the bundle, for a bill of materials."""
    group, name = ARTIFACT.split(":")
    artifact = maven(group, name, engine_version(), "aar", ENGINE_LICENCE, None)
    return packaged_part(source.manifest), (replace(artifact, incomplete=True),)


def sampler_config(sampler: SamplerUse) -> str:
    """A bundle's sampling as the artifact's SamplerConfig."""
    if sampler.kind == "greedy":  # the best of one, whatever the others say
        return "SamplerConfig(topK = 1, topP = 1.0, temperature = 1.0)"
    return (
        f"SamplerConfig(topK = {sampler.top_k}, topP = {float(sampler.top_p or 0)}, "
        f"temperature = {float(sampler.temperature or 0)})"
    )


def response_format(answer: Mapping[str, Any]) -> str:
    """A manifest's answer format as the artifact's ResponseFormat; a schema on several lines."""
    if answer["kind"] == "regex":
        return f"ResponseFormat.regex({kotlin_string(answer['regex'])})"
    schema = json.dumps(answer["schema"], ensure_ascii=False, separators=(",", ":"))
    pieces = [schema[start : start + _WIDTH] for start in range(0, len(schema), _WIDTH)]
    joined = " +\n        ".join(kotlin_string(piece) for piece in pieces)
    return f"ResponseFormat.json(\n    {joined},\n)"
