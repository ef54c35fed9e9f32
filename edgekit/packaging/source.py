"""The bundle that is packaged, with everything that all targets need to know of it and of its adapters."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from edgekit.bundle.adapter.manifest import AdapterManifest
from edgekit.bundle.adapter.opening import Adapter
from edgekit.bundle.directory import ADAPTER_MANIFEST_NAME, MANIFEST_NAME, NOTICE_NAME
from edgekit.bundle.manifest import Bundle, Manifest, ModelFile, manifest_bytes, open_bundle
from edgekit.errors import BundleError, InputError
from edgekit.files.digest import file_digest
from edgekit.packaging.golden import ask_engine, read_prompts
from edgekit.packaging.identity import Identity
from edgekit.packaging.offer import (
    TASKS_NAME,
    Offer,
    Planned,
    Task,
    plan_adapters,
    plan_base,
    tasks_bytes,
)
from edgekit.packaging.presets import Presets
from edgekit.progress import SILENT, Progress


@dataclass(frozen=True)
class Source:
    """A checked bundle with its adapters, and what an app offers of them.

    adapters: by folder, which a task names. suppressed: ids that must not be generated under an answer format
    (`edgekit.packaging.golden.Asked`). notes: what the user should know, one sentence each.
    """

    directory: Path
    manifest: Manifest
    model: Path
    offer: Offer
    adapters: Mapping[str, Adapter]
    suppressed: tuple[int, ...]
    contents: AppContents
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """What the bundle is called: its model file, without the suffix."""
        return self.model.stem

    @property
    def task(self) -> Task:
        """The first task: the only one of a bundle without adapters."""
        return self.offer.tasks[0]

    def manifest_of(self, task: Task) -> Manifest | AdapterManifest:
        """The manifest that says how a task's answers are sampled, and what they are held to."""
        return self.manifest if task.adapter is None else self.adapters[task.adapter].manifest

    def sidecar_of(self, task: Task) -> ModelFile | None:
        """The sidecar that each of a task's conversations needs, named as an asset: an adapter's, or that of none.

        None for a bundle that takes no adapters.
        """
        if task.adapter is not None:
            sidecar = self.adapters[task.adapter].manifest.sidecar
            return replace(sidecar, file=f"{ADAPTERS_NAME}/{task.adapter}/{sidecar.file}")
        return None if self.manifest.adapters is None else self.manifest.adapters.empty


@dataclass(frozen=True)
class Choice:
    """What is to be packaged beside the bundle.

    adapters: bundles, in the order of their tasks. with_base: list the bundle's own task too, first. label: the app's
    name, where an option says it. golden_from: data with prompts for the golden answers, of a single task only.
    """

    adapters: Sequence[Path] = ()
    with_base: bool = False
    label: str | None = None
    golden_from: Path | None = None


def open_usable(bundle: Path, progress: Progress = SILENT) -> Bundle:
    """Open a bundle and check it against its manifest. Raises BundleError when it is none that an app can talk with."""
    with progress.step("check the bundle"):
        opened = open_bundle(bundle)
        _refuse_unusable(opened)
    return opened


def make_source(
    opened: Bundle,
    presets: Presets,
    choice: Choice,
    *,
    threads: int | None = None,
    progress: Progress = SILENT,
) -> Source:
    """Check adapters against a usable bundle, and ask the engine for golden answers.

    Raises AdapterError for an adapter that is not the bundle's, InputError for presets or golden prompts that cannot be
    used, BundleError when the engine cannot answer.
    """
    manifest = opened.manifest
    assert manifest is not None
    planned = plan_adapters(choice.adapters, opened)
    base = plan_base(opened, manifest, presets)
    if choice.with_base or not planned:
        planned = (base, *planned)
    if choice.golden_from is not None:
        planned = (_asked_from(choice.golden_from, planned),)
    asked = ask_engine(
        opened.model_path, [plan.prompts for plan in planned], threads=threads, progress=progress
    )
    tasks, notes = [], []
    for plan, answers in zip(planned, asked.tasks, strict=True):
        tasks.append(replace(plan.task, golden=answers.golden))
        said = [*plan.notes, *(_no_answer(prompt) for prompt in answers.left_out)]
        if not plan.prompts.texts:
            said.append(_NO_EXAMPLES)
        notes += [f"{plan.task.id}: {note}" if choice.adapters else note for note in said]
    offer = Offer(choice.label or presets.label or base.task.title, tuple(tasks))
    adapters = {plan.task.id: plan.adapter for plan in planned if plan.adapter is not None}
    contents = app_contents(opened.directory, manifest, offer, adapters)
    return Source(
        directory=opened.directory,
        manifest=manifest,
        model=opened.model_path,
        offer=offer,
        adapters=adapters,
        suppressed=asked.suppressed,
        contents=contents,
        notes=tuple(notes),
    )


_NO_EXAMPLES = "no examples: list some in edgekit.toml, and the app offers them and tests itself by them"


def _no_answer(prompt: str) -> str:
    return f"no golden answer to “{prompt}”: it did not end within its limit"


def _refuse_unusable(opened: Bundle) -> None:
    manifest = opened.manifest
    if opened.model_path.suffix != ".litertlm":
        raise BundleError(
            "a bare graph has neither tokenizer nor template, which an app needs",
            where=opened.model_path,
            remedy="convert with --format litertlm",
        )
    if manifest is None:
        raise BundleError(
            "this file has no manifest, so what it needs in an app is not known",
            where=opened.model_path,
            remedy="package a bundle directory from edgekit convert",
        )
    if manifest.template_sha256 is None:
        raise BundleError(
            "this bundle has no chat template, so an app cannot talk with it",
            where=opened.model_path,
            remedy="convert a checkpoint that has one",
        )
    if manifest.adapters is not None:
        empty = manifest.adapters.empty
        path = opened.directory / empty.file
        if not path.is_file() or file_digest(path) != empty.sha256:
            raise BundleError(
                "the sidecar for conversations without an adapter is missing or was changed",
                where=path,
                remedy="copy the whole bundle again, or convert again with --force",
            )


def _asked_from(path: Path, planned: Sequence[Planned]) -> Planned:
    if len(planned) > 1:
        raise InputError(
            f"these prompts are for one task, and there are {len(planned)}",
            where="--golden-from",
            remedy="list examples in the edgekit.toml beside each adapter",
        )
    (plan,) = planned
    return replace(plan, prompts=replace(plan.prompts, texts=read_prompts(path)))


ADAPTERS_NAME: Final = "adapters"
"""The folder of the adapters; each has one of its own in it, with the name that its task gives."""


@dataclass(frozen=True)
class AppContents:
    """The files of `assets/edgekit` (docs/design/app.md).

    assets: by name, with / between folders; a file to be copied from where it lies, or its bytes.
    """

    assets: Mapping[str, Path | bytes]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(
            asset.stat().st_size if isinstance(asset, Path) else len(asset) for asset in self.assets.values()
        )


def app_contents(
    directory: Path, manifest: Manifest, offer: Offer, adapters: Mapping[str, Adapter] | None = None
) -> AppContents:
    """Gather what an app gets of a bundle and its adapters: manifests as they lie there, tasks, terms, model, sidecars.

    adapters: by folder. The terms are the bundle's NOTICE; a bundle without one gets a file that says so, because the
    app's model card shows it and no app should ship a Gemma model without a word on its terms. An adapter's own terms
    go along where it has some.
    """
    manifest_path, notice = directory / MANIFEST_NAME, directory / NOTICE_NAME
    assets: dict[str, Path | bytes] = {
        MANIFEST_NAME: manifest_path if manifest_path.is_file() else manifest_bytes(manifest),
        TASKS_NAME: tasks_bytes(offer),
        NOTICE_NAME: notice if notice.is_file() else _no_terms(manifest),
        manifest.model.file: directory / manifest.model.file,
    }
    if manifest.adapters is not None:
        assets[manifest.adapters.empty.file] = directory / manifest.adapters.empty.file
    for folder, adapter in (adapters or {}).items():
        for name in (ADAPTER_MANIFEST_NAME, adapter.manifest.sidecar.file, NOTICE_NAME):
            if name != NOTICE_NAME or (adapter.directory / name).is_file():
                assets[f"{ADAPTERS_NAME}/{folder}/{name}"] = adapter.directory / name
    return AppContents(assets)


def _no_terms(manifest: Manifest) -> bytes:
    said = manifest.licence or "The checkpoint that this model was converted from says nothing of its terms."
    remark = "A fine-tune of Gemma is under the Gemma Terms of Use, which must travel with the model."
    return f"{said}\n\n{remark}\n".encode()


_PIECE = 4 << 20


@dataclass(frozen=True)
class Job:
    """A bundle and the app it goes into. icon: a square PNG, None for the sample app's own."""

    source: Source
    identity: Identity
    icon: Path | None
    abis: tuple[str, ...]
    progress: Progress = SILENT


Write = Callable[[Path], tuple[str, ...]]
"""Writes a target into an empty directory; gives the next commands to type, in which {output} is the directory."""


def place_assets(contents: AppContents, directory: Path, progress: Progress = SILENT) -> None:
    """Put the files of `assets/edgekit` into a directory; it is made, with the folders in it."""
    with progress.step("copy the bundle", contents.size, "bytes") as advance:
        for name, asset in contents.assets.items():
            place = directory / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(asset, bytes):
                place.write_bytes(asset)
                advance(len(asset))
            else:
                copy_file(asset, place, advance)


def copy_file(source: Path, place: Path, advance: Callable[[int], None]) -> None:
    """Copy a file and its permissions; tells how far it is."""
    with source.open("rb") as reading, place.open("wb") as writing:
        while piece := reading.read(_PIECE):
            writing.write(piece)
            advance(len(piece))
    shutil.copymode(source, place)


def write_text(path: Path, text: str) -> None:
    """Write a text file, with its directories; it ends with one newline."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.rstrip("\n") + "\n", encoding="utf-8", newline="\n")
