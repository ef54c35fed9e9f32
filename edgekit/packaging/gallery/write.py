"""The files for the Gallery."""

from __future__ import annotations

from pathlib import Path

from edgekit.bundle.directory import NOTICE_NAME
from edgekit.packaging.gallery.allowlist import Hosting, check_names, hosted_list, list_text, pushed_list
from edgekit.packaging.gallery.card import card_page, markdown_card
from edgekit.packaging.gallery.trial import Trial
from edgekit.packaging.job import Job, write_text
from edgekit.report.page import render_page

HOSTED_NAME = "allowlist.json"
PUSHED_NAME = "model_allowlist_test.json"
CARD_NAME = "import-card"


def write_gallery(job: Job, directory: Path, *, hosting: Hosting | None, trial: Trial) -> tuple[str, ...]:
    """Write lists, import card and terms into an empty directory; gives the next commands.

    The model stays where it is: it goes to the phone from there.
    """
    source = job.source
    check_names(source)
    if hosting is not None:
        write_text(directory / HOSTED_NAME, list_text(hosted_list(source, hosting)))
    write_text(directory / PUSHED_NAME, list_text(pushed_list(source)))
    write_text(directory / f"{CARD_NAME}.md", markdown_card(source, trial))
    write_text(directory / f"{CARD_NAME}.html", render_page(card_page(source, trial)))
    notice = source.contents.assets[NOTICE_NAME]
    (directory / NOTICE_NAME).write_bytes(notice if isinstance(notice, bytes) else notice.read_bytes())
    return (
        f"edgekit package {source.directory} --to gallery -o {{output}} --force --push --open",
        f"or by hand: what {{output}}/{CARD_NAME}.html says",
    )
