"""Values as Kotlin source."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from edgekit.bundle.manifest import ModelFile, SamplerUse

_WIDTH: Final = 80


def string(text: str) -> str:
    """A Kotlin string literal on one line."""
    quoted = json.dumps(text, ensure_ascii=False).replace("$", "\\$")
    # Kotlin knows \b, \t, \n, \r and \uXXXX, and not JSON's \f.
    return quoted.replace("\\f", "\\u000c")


def string_or_null(text: str | None) -> str:
    """The same, null for None."""
    return "null" if text is None else string(text)


def comment(text: str) -> str:
    """A text as one line of a block comment."""
    return " ".join(text.split()).replace("*/", "* /")


def ids(numbers: Sequence[int]) -> str:
    """Ids as a list, stretches as ranges."""
    stretches: list[list[int]] = []
    for number in sorted(set(numbers)):
        if stretches and number == stretches[-1][1] + 1:
            stretches[-1][1] = number
        else:
            stretches.append([number, number])
    return " + ".join(
        f"listOf({first})" if first == last else f"({first}..{last}).toList()" for first, last in stretches
    )


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
        return f"ResponseFormat.regex({string(answer['regex'])})"
    schema = json.dumps(answer["schema"], ensure_ascii=False, separators=(",", ":"))
    pieces = [schema[start : start + _WIDTH] for start in range(0, len(schema), _WIDTH)]
    joined = " +\n        ".join(string(piece) for piece in pieces)
    return f"ResponseFormat.json(\n    {joined},\n)"


def sidecar(file: ModelFile) -> str:
    """A sidecar as the generated class's Sidecar, on several lines."""
    return f"Sidecar(\n    {string(file.file)},\n    {file.size:_}L,\n    {string(file.sha256)},\n)"


def indented(text: str, width: int) -> str:
    """A text with each of its lines moved to the right, by a number of spaces."""
    return "\n".join(f"{' ' * width}{line}" if line else "" for line in text.split("\n"))
