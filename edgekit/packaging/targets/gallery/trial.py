"""The bundle on the Gallery's release of the engine, which is older than the one that most bundles are made with."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

from edgekit.errors import EdgekitError, MissingToolError
from edgekit.html.text import shorten
from edgekit.packaging.source import Source
from edgekit.packaging.targets.gallery.settings import GALLERY_RUNTIME
from edgekit.progress import SILENT, Progress
from edgekit.runtime.ask.questions import Questions, Refusal, Said, ask_engine
from edgekit.runtime.releases import PACKAGE, environment
from edgekit.text.messages import Message

_MOST_PROMPTS = 3
_MOST_TOKENS = 64
_SHOWN = 80


@dataclass(frozen=True)
class Trial:
    """What came of it. sentence: for people, without the final full stop.

    passed: it answers as this installation's engine does. warning: otherwise. failed: not at all. skipped: that
    release could not be run here, which says nothing of the bundle.
    """

    outcome: Literal["passed", "warning", "failed", "skipped"]
    sentence: str


def try_gallery_runtime(source: Source, progress: Progress = SILENT) -> Trial:
    """Run a bundle on the Gallery's release of the engine, installed once into an environment of its own.

    Prompts go in as the Gallery's programming interface sends them, a list of parts: a chat template that takes strings
    only would put that list into the prompt. Answers are compared with those of the installed engine to plain strings.
    """
    if _release(needed := source.manifest.minimum_runtime) > _release(GALLERY_RUNTIME):
        return Trial("failed", f"{_FAILS}: it needs {needed}; convert with --kv-layout full for the Gallery")
    try:
        python = environment(GALLERY_RUNTIME, progress)
    except MissingToolError as error:
        return Trial("skipped", f"{_NOT_TRIED}: {error.message}")
    prompts = _prompts(source)
    there = _ask(source, [_as_parts(prompt) for prompt in prompts], GALLERY_RUNTIME, str(python), progress)
    if isinstance(there, Refusal):
        if "cannot open shared object file" in there.reason:
            return Trial("skipped", f"{_NOT_TRIED}: {_last_line(there.reason)}; {_VULKAN}")
        return Trial("failed", f"{_FAILS}: {_last_line(there.reason)}")
    here = _ask(source, [_as_text(prompt) for prompt in prompts], version(PACKAGE), None, progress)
    if isinstance(here, Refusal):
        return Trial("failed", f"this machine's engine does not run the bundle: {_last_line(here.reason)}")
    for prompt, ours, theirs in zip(prompts, here.answers, there.answers, strict=True):
        if ours.text != theirs.text:
            return Trial("warning", _difference(prompt, ours.text, theirs.text))
    count = f"{len(prompts)} prompts" if len(prompts) > 1 else "a prompt"
    return Trial("passed", f"the Gallery's runtime {GALLERY_RUNTIME} answers {count} as {here.name} does")


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


_FAILS = f"the Gallery's runtime {GALLERY_RUNTIME} does not run this bundle"
_NOT_TRIED = f"not tried on the Gallery's runtime {GALLERY_RUNTIME}"
_VULKAN = "that release needs the system's Vulkan loader (Debian: libvulkan1), even for the CPU"


def _ask(
    source: Source, prompts: list[Message], name: str, python: str | None, progress: Progress
) -> Said | Refusal:
    questions = Questions((), (), tuple((prompt,) for prompt in prompts), _MOST_TOKENS)
    try:
        return ask_engine(source.model, questions, name=name, python=python, progress=progress)
    except EdgekitError as error:  # it opened the file, and failed at an answer
        return Refusal(error.message)


def _prompts(source: Source) -> tuple[str, ...]:
    golden = (golden.prompt for golden in source.task.golden)
    known = dict.fromkeys((*golden, *source.task.examples))
    return tuple(known)[:_MOST_PROMPTS] or ("Hello",)


def _as_text(prompt: str) -> Message:
    return {"role": "user", "content": prompt}


def _as_parts(prompt: str) -> Message:
    return {"role": "user", "content": [{"type": "text", "text": prompt}]}


def _difference(prompt: str, ours: str, theirs: str) -> str:
    return (
        f"the Gallery's runtime {GALLERY_RUNTIME} answers “{shorten(prompt, _SHOWN)}” with "
        f"“{shorten(theirs, _SHOWN)}”, this machine's {version(PACKAGE)} with “{shorten(ours, _SHOWN)}”"
    )


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else "it gives no reason"
