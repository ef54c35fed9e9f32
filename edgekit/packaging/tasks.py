"""`tasks.json`: what the app does with a bundle and its adapters (docs/design/app.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

TASKS_NAME: Final = "tasks.json"
SCHEMA_VERSION: Final = 2
BASE_ID: Final = "base"
"""Of the task that is the bundle's own, without an adapter."""


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
    """The verdict of `edgekit validate` on the bundle, with the task's adapter where it has one."""

    passed: bool
    checks: tuple[QualityCheck, ...]


@dataclass(frozen=True)
class Task:
    """Something that the app does.

    id: a-z, 0-9 and -, each once in an app. adapter: its folder under `adapters`, None for the bundle itself. title: of
    its screen. examples: prompts that one tap sends. golden: what the self-test compares. actions: the first whose
    condition holds counts. quality: None when `edgekit validate` has not run on these very files.
    """

    id: str
    adapter: str | None
    title: str
    description: str | None = None
    system_prompt: str | None = None
    examples: tuple[str, ...] = ()
    golden: tuple[Golden, ...] = ()
    actions: tuple[Action, ...] = ()
    quality: Quality | None = None


@dataclass(frozen=True)
class Offer:
    """What the app offers: at least one task. title: of its home screen, which it has when there are several."""

    title: str
    tasks: tuple[Task, ...]


def to_json(offer: Offer) -> dict[str, Any]:
    """Return the offer as JSON values, in the order in which they are written."""
    return {
        "schema_version": SCHEMA_VERSION,
        "title": offer.title,
        "tasks": [_task(task) for task in offer.tasks],
    }


def tasks_bytes(offer: Offer) -> bytes:
    """Return the file's content; the same offer has the same bytes."""
    return f"{json.dumps(to_json(offer), indent=2, ensure_ascii=False)}\n".encode()


def _task(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "adapter": task.adapter,
        "title": task.title,
        "description": task.description,
        "system_prompt": task.system_prompt,
        "examples": list(task.examples),
        "golden": [{"prompt": golden.prompt, "answer": golden.answer} for golden in task.golden],
        "actions": [{"when": dict(action.when), "intent": action.intent} for action in task.actions],
        "quality": None if task.quality is None else _quality(task.quality),
    }


def _quality(quality: Quality) -> dict[str, Any]:
    return {
        "passed": quality.passed,
        "checks": [
            {"name": check.name, "passed": check.passed, "summary": check.summary} for check in quality.checks
        ],
    }
