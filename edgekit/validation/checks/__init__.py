"""The checks, one module each; none imports another. What they share lies in `validation.context` and in `scoring`.

To add one: its file, and a line in the tuple below.
"""

from __future__ import annotations

from typing import Final

from edgekit.validation.checks import (
    container,
    generation,
    gpu,
    logits,
    merge,
    releases,
    sidecar,
    stop,
    task,
    template,
    tokens,
    weights,
)
from edgekit.validation.verdict import CheckModule

CHECKS: Final[tuple[CheckModule, ...]] = (
    merge,
    container,
    tokens,
    template,
    stop,
    logits,
    generation,
    task,
    weights,
    sidecar,
    gpu,
    releases,
)
"""In the order of the report."""
