"""Everything that brings a bundle into the Gallery, in one directory."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from edgekit.bundle.directory import NOTICE_NAME
from edgekit.errors import InputError
from edgekit.packaging.contents import PackagedBundle, Written
from edgekit.packaging.gallery.allowlist import (
    HOSTED_LIST_NAME,
    TASK_TYPES,
    TEST_LIST_NAME,
    hosted_entry,
    list_bytes,
    pushed_entry,
    safe_file_name,
)
from edgekit.packaging.gallery.card import ImportCard
from edgekit.packaging.gallery.trial import Trial, try_on_gallery_runtime
from edgekit.progress import SILENT, Progress

CARD_PAGE = "import-card.html"
CARD_TEXT = "import-card.md"


@dataclass(frozen=True)
class GalleryOptions:
    """What the Gallery shows, and where it gets the bundle from.

    name: of the model, unique in the Gallery. task_types: the Gallery's tasks that offer it; the first is opened by
    --open. url, or model_id (owner/name) and commit: where the bundle is hosted; without either there is no entry for
    a hosted list. try_runtime: run the bundle on the Gallery's release of the engine first.
    """

    name: str
    task_types: tuple[str, ...] = ("llm_chat", "llm_prompt_lab")
    url: str | None = None
    model_id: str | None = None
    commit: str | None = None
    try_runtime: bool = True

    @property
    def hosted(self) -> bool:
        """Whether it is said where the bundle can be downloaded."""
        return self.url is not None or self.model_id is not None


def write_gallery(
    bundle: PackagedBundle, directory: Path, options: GalleryOptions, progress: Progress = SILENT
) -> Written:
    """Write the model under a name that the Gallery takes, its lists of models, the import card and the terms.

    directory: empty; who calls puts it in its place. A bundle that fails on the Gallery's release of the engine is
    written all the same, and the first note says so: the developer may have another version of the app. Raises
    InputError for options that the Gallery would not take.
    """
    from edgekit.report.gallery import render_html, render_markdown  # which reads this package

    check_options(options)
    trial = try_on_gallery_runtime(bundle, progress) if options.try_runtime else None
    model_file = safe_file_name(bundle.model.name)
    _place(bundle.model, directory / model_file, progress)
    pushed = pushed_entry(bundle, options.name, options.task_types)
    card = ImportCard(options.name, model_file, bundle.manifest, bundle.task, trial, pushed["taskTypes"][0])
    terms = bundle.contents.assets[NOTICE_NAME]
    files = {
        TEST_LIST_NAME: list_bytes(pushed),
        CARD_PAGE: render_html(card).encode(),
        CARD_TEXT: render_markdown(card).encode(),
        NOTICE_NAME: terms.read_bytes() if isinstance(terms, Path) else terms,
    }
    if options.hosted:
        hosted = hosted_entry(
            bundle,
            options.name,
            options.task_types,
            url=options.url,
            model_id=options.model_id,
            commit=options.commit,
        )
        files[HOSTED_LIST_NAME] = list_bytes(hosted)
    for name, content in files.items():
        (directory / name).write_bytes(content)
    return Written(
        (model_file, *sorted(files)),
        next_steps=(
            f"by hand: copy {model_file} to the phone, import it in the Gallery with the values of {CARD_PAGE}",
            "over adb: the same command with --force --push --open",
        ),
        notes=_notes(bundle, options, trial),
    )


def check_options(options: GalleryOptions) -> None:
    """Raise InputError, which names the option, for what the Gallery would not take."""
    if not options.name.strip() or "/" in options.name or not options.name.isprintable():
        raise InputError(
            "the Gallery takes no such model name",
            where=f"--name {options.name!r}",
            remedy="letters, digits, spaces, points, hyphens; no slash",
        )
    unknown = [task for task in options.task_types if task not in TASK_TYPES]
    if unknown or not options.task_types:
        raise InputError(
            "the Gallery has no such task for a text model",
            where=f"--task-type {', '.join(unknown)}",
            remedy=f"one or more of {', '.join(TASK_TYPES)}",
        )
    if options.url is not None and not _is_https(options.url):
        raise InputError(
            "Android downloads from https addresses only",
            where=f"--url {options.url}",
            remedy="the full address of the file, such as https://example.com/model.litertlm",
        )
    if options.model_id is not None and not re.fullmatch(r"[\w.-]+/[\w.-]+", options.model_id, re.ASCII):
        raise InputError(
            "a model id has an owner and a name",
            where=f"--model-id {options.model_id}",
            remedy="as in owner/name",
        )
    if options.commit is not None and not re.fullmatch(r"[0-9a-f]{40}", options.commit):
        raise InputError(
            "a commit is named by its full hash",
            where=f"--commit {options.commit}",
            remedy="the 40 hexadecimal digits of the commit that holds the bundle",
        )
    if options.model_id is not None and options.url is None and options.commit is None:
        raise InputError(
            "the Gallery downloads from one commit of a repository",
            where=f"--model-id {options.model_id}",
            remedy="name the commit that holds the bundle with --commit",
        )
    if options.commit is not None and not options.hosted:
        raise InputError(
            "a commit of which repository?", where="--commit", remedy="name it with --model-id, or give --url"
        )


def _is_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme == "https" and bool(host) and url.isprintable() and " " not in url


def _place(model: Path, path: Path, progress: Progress) -> None:
    """Put the model there without a second copy on the disk, where the file system can."""
    size = model.stat().st_size
    with progress.step(f"copy {path.name}", size, "bytes") as advance:
        try:
            os.link(model.resolve(), path)
        except OSError:  # another file system, or one without links
            shutil.copyfile(model, path)
        advance(size)


def _notes(bundle: PackagedBundle, options: GalleryOptions, trial: Trial | None) -> tuple[str, ...]:
    notes = []
    if trial is not None and trial.outcome != "passed":
        notes.append(f"WARNING: {trial.said}" if trial.outcome != "skipped" else trial.said)
    if bundle.manifest.answer is not None:
        notes.append(
            "The Gallery cannot hold answers to the bundle's answer format: they are free text there."
        )
    if bundle.task.system_prompt:
        notes.append("The Gallery has no place for a system prompt: the model runs without it there.")
    if options.hosted:
        notes.append(
            f"{HOSTED_LIST_NAME} expects the file under the name {safe_file_name(bundle.model.name)}."
        )
    else:
        notes.append(
            f"No {HOSTED_LIST_NAME}: say where the bundle is hosted, with --url or with --model-id and --commit."
        )
    return tuple(notes)
