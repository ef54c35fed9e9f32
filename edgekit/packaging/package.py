"""Package: a bundle becomes an app, or what an app needs of it.

    open and check bundle and adapters → is it for this target? → golden answers → size for Google Play → write

Nothing appears at the output before all of it is done. What there is to package to: `edgekit.packaging.targets`.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from edgekit.bundle.directory import SBOM_NAME, TASKS_NAME
from edgekit.errors import InputError
from edgekit.files.digest import file_digest
from edgekit.files.directory import new_directory, refuse_if_in_the_way
from edgekit.files.whole import write_whole
from edgekit.packaging.play import Compressed, PlaySize, app_size, judge, measure, together
from edgekit.packaging.result import RECORD_NAME, Package, PackagedFile, adapter_notes, write_record
from edgekit.packaging.sbom import bill, bundle_parts, model_part
from edgekit.packaging.source import Choice, Job, Source, answered, open_source
from edgekit.packaging.target import PackageTarget, Written
from edgekit.packaging.targets import find_target
from edgekit.progress import SILENT, Progress

_OWN_ROOM: Final = 16 << 20
"""Bytes for everything but bundle and engine: code, resources, sources."""


def package(
    bundle: str | Path,
    to: str = "apk",
    output: str | Path | None = None,
    *,
    options: object = None,
    adapters: Sequence[str | Path] = (),
    with_base: bool = False,
    presets: str | Path | None = None,
    label: str | None = None,
    golden_from: str | Path | None = None,
    sign: str | Path | None = None,
    force: bool = False,
    threads: int | None = None,
    progress: Progress = SILENT,
) -> Package:
    """Put a bundle into an Android app, or into what an app, Google Play or the AI Edge Gallery needs of it.

    bundle: a bundle directory. to: "apk", "project", "aar", "assets", "ai-pack", "asset-pack", "delivery" or "gallery".
    output: a directory; by default "NAME-TARGET" in the current one.
    options: the target's own, such as `ApkOptions(version="1.2.0+34")`; its defaults without.
    adapters: bundles that `edgekit.adapter` made for this one; the app has a task for each, in this order. An
    `edgekit.toml` beside an adapter's manifest says what its task is for. with_base: list the bundle's own task, too.
    presets: an `edgekit.toml`; by default the one beside the bundle, or in the current directory. label: the app's
    name; it wins over the presets', and so do options.
    golden_from: a JSONL file with prompts for the golden answers of a single task; by default the examples.
    sign: a private key of Ed25519 in PEM, which signs what the app gets (`edgekit.bundle.signature`).
    force: replace earlier output. threads: for the engine; its own default without.
    Raises EdgekitError, and leaves what was there as it was, when anything is amiss.
    """
    began = time.perf_counter()
    target = find_target(to)
    wanted = target.options() if options is None else options
    if not isinstance(wanted, target.options):
        raise InputError(
            f"{type(wanted).__name__} says nothing to --to {target.name}",
            where="options",
            remedy=f"give {target.options.__name__}",
        )
    if output is not None and target.makes == "folder":
        refuse_if_in_the_way(Path(output), record=RECORD_NAME, force=force)
    choice = Choice(
        adapters=tuple(Path(adapter) for adapter in adapters),
        with_base=with_base,
        presets=None if presets is None else Path(presets),
        label=label,
        golden_from=None if golden_from is None else Path(golden_from),
        sign=None if sign is None else Path(sign),
    )
    source = open_source(Path(bundle), choice, progress)
    target.refuse(source, wanted)
    source = answered(source, threads=threads, progress=progress)
    place = Path(f"{source.name}-{target.name}" if output is None else output)
    libraries = target.libraries(wanted)
    measured = _measured(source, libraries, progress)
    job = Job(source, _play_size(source, libraries, measured), force, progress, measured)
    if target.makes == "file":
        written, files = _write_file(target, job, place, wanted)
    else:
        room = _OWN_ROOM + source.contents.size + sum(path.stat().st_size for path in libraries.values())
        written, files = _write_folder(target, job, place, wanted, room)
    path = written.path or place
    delivered = target.deliver(source, path, wanted, progress)
    return Package(
        target=target.name,
        output=place,
        path=path,
        packaged=files,
        source=source,
        play=job.play,
        written=written,
        notes=(*source.notes, *adapter_notes(source), *_signature_notes(source), *written.notes),
        next_steps=tuple(step.replace("{output}", shlex.quote(str(place))) for step in written.next_steps),
        delivered=delivered,
        seconds=time.perf_counter() - began,
    )


def _signature_notes(source: Source) -> tuple[str, ...]:
    if not source.signed_in_part:
        return ()
    new = f"{TASKS_NAME} and {SBOM_NAME}"
    return (f"the bundle's own signature does not cover {new}, which are new: --sign KEY signs all",)


def _measured(source: Source, libraries: Mapping[str, Path], progress: Progress) -> Mapping[Path, Compressed]:
    """How small all that is large gets: model, sidecars, engines."""
    others = (*(adapter.sidecar for adapter in source.adapters.values()), *libraries.values())
    return {
        source.model: measure(source.model, progress=progress),
        **{path: measure(path) for path in others},
    }


def _play_size(
    source: Source, libraries: Mapping[str, Path], measured: Mapping[Path, Compressed]
) -> PlaySize:
    """What Google Play would deliver."""
    sidecars = [measured[adapter.sidecar] for adapter in source.adapters.values()]
    app = app_size([measured[path] for path in libraries.values()])
    return judge(together([measured[source.model], *sidecars]), app)


def _write_file(
    target: PackageTarget[Any], job: Job, place: Path, options: object
) -> tuple[Written, tuple[PackagedFile, ...]]:
    written = target.write(job, place, options)
    assert written.path is not None
    bom = written.path.with_suffix(".cdx.json")
    write_whole(bom, _bill(target, job.source, options, written.path))
    files = (written.path, *written.beside, bom)
    return written, tuple(
        PackagedFile(path.relative_to(place).as_posix(), path.stat().st_size) for path in files
    )


def _bill(target: PackageTarget[Any], source: Source, options: object, made: Path | None = None) -> bytes:
    """What a package was made of. made: the one file that was written."""
    subject, parts = target.made_of(source, options)
    if made is not None:
        subject = replace(subject, sha256=file_digest(made))
    adapters = {folder: adapter.manifest for folder, adapter in source.adapters.items()}
    of_bundle = (model_part(source.manifest), *bundle_parts(source.manifest, adapters))
    return bill(subject, (*of_bundle, *parts))


def _write_folder(
    target: PackageTarget[Any], job: Job, place: Path, options: object, room: int
) -> tuple[Written, tuple[PackagedFile, ...]]:
    """Write a directory, whole or not at all. room: bytes that it will take, at most."""
    with new_directory(place, record=RECORD_NAME, force=job.force, needed_bytes=room) as folder:
        written = target.write(job, folder, options)
        (folder / SBOM_NAME).write_bytes(_bill(target, job.source, options))
        files = tuple(
            PackagedFile(path.relative_to(folder).as_posix(), path.stat().st_size)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        )
        write_record(folder, _record(target.name, job))
    return written, files


def _record(target: str, job: Job) -> dict[str, Any]:
    model = job.source.manifest.model
    return {
        "edgekit": version("edgekit"),
        "target": target,
        "model": model.file,
        "sha256": model.sha256,
        "sidecars": {
            folder: adapter.manifest.sidecar.sha256 for folder, adapter in job.source.adapters.items()
        },
        "play": job.play.sentence,
    }
