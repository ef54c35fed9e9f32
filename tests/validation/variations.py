"""Variations of a real report: one that fails every gate, one that found nothing, one made of hostile text."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

from edgekit.gates import Gates, Thresholds
from edgekit.validation.checks import CHECKS
from edgekit.validation.report import Parity

IMPOSSIBLE = Thresholds(
    max_kl=-1.0,
    min_top1=2.0,
    max_task_drop=-1.0,
    min_task=2.0,
    max_loop=-1.0,
    min_exact=2.0,
    max_sqnr_loss=-1.0,
    max_removed_mass=-1.0,
)

HOSTILE = (
    "</script></style><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>",
    "{{ 7 * 7 }} {% raw %} & &amp; \"'><svg onload=alert(1)>",
    "\u202eright to left override\u202c \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 \u2067isolate",
    "👩🏽\u200d🚀👨\u200d👩\u200d👧\u200d👦🇳🇴 e\u0301\u0301\u0301\u0301\u0301\u0301",
    "W" * 4000,
    "null \x00 escape \x1b[31m bell \x07 surrogate \ud800 carriage \r return",
    "<!--",
    "-->",
    "]]>",
    "",
    " ",
    "\n\n\n",
)
_KEPT = ("status", "verdict", "decision", "direction", "kind", "better")
"""Fields whose words are a choice of few; a check's name leads to its section."""


def judged(report: Parity, thresholds: Thresholds) -> Parity:
    """The same findings under other gates."""
    gates = Gates(thresholds, Thresholds())
    checks = tuple(
        module.judge(found, gates) if (found := report.sections[module.NAME]) is not None else check
        for module, check in zip(CHECKS, report.checks, strict=True)
    )
    failed = any(check.status == "failed" for check in checks)
    return dataclasses.replace(report, checks=checks, verdict="failed" if failed else "passed")


def unlooked(report: Parity) -> Parity:
    """The same report with every check skipped."""
    checks = tuple(
        dataclasses.replace(
            check, status="skipped", summary="no reference", gates=(), figures={}, remedy=None
        )
        for check in report.checks
    )
    sections = dict.fromkeys(report.sections)
    return dataclasses.replace(report, checks=checks, sections=sections, worst=(), against_merged=None)


def hostile(report: Parity) -> Parity:
    """The same report with every text replaced by what a model or a file could say to break a page."""
    replacements = itertools.count()
    names = {module.NAME for module in CHECKS}

    def spoil(value: Any, key: str = "") -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            parts = {f.name: spoil(getattr(value, f.name), f.name) for f in dataclasses.fields(value)}
            return dataclasses.replace(value, **parts)
        if isinstance(value, tuple):
            return tuple(spoil(item) for item in value)
        if isinstance(value, dict):
            if key == "sections":
                return {name: spoil(item) for name, item in value.items()}
            return {f"{HOSTILE[k % len(HOSTILE)]}{k}": spoil(item) for k, item in enumerate(value.values())}
        if isinstance(value, str) and key not in _KEPT and value not in names:
            return HOSTILE[next(replacements) % len(HOSTILE)]
        if isinstance(value, float) and next(replacements) % 7 == 0:
            return (math.inf, -math.inf, math.nan)[next(replacements) % 3]
        return value

    spoiled = spoil(report)
    assert isinstance(spoiled, Parity)
    return spoiled
