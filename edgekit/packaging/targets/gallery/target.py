"""`--to gallery`: the files for the AI Edge Gallery, and the Gallery on a device where that is asked for."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from edgekit.bundle.directory import NOTICE_NAME
from edgekit.errors import BundleError, InputError
from edgekit.figures import size
from edgekit.packaging.source import Job, Source, copy_file, write_text
from edgekit.packaging.target import Delivered, Flag, PackageTarget, Written, find_device
from edgekit.packaging.targets.gallery.actions import note
from edgekit.packaging.targets.gallery.allowlist import (
    Hosting,
    check_hosting,
    hosted_list,
    list_text,
    model_file,
    pushed_list,
)
from edgekit.progress import Progress

if TYPE_CHECKING:
    from edgekit.packaging.targets.gallery.trial import Trial

HOSTED_NAME: Final = "allowlist.json"
PUSHED_NAME: Final = "model_allowlist_test.json"
CARD_NAME: Final = "import-card"

_MERGED: Final = (
    "merge it into a bundle of its own: edgekit convert ADAPTER --base CHECKPOINT -o MERGED, "
    "then edgekit package MERGED --to gallery"
)


@dataclass(frozen=True)
class GalleryOptions:
    """Where the Gallery can download the model, and what is done before and after.

    check: run the bundle on the Gallery's engine first. device: a serial; without, the only device there is.
    Raises InputError for an address that cannot be used, and for options that say nothing without another.
    """

    url: Annotated[str | None, Flag("https address of the model file.")] = None
    model_id: Annotated[str | None, Flag("owner/name on Hugging Face.")] = None
    commit: Annotated[str | None, Flag("Hash of the commit there that holds the model.")] = None
    check: Annotated[
        bool, Flag("Do not run the bundle on the Gallery's older engine first.", names=("--no-check",))
    ] = True
    push: Annotated[bool, Flag("Put model and list on the device.")] = False
    open: Annotated[bool, Flag("Start the Gallery at the model on the device.")] = False
    device: Annotated[
        str | None, Flag("The device, as adb's own -s.", names=("--device", "-s"), metavar="SERIAL")
    ] = None

    def __post_init__(self) -> None:
        check_hosting(self.model_id, self.url, self.commit)
        if self.device is not None and not (self.push or self.open):
            raise InputError("nothing is done on a device", where="--device", remedy="add --push or --open")

    @property
    def hosting(self) -> Hosting | None:
        """Where the model can be downloaded; None when that is not said."""
        return check_hosting(self.model_id, self.url, self.commit)


def refuse(source: Source, options: GalleryOptions) -> None:
    """Refuse adapters, a base that needs one, and a device that is not there."""
    if source.adapters:
        raise InputError(
            "the AI Edge Gallery imports one model file, and has no place for an adapter beside it",
            where="--adapter",
            remedy=f"{_MERGED}, once for each adapter",
        )
    if source.signing is not None:
        raise InputError(
            "the AI Edge Gallery takes the model file alone, and looks at no signature",
            where="--sign",
            remedy="leave it away; its lists name the model's SHA-256",
        )
    if source.manifest.adapters is not None:
        raise BundleError(
            "this base takes adapters, and the AI Edge Gallery gives it none: the engine would leave the inputs for "
            "them as the memory was, and answer with noise",
            where=source.model,
            remedy=f"convert the checkpoint again without --adapters; or, for an adapter, {_MERGED}",
        )
    if options.push or options.open:
        find_device(options.device)


def write(job: Job, directory: Path, options: GalleryOptions) -> Written:
    """Run the bundle on the Gallery's engine, and write what `write_files` writes."""
    from edgekit.packaging.targets.gallery.trial import Trial, try_gallery_runtime

    trial = Trial("skipped", "not tried on the Gallery's runtime, as asked")
    if options.check:
        trial = try_gallery_runtime(job.source, job.progress)
    write_files(job, directory, options.hosting, trial)
    again = shlex.join(["edgekit", "package", str(job.source.directory)])
    return Written(
        next_steps=(
            f"{again} --to gallery -o {{output}} --force --push --open",
            f"or by hand: what {{output}}/{CARD_NAME}.html says",
        ),
        notes=(*_notes(options, trial), *filter(None, [note(job.source.manifest.calling)])),
        problems=(trial.sentence,) if trial.outcome == "failed" else (),
        facts={"gallery_runtime": {"outcome": trial.outcome, "sentence": trial.sentence}},
        told=(("Gallery", trial.sentence),) if trial.outcome == "passed" else (),
    )


def write_files(job: Job, directory: Path, hosting: Hosting | None, trial: Trial) -> None:
    """Write the model under a name that the Gallery takes, lists, import card and terms into an empty directory."""
    from edgekit.packaging.targets.gallery.card import ImportCard
    from edgekit.packaging.targets.gallery.page import render_html, render_markdown

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


def deliver(source: Source, _: Path, options: GalleryOptions, progress: Progress) -> Delivered | None:
    """Push the model and open the Gallery at it, where that is asked for."""
    from edgekit.packaging.targets.gallery.device import open_gallery, push_to_gallery

    if not (options.push or options.open):
        return None
    device = find_device(options.device)
    said = []
    if options.push:
        sent = push_to_gallery(device, source, progress=progress)
        said.append(f"pushed to {device.serial}, {size(sent)} had to travel")
    if options.open:
        open_gallery(device, source)
        said.append(f"the Gallery is open at the model on {device.serial}")
    return Delivered(device.serial, tuple(said))


def _notes(options: GalleryOptions, trial: Trial) -> tuple[str, ...]:
    notes = []
    if trial.outcome != "passed":
        notes.append(trial.sentence if trial.outcome == "skipped" else f"WARNING: {trial.sentence}")
    if options.hosting is None:
        notes.append(
            "no hosted entry: say where the model can be downloaded with --url, or --model-id and --commit"
        )
    return tuple(notes)


def _place(model: Path, path: Path, progress: Progress) -> None:
    """Put the model there, without a second copy on the disk where the file system can."""
    try:
        os.link(model.resolve(), path)
    except OSError:  # another file system, or one without links
        with progress.step("copy the model", model.stat().st_size, "bytes") as advance:
            copy_file(model, path, advance)


GALLERY: Final = PackageTarget(
    name="gallery",
    about="Google's AI Edge Gallery",
    options=GalleryOptions,
    write=write,
    refuse=refuse,
    deliver=deliver,
)
