"""`task.json`: what the app makes of a bundle (docs/design/app.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

TASK_NAME: Final = "task.json"
SCHEMA_VERSION: Final = 1


@dataclass(frozen=True)
class Golden:
    """A prompt with the greedy answer of this machine's engine."""

    prompt: str
    answer: str


@dataclass(frozen=True)
class Action:
    """A button under an answer: it starts an activity with the action `intent` when every field of `when` has that
    text in the JSON answer."""

    when: Mapping[str, str]
    intent: str


@dataclass(frozen=True)
class QualityCheck:
    """One check of `edgekit validate`; summary: one sentence with its figures."""

    name: str
    passed: bool
    summary: str


@dataclass(frozen=True)
class Quality:
    """The verdict of `edgekit validate` on the bundle."""

    passed: bool
    checks: tuple[QualityCheck, ...]


@dataclass(frozen=True)
class Task:
    """What the app is for.

    title: of its first screen. examples: prompts that one tap sends. golden: what the self-test compares. actions: the
    first whose condition holds counts. quality: None when `edgekit validate` has not run on this very bundle.
    """

    title: str
    description: str | None = None
    system_prompt: str | None = None
    examples: tuple[str, ...] = ()
    golden: tuple[Golden, ...] = ()
    actions: tuple[Action, ...] = ()
    quality: Quality | None = None


def to_json(task: Task) -> dict[str, Any]:
    """Return the task as JSON values, in the order in which they are written."""
    quality = task.quality
    return {
        "schema_version": SCHEMA_VERSION,
        "title": task.title,
        "description": task.description,
        "system_prompt": task.system_prompt,
        "examples": list(task.examples),
        "golden": [{"prompt": golden.prompt, "answer": golden.answer} for golden in task.golden],
        "actions": [{"when": dict(action.when), "intent": action.intent} for action in task.actions],
        "quality": None
        if quality is None
        else {
            "passed": quality.passed,
            "checks": [
                {"name": check.name, "passed": check.passed, "summary": check.summary}
                for check in quality.checks
            ],
        },
    }


def task_bytes(task: Task) -> bytes:
    """Return the file's content; the same task has the same bytes."""
    return f"{json.dumps(to_json(task), indent=2, ensure_ascii=False)}\n".encode()
