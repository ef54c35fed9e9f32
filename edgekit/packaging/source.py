"""The bundle that is packaged, with everything that all targets need to know of it and of its adapters."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from edgekit.bundle.adapter.manifest import AdapterManifest
from edgekit.bundle.adapter.opening import Adapter
from edgekit.bundle.directory import (
    ADAPTER_MANIFEST_NAME,
    MANIFEST_NAME,
    NOTICE_NAME,
    SBOM_NAME,
    SIGNATURE_NAME,
    TASKS_NAME,
)
from edgekit.bundle.manifest import Manifest, ModelFile, manifest_bytes
from edgekit.bundle.opening import Bundle, open_bundle
from edgekit.bundle.signature import (
    Key,
    SignatureFaultError,
    SigningKey,
    read_signature,
    read_signing_key,
    signature_bytes,
)
from edgekit.errors import BundleError, InputError
from edgekit.files.digest import file_digest
from edgekit.packaging.golden import Prompts, ask_engine, read_prompts
from edgekit.packaging.offer import (
    Offer,
    Planned,
    Task,
    plan_adapters,
    plan_base,
    tasks_bytes,
)
from edgekit.packaging.play import Compressed, PlaySize
from edgekit.packaging.presets import Presets, find_presets
from edgekit.packaging.sbom import bundle_bill
from edgekit.progress import SILENT, Progress


@dataclass(frozen=True)
class Source:
    """A checked bundle with its adapters, and what an app offers of them.

    presets: what is said of the app. adapters: by folder, which a task names. prompts: for the golden answers, of each
    task. suppressed: ids that must not be generated under an answer format (`edgekit.packaging.golden.Asked`).
    notes: what the user should know, one sentence each. signing: the key that signs what an app gets, None to leave it
    as it was signed, or was not.
    """

    directory: Path
    manifest: Manifest
    model: Path
    presets: Presets
    offer: Offer
    adapters: Mapping[str, Adapter] = field(default_factory=dict)
    prompts: tuple[Prompts, ...] = ()
    suppressed: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    signing: SigningKey | None = None

    @property
    def signed_in_part(self) -> bool:
        """Whether the bundle came with a signature, which does not cover what packaging adds."""
        return self.signing is None and (self.directory / SIGNATURE_NAME).is_file()

    @cached_property
    def contents(self) -> AppContents:
        """What goes into an app."""
        contents = app_contents(self.directory, self.manifest, self.offer, self.adapters)
        return contents if self.signing is None else signed(contents, self.signing)

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

    adapters: bundles, in the order of their tasks. with_base: list the bundle's own task too, first. presets: a file,
    in the place of the one beside the bundle. label: the app's name, where an option says it. golden_from: data with
    prompts for the golden answers, of a single task only. sign: file of a private key.
    """

    adapters: Sequence[Path] = ()
    with_base: bool = False
    presets: Path | None = None
    label: str | None = None
    golden_from: Path | None = None
    sign: Path | None = None


def open_source(bundle: Path, choice: Choice, progress: Progress = SILENT) -> Source:
    """Open a bundle and its adapters, and check them; golden answers are still to be asked for.

    Raises BundleError for a bundle that no app can talk with, AdapterError for an adapter that is not the bundle's,
    InputError for presets or golden prompts that cannot be used.
    """
    if choice.with_base and not choice.adapters:
        raise InputError(
            "a bundle without adapters is packaged with its own task anyway",
            where="--with-base",
            remedy="leave it away, or name adapters with --adapter",
        )
    signing = None if choice.sign is None else read_signing_key(choice.sign)
    with progress.step("check the bundle"):
        opened = open_bundle(bundle)
        manifest = _usable_manifest(opened)
    presets = find_presets(opened.directory, choice.presets)
    base = plan_base(opened, manifest, presets)
    planned = plan_adapters(choice.adapters, opened)
    if choice.with_base or not planned:
        planned = (base, *planned)
    if choice.golden_from is not None:
        planned = (_asked_from(choice.golden_from, planned),)
    return Source(
        directory=opened.directory,
        manifest=manifest,
        model=opened.model_path,
        presets=presets if choice.label is None else replace(presets, label=choice.label),
        offer=Offer(choice.label or presets.label or base.task.title, tuple(plan.task for plan in planned)),
        adapters={plan.task.id: plan.adapter for plan in planned if plan.adapter is not None},
        prompts=tuple(plan.prompts for plan in planned),
        notes=tuple(
            _of_task(plan.task, note, choice.adapters) for plan in planned for note in _planned_notes(plan)
        ),
        signing=signing,
    )


def answered(source: Source, *, threads: int | None = None, progress: Progress = SILENT) -> Source:
    """Ask the engine for golden answers. Raises BundleError when it cannot answer."""
    asked = ask_engine(source.model, source.prompts, threads=threads, progress=progress)
    given = list(zip(source.offer.tasks, asked.tasks, strict=True))
    tasks = tuple(replace(task, golden=answers.golden) for task, answers in given)
    left_out = [
        _of_task(task, f"no golden answer to “{prompt}”: it did not end within its limit", source.adapters)
        for task, answers in given
        for prompt in answers.left_out
    ]
    return replace(
        source,
        offer=replace(source.offer, tasks=tasks),
        suppressed=asked.suppressed,
        notes=(*source.notes, *left_out),
    )


_NO_EXAMPLES = "no examples: list some in edgekit.toml, and the app offers them and tests itself by them"


def _planned_notes(plan: Planned) -> tuple[str, ...]:
    return plan.notes if plan.prompts.texts else (*plan.notes, _NO_EXAMPLES)


def _of_task(task: Task, note: str, adapters: Collection[object]) -> str:
    """A note on a task, which is named where there are several."""
    return f"{task.id}: {note}" if adapters else note


def _usable_manifest(opened: Bundle) -> Manifest:
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
    return manifest


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
    go along where it has some, and a signature where there is one. A bill of materials tells what all was made of.
    """
    manifest_path, notice = directory / MANIFEST_NAME, directory / NOTICE_NAME
    assets: dict[str, Path | bytes] = {
        MANIFEST_NAME: manifest_path if manifest_path.is_file() else manifest_bytes(manifest),
        TASKS_NAME: tasks_bytes(offer),
        NOTICE_NAME: notice if notice.is_file() else _no_terms(manifest),
        SBOM_NAME: bundle_bill(
            manifest, {folder: each.manifest for folder, each in (adapters or {}).items()}
        ),
        manifest.model.file: directory / manifest.model.file,
    }
    if (directory / SIGNATURE_NAME).is_file():
        assets[SIGNATURE_NAME] = directory / SIGNATURE_NAME
    if manifest.adapters is not None:
        assets[manifest.adapters.empty.file] = directory / manifest.adapters.empty.file
    for folder, adapter in (adapters or {}).items():
        for name in (ADAPTER_MANIFEST_NAME, adapter.manifest.sidecar.file, NOTICE_NAME, SIGNATURE_NAME):
            if name not in (NOTICE_NAME, SIGNATURE_NAME) or (adapter.directory / name).is_file():
                assets[f"{ADAPTERS_NAME}/{folder}/{name}"] = adapter.directory / name
    return AppContents(assets)


def signed(contents: AppContents, key: SigningKey) -> AppContents:
    """Sign what an app gets: each folder's files, in a file of that folder."""
    folders: dict[str, dict[str, str]] = {}
    for path, asset in contents.assets.items():
        folder, slash, name = path.rpartition("/")
        if name != SIGNATURE_NAME:
            folders.setdefault(folder + slash, {})[name] = _digest(asset)
    made = {f"{folder}{SIGNATURE_NAME}": signature_bytes(files, key) for folder, files in folders.items()}
    return AppContents({**contents.assets, **made})


def refuse_unsigned(contents: AppContents, key: Key) -> None:
    """Raise InputError when an app that asks for signatures by a key would not open this, its own bundle."""
    for path, asset in contents.assets.items():
        folder, slash, name = path.rpartition("/")
        if name not in (MANIFEST_NAME, ADAPTER_MANIFEST_NAME):
            continue
        where = f"{folder}{slash}{SIGNATURE_NAME}"
        try:
            if where not in contents.assets:
                raise SignatureFaultError("there is none")
            files = read_signature(_content(contents.assets[where]), key).files
            if files.get(name) != _digest(asset):
                raise SignatureFaultError(f"{name} is not what was signed")
        except SignatureFaultError as fault:
            raise InputError(
                f"the app would refuse its own bundle: {where}: {fault}",
                where="--require-signed",
                remedy="sign what is packaged: --sign KEY; or the bundle: edgekit sign BUNDLE --key KEY",
            ) from fault


def _content(asset: Path | bytes) -> bytes:
    return asset if isinstance(asset, bytes) else asset.read_bytes()


def _digest(asset: Path | bytes) -> str:
    return hashlib.sha256(asset).hexdigest() if isinstance(asset, bytes) else file_digest(asset)


def _no_terms(manifest: Manifest) -> bytes:
    said = manifest.licence or "The checkpoint that this model was converted from says nothing of its terms."
    remark = "A fine-tune of Gemma is under the Gemma Terms of Use, which must travel with the model."
    return f"{said}\n\n{remark}\n".encode()


_PIECE = 4 << 20


@dataclass(frozen=True)
class Job:
    """What is to be written.

    play: what Google Play would deliver. force: replace earlier output. measured: how small large files get.
    """

    source: Source
    play: PlaySize
    force: bool = False
    progress: Progress = SILENT
    measured: Mapping[Path, Compressed] = field(default_factory=dict)


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
