"""Convert: a checkpoint becomes a bundle.

    open the checkpoint → settle its text → find the graph → plan the link → write → check in the engine

Nothing appears at the output before all of it is done and the engine has answered.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.bundle import manifest as manifests
from edgekit.bundle.directory import EMPTY_SIDECAR_NAME, MANIFEST_NAME, NOTICE_NAME, new_bundle
from edgekit.bundle.manifest import Manifest, manifest_bytes
from edgekit.bundle.writing import Written, write_container
from edgekit.checkpoint import Checkpoint, digest, open_checkpoint
from edgekit.conversion.calibrate import Calibration
from edgekit.conversion.calibrate import calibrate as look_at_activations
from edgekit.conversion.describe import describe
from edgekit.conversion.doubt import Tried, looks_wrong, tried
from edgekit.conversion.options import Calibrate, FileFormat, GraphOptions, TextOptions, Trim
from edgekit.conversion.plan import Job, plan, settle
from edgekit.graph.weights import model_chunks
from edgekit.progress import SILENT, Progress
from edgekit.recipes.recipe import DEFAULT as DEFAULT_RECIPE
from edgekit.results import raise_if_failed
from edgekit.text import bounded
from edgekit.text.messages import Message

if TYPE_CHECKING:
    from edgekit.runtime.ask.smoke import SmokeResult


@dataclass(frozen=True)
class Conversion:
    """What a conversion made.

    bundle: the directory. model: the model file in it. seconds: from the call to the finished bundle. steps: seconds by
    step, in order. check: what the engine answered, None when it was not asked. tried: answers of the engine's that
    were held against the checkpoint: those that look wrong, and a few of the rows that it was calibrated on.
    """

    bundle: Path
    model: Path
    manifest: Manifest
    seconds: float
    steps: Mapping[str, float]
    check: SmokeResult | None
    tried: tuple[Tried, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """None: a conversion that fails leaves nothing behind and raises an error."""
        return ()

    @property
    def passed(self) -> bool:
        """Whether there are no problems."""
        return not self.problems

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the bundle, the model first."""
        others = sorted(path for path in self.bundle.iterdir() if path.is_file() and path != self.model)
        return (self.model, *others)

    def raise_if_failed(self) -> None:
        """Raise GateError when there are problems."""
        raise_if_failed(self, where=self.bundle)

    def to_json(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {
            "bundle": str(self.bundle),
            "model": str(self.model),
            "seconds": round(self.seconds, 3),
            "steps": {name: round(seconds, 3) for name, seconds in self.steps.items()},
            "check": None if self.check is None else {"text": self.check.text},
            "tried": [
                {"prompt": t.prompt, "answer": t.answer, "agreement": round(t.agreement, 3)}
                for t in self.tried
            ],
            "manifest": manifests.to_json(self.manifest),
        }


def convert(
    checkpoint: str | Path,
    output: str | Path | None = None,
    *,
    recipe: str | Path = DEFAULT_RECIPE,
    base: str | Path | None = None,
    name: str | None = None,
    graph: GraphOptions = GraphOptions(),  # noqa: B008 - frozen
    text: TextOptions = TextOptions(),  # noqa: B008
    trim: Trim | None = None,
    calibrate: Calibrate | None = None,
    file_format: FileFormat = "litertlm",
    force: bool = False,
    check: bool = True,
    threads: int | None = None,
    progress: Progress = SILENT,
) -> Conversion:
    """Convert a fine-tuned Gemma 3 checkpoint into a bundle directory.

    checkpoint: a directory or Hub id of a model, or of a LoRA adapter, which is merged into its base.
    output: the bundle directory; by default "NAME-RECIPE" in the current directory.
    recipe: the name of a shipped recipe, or the path of a TOML file.
    base: the base model of a LoRA adapter; by default the one that it names.
    name: of the bundle and its model file; by default the checkpoint's.
    graph: form, KV cache and adapters. text: sampler, answer format and examples. trim: keep only a part of the
    vocabulary.
    calibrate: round by what the matrices are multiplied with, seen on a short text (GPTQ); None leaves it to the
    recipe, and to the built-in text.
    file_format: "litertlm", or "tflite" for the model without tokenizer and metadata.
    force: replace a bundle that is there. check: open the result in the engine and generate.
    threads: for quantizing; all cores by default.
    Raises EdgekitError, and leaves what was there as it was, when anything is amiss.
    """
    clock = _Clock()
    settings = settle(
        recipe=recipe,
        graph=graph,
        text=text,
        trim=trim,
        calibrate=calibrate,
        name=name,
        file_format=file_format,
    )
    bounded.templates.start()
    opened = open_checkpoint(checkpoint, base=base, progress=progress)
    clock.lap("open the checkpoint")
    source_digest = _in_the_background(digest, opened)
    job = plan(settings, opened, progress, clock.lap)
    calibration = None
    target = Path(output) if output is not None else Path(f"{job.name}-{settings.recipe.name}")
    with new_bundle(target, force=force, needed_bytes=job.file_bytes) as staging:
        path = staging.path / job.file_name
        if settings.calibrate is not None:
            calibration = look_at_activations(
                opened, job.whole_text, settings.calibrate, source_digest.result(), progress
            )
            clock.lap("calibrate")
        written = _write_model(job, calibration, path, threads, progress)
        clock.lap("quantize and write")
        manifest = describe(job, source_digest.result(), written, calibration)
        clock.lap("digest the checkpoint")
        (staging.path / MANIFEST_NAME).write_bytes(manifest_bytes(manifest))
        if (empty := job.empty_sidecar) is not None:
            (staging.path / EMPTY_SIDECAR_NAME).write_bytes(empty)
        if opened.notice is not None:
            (staging.path / NOTICE_NAME).write_text(opened.notice.rstrip() + "\n", encoding="utf-8")
        prompts = [] if calibration is None or not check else list(calibration.prompts)
        wanted = check or settings.answer is not None or bool(settings.tools)
        smoke = _check(job, path, text.answer_schema, prompts, progress) if wanted else None
        clock.lap("check in the engine")
    clock.lap("finish the bundle")
    answers = _hold_against_checkpoint(job, smoke, prompts, progress)
    if answers:
        clock.lap("hold answers against the checkpoint")
    return Conversion(target, target / path.name, manifest, clock.total, clock.laps, smoke, answers)


def _hold_against_checkpoint(
    job: Job, smoke: SmokeResult | None, prompts: Sequence[Sequence[Message]], progress: Progress
) -> tuple[Tried, ...]:
    from edgekit.runtime.ask.smoke import greeting

    if smoke is None:
        return ()
    answered: list[tuple[Sequence[Message], str]] = list(zip(prompts, smoke.answers, strict=True))
    if job.settings.answer is None and looks_wrong(smoke.text):
        answered.append((greeting(job.calling), smoke.text))
    if not answered:
        return ()
    with progress.step("hold answers against the checkpoint"):
        found = [tried(job.checkpoint, job.text, messages, answer) for messages, answer in answered]
    return tuple(each for each in found if each is not None)


def _in_the_background(function: Callable[[Checkpoint], str], checkpoint: Checkpoint) -> Future[str]:
    """Start a digest on the core that is idle while the tokenizer is read; nobody waits for it on an error."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="digest")
    future = pool.submit(function, checkpoint)
    pool.shutdown(wait=False)
    return future


def _write_model(
    job: Job, calibration: Calibration | None, path: Path, threads: int | None, progress: Progress
) -> Written:
    """Write the model file, front to back, and sync it to the disk."""
    values = sum(prod(slot.shape) for slot in job.link.slots)
    with path.open("wb") as file, progress.step("quantize and write", values * 2, "bytes") as advance:
        # Told in bytes of the bfloat16 source, which is what people know the size of.
        chunks = model_chunks(
            job.link,
            job.tensors,
            roots=None if calibration is None else calibration.roots(job.tensors),
            threads=threads,
            advance=lambda done: advance(done * 2),
        )
        if job.settings.file_format == "litertlm":
            written = write_container(file, [*job.small_sections, job.model_section(chunks)])
        else:
            hasher = hashlib.sha256()
            for chunk in chunks:
                file.write(chunk)
                hasher.update(chunk)
            written = Written(job.link.size, hasher.hexdigest(), ())
        file.flush()
        os.fsync(file.fileno())
    return written


def _check(
    job: Job,
    path: Path,
    schema: str | Path | None,
    prompts: Sequence[Sequence[Message]],
    progress: Progress,
) -> SmokeResult | None:
    """Open the written file in the real engine, or a bare graph in the interpreter, and let it compute.

    schema: the file of the answer format, named when the engine cannot take it. prompts: what is asked beside.
    """
    if job.settings.file_format == "tflite":
        from edgekit.runtime.interpreter import check_model

        with progress.step("check in the interpreter"):
            check_model(path)
        return None
    from edgekit.runtime.ask.smoke import smoke

    return smoke(
        path,
        answer=job.settings.answer,
        answer_schema=schema,
        calling=job.calling,
        suppressed=job.text.suppressed_ids,
        prompts=prompts,
        progress=progress,
    )


@dataclass
class _Clock:
    """Seconds per step, for the result and for whoever profiles."""

    started: float = field(default_factory=time.perf_counter)
    laps: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        return sum(self.laps.values())

    def lap(self, name: str) -> None:
        self.laps[name] = time.perf_counter() - self.started - self.total
