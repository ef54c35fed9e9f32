"""`tasks.json`: what the app does with a bundle and its adapters (docs/design/app.md)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgekit.bundle.adapter.opening import Adapter, open_adapter
from edgekit.bundle.manifest import Manifest
from edgekit.bundle.opening import Bundle
from edgekit.errors import AdapterError
from edgekit.packaging.golden import Golden, Prompts
from edgekit.packaging.presets import Action, Presets, TaskPresets, find_task_presets
from edgekit.packaging.quality import Quality, read_adapter_quality, read_quality
from edgekit.quoting import json_text
from edgekit.text.messages import Turns

SCHEMA_VERSION: Final = 2
BASE_ID: Final = "base"
"""Of the task that is the bundle's own, without an adapter."""


@dataclass(frozen=True)
class Task:
    """Something that the app does.

    id: a-z, 0-9 and -, each once in an app. adapter: its folder under `adapters`, None for the bundle itself. title: of
    its screen. turns: "one" when each message begins a conversation of its own. examples: prompts that one tap sends.
    golden: what the self-test compares. actions: the first whose condition holds counts. quality: None when `edgekit
    validate` has not run on these very files.
    """

    id: str
    adapter: str | None
    title: str
    description: str | None = None
    system_prompt: str | None = None
    turns: Turns = "many"
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
    return json_text(to_json(offer)).encode()


def _task(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "adapter": task.adapter,
        "title": task.title,
        "description": task.description,
        "system_prompt": task.system_prompt,
        "turns": task.turns,
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


@dataclass(frozen=True)
class Planned:
    """A task before its golden answers, and what they are asked with.

    adapter: None for the bundle itself. notes: what the user should know, one sentence each.
    """

    task: Task
    prompts: Prompts
    adapter: Adapter | None
    notes: tuple[str, ...]


def plan_base(bundle: Bundle, manifest: Manifest, presets: Presets) -> Planned:
    """The bundle's own task. Its title is the presets', else the app's label, else the model's name."""
    verdict = read_quality(bundle.directory, manifest)
    task = Task(
        id=BASE_ID,
        adapter=None,
        title=presets.title or presets.label or title_of(bundle.model_path.stem),
        description=presets.description,
        system_prompt=presets.system_prompt,
        turns=_turns(presets, bundle, one=manifest.one_turn),
        examples=tuple(dict.fromkeys((*presets.examples, *manifest.examples))),
        actions=presets.actions,
        quality=verdict.quality,
    )
    prompts = Prompts(task.examples, task.system_prompt, manifest.answer)
    return Planned(task, prompts, None, () if verdict.note is None else (verdict.note,))


def plan_adapters(paths: Sequence[Path], base: Bundle) -> tuple[Planned, ...]:
    """A task for each adapter, in the order in which they are named.

    paths: adapter bundles. Raises AdapterError for one that does not belong to the base or was changed, for the same
    one named twice, and for two whose names give the same id; InputError for presets that cannot be used.
    """
    opened: dict[str, Adapter] = {}
    for path in paths:
        adapter = open_adapter(path, base)
        task_id = id_of(adapter)
        other = opened.get(task_id)
        if other is not None and other.directory.resolve() == adapter.directory.resolve():
            raise AdapterError("this adapter is named twice", where=path, remedy="name it once")
        if other is not None:
            raise AdapterError(
                f"two adapters would be the task “{task_id}”: {other.manifest.name} in {other.directory} and "
                f"{adapter.manifest.name} in {adapter.directory}",
                where="--adapter",
                remedy="make one of them under another name: edgekit adapter … --name NAME",
            )
        opened[task_id] = adapter
    return tuple(_plan_adapter(task_id, adapter, base) for task_id, adapter in opened.items())


def _plan_adapter(task_id: str, adapter: Adapter, base: Bundle) -> Planned:
    manifest, presets = adapter.manifest, find_task_presets(adapter.directory)
    assert base.manifest is not None  # else it takes no adapters
    verdict = read_adapter_quality(adapter)
    task = Task(
        id=task_id,
        adapter=task_id,
        title=presets.title or title_of(manifest.name),
        description=presets.description,
        system_prompt=presets.system_prompt or manifest.system_prompt,
        turns=_turns(presets, base, manifest.chat_template, one=manifest.one_turn_on(base.manifest)),
        examples=tuple(dict.fromkeys((*presets.examples, *manifest.examples))),
        actions=presets.actions,
        quality=verdict.quality,
    )
    prompts = Prompts(
        task.examples, task.system_prompt, manifest.answer, adapter.sidecar, manifest.chat_template
    )
    return Planned(task, prompts, adapter, () if verdict.note is None else (verdict.note,))


def _turns(presets: TaskPresets, bundle: Bundle, template: str | None = None, *, one: bool) -> Turns:
    """What the presets say, else the manifest. template: the task's own, None for the bundle's."""
    if presets.turns == "many" and one:
        from edgekit.conversion.adapter.talking import template_of
        from edgekit.text.template.verify import check_many_turns

        check_many_turns(template or template_of(bundle), f"{presets.source}: turns")
    return presets.turns or ("one" if one else "many")


def id_of(adapter: Adapter) -> str:
    """An adapter's name as the id of its task: Support_Triage → support-triage.

    Raises AdapterError when nothing of it is left, or it would be the base's own.
    """
    name = adapter.manifest.name
    task_id = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if task_id in ("", BASE_ID):
        raise AdapterError(
            f"an adapter called “{name}” cannot be a task: "
            + (f"{BASE_ID} is the base's own" if task_id else "an id is of letters and digits"),
            where=adapter.directory,
            remedy="make it under another name: edgekit adapter … --name NAME",
        )
    return task_id


def title_of(name: str) -> str:
    """A name as people write it: settings-navigator → Settings navigator."""
    words = name.replace("-", " ").replace("_", " ").strip()
    return words[:1].upper() + words[1:]
