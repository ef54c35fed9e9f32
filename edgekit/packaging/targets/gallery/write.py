"""The files for the Gallery."""

from __future__ import annotations

import os
from pathlib import Path

from edgekit.bundle.directory import NOTICE_NAME
from edgekit.packaging.source import Job, copy_file, write_text
from edgekit.packaging.targets.gallery.allowlist import (
    Hosting,
    hosted_list,
    list_text,
    model_file,
    pushed_list,
)
from edgekit.packaging.targets.gallery.card import ImportCard
from edgekit.packaging.targets.gallery.page import render_html, render_markdown
from edgekit.packaging.targets.gallery.trial import Trial
from edgekit.progress import Progress

HOSTED_NAME = "allowlist.json"
PUSHED_NAME = "model_allowlist_test.json"
CARD_NAME = "import-card"


def write_gallery(job: Job, directory: Path, *, hosting: Hosting | None, trial: Trial) -> tuple[str, ...]:
    """Write the model under a name that the Gallery takes, lists, import card and terms into an empty directory.

    Gives the next commands.
    """
    source = job.source
    card = ImportCard(source, trial)
    _place(source.model, directory / model_file(source), job.progress)
    if hosting is not None:
        write_text(directory / HOSTED_NAME, list_text(hosted_list(source, hosting)))
    write_text(directory / PUSHED_NAME, list_text(pushed_list(source)))
    write_text(directory / f"{CARD_NAME}.md", render_markdown(card))
    write_text(directory / f"{CARD_NAME}.html", render_html(card))
    notice = source.contents.assets[NOTICE_NAME]
    (directory / NOTICE_NAME).write_bytes(notice if isinstance(notice, bytes) else notice.read_bytes())
    return (
        f"edgekit package {source.directory} --to gallery -o {{output}} --force --push --open",
        f"or by hand: what {{output}}/{CARD_NAME}.html says",
    )


def _place(model: Path, path: Path, progress: Progress) -> None:
    """Put the model there, without a second copy on the disk where the file system can."""
    try:
        os.link(model.resolve(), path)
    except OSError:  # another file system, or one without links
        with progress.step("copy the model", model.stat().st_size, "bytes") as advance:
            copy_file(model, path, advance)
