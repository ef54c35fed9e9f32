"""The bundle that is packaged, with everything that all targets need to know of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgekit.bundle.manifest import Manifest, open_bundle
from edgekit.errors import BundleError
from edgekit.packaging.contents import AppContents, app_contents
from edgekit.packaging.golden import Asked, ask_engine, read_prompts
from edgekit.packaging.presets import Presets
from edgekit.packaging.quality import read_quality
from edgekit.packaging.task import Task
from edgekit.progress import SILENT, Progress


@dataclass(frozen=True)
class Source:
    """A checked bundle. name: of the model file, without its suffix. asked: what the engine answered.

    notes: what the user should know, one sentence each.
    """

    directory: Path
    manifest: Manifest
    model: Path
    task: Task
    asked: Asked
    contents: AppContents
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """What the bundle is called."""
        return self.model.stem


def open_source(
    bundle: Path,
    presets_of: Callable[[Path], Presets],
    *,
    golden_from: Path | None = None,
    threads: int | None = None,
    progress: Progress = SILENT,
) -> tuple[Source, Presets]:
    """Open a bundle, check it against its manifest, and ask the engine for golden answers.

    presets_of: gives the presets for the bundle's directory. Raises BundleError when it is no bundle that an app can
    use, InputError for presets or golden prompts that cannot be used.
    """
    with progress.step("check the bundle"):
        opened = open_bundle(bundle)
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
    presets = presets_of(opened.directory)
    examples = tuple(dict.fromkeys((*presets.examples, *manifest.examples)))
    prompts = examples if golden_from is None else read_prompts(golden_from)
    asked = ask_engine(
        opened.model_path,
        prompts,
        system_prompt=presets.system_prompt,
        answer=manifest.answer,
        threads=threads,
        progress=progress,
    )
    verdict = read_quality(opened.directory, manifest)
    task = Task(
        title=presets.title or presets.label or title_of(opened.model_path.stem),
        description=presets.description,
        system_prompt=presets.system_prompt,
        examples=examples,
        golden=asked.golden,
        actions=presets.actions,
        quality=verdict.quality,
    )
    notes = [] if verdict.note is None else [verdict.note]
    notes += [f"no golden answer to “{prompt}”: it did not end within its limit" for prompt in asked.left_out]
    if not prompts:
        notes.append(
            "no examples: list some in edgekit.toml, and the app offers them and tests itself by them"
        )
    contents = app_contents(opened.directory, manifest, task)
    return (
        Source(opened.directory, manifest, opened.model_path, task, asked, contents, tuple(notes)),
        presets,
    )


def title_of(name: str) -> str:
    """A name as people write it: settings-navigator → Settings navigator."""
    words = name.replace("-", " ").replace("_", " ").strip()
    return words[:1].upper() + words[1:]
