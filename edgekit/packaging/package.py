"""Package: a bundle becomes an app, or what an app needs of it.

    check the options → open and check bundle and adapters → golden answers → sizes for Google Play → write the target

Nothing appears at the output before all of it is done.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal, get_args

from edgekit.bundle.manifest import Bundle
from edgekit.errors import BundleError, InputError
from edgekit.figures import size
from edgekit.files.directory import new_directory, refuse_if_in_the_way
from edgekit.packaging.icon import draw_foreground
from edgekit.packaging.identity import Identity
from edgekit.packaging.offer import title_of
from edgekit.packaging.play import Compressed, PlaySize, judge, measure, together
from edgekit.packaging.presets import Presets, find_presets
from edgekit.packaging.result import (
    RECORD_NAME,
    AdapterSizes,
    PackagedFile,
    PackageResult,
    sizes_of,
    write_record,
)
from edgekit.packaging.source import Choice, Job, Source, Write, make_source, open_usable
from edgekit.packaging.targets.apk.assemble import DEFAULT_ABIS, ApkOptions, ApkResult, write_apk
from edgekit.packaging.targets.apk.base import BASE, read_base
from edgekit.packaging.targets.apk.keys import SigningKey, debug_key, open_keystore
from edgekit.packaging.targets.assets import write_assets
from edgekit.packaging.targets.gallery.allowlist import Hosting, check_hosting
from edgekit.packaging.targets.gallery.trial import Trial, try_gallery_runtime
from edgekit.packaging.targets.gallery.write import write_gallery
from edgekit.packaging.targets.packs import (
    AI_PACK,
    ASSET_PACK,
    PackKind,
    check_delivery,
    check_pack_name,
    default_pack_name,
    write_pack,
)
from edgekit.packaging.targets.project import write_project
from edgekit.progress import SILENT, Progress
from edgekit.runtime.library import WHEEL_PLATFORMS, engine_library

Target = Literal["apk", "project", "assets", "ai-pack", "asset-pack", "gallery"]
TARGETS: Final[tuple[Target, ...]] = get_args(Target)

_PLACEHOLDER_ID: Final = "com.example"
_APPS: Final = ("apk", "project")
_PACKS: Final[dict[str, PackKind]] = {"ai-pack": AI_PACK, "asset-pack": ASSET_PACK}
_OWN_ROOM: Final = 16 << 20
"""Bytes for everything but bundle and engine: code, resources, sources."""


@dataclass(frozen=True)
class _Wish:
    """What was asked for, checked as far as that goes without the bundle."""

    target: Target
    abis: tuple[str, ...]
    hosting: Hosting | None
    delivery: str
    pack_name: str | None


def package(
    bundle: str | Path,
    to: str = "apk",
    output: str | Path | None = None,
    *,
    adapters: Sequence[str | Path] = (),
    with_base: bool = False,
    presets: str | Path | None = None,
    application_id: str | None = None,
    label: str | None = None,
    icon: str | Path | None = None,
    version: str | None = None,
    version_code: int | None = None,
    abis: Sequence[str] = DEFAULT_ABIS,
    keystore: str | Path | None = None,
    key_alias: str | None = None,
    password: str | Callable[[], str] | None = None,
    golden_from: str | Path | None = None,
    delivery: str = "fast-follow",
    pack_name: str | None = None,
    url: str | None = None,
    model_id: str | None = None,
    commit: str | None = None,
    try_runtime: bool = True,
    force: bool = False,
    threads: int | None = None,
    progress: Progress = SILENT,
) -> PackageResult:
    """Put a bundle into an Android app, or into what an app, Google Play or the AI Edge Gallery needs of it.

    bundle: a bundle directory. to: "apk", "project", "assets", "ai-pack", "asset-pack" or "gallery".
    output: a directory; by default "NAME-TARGET" in the current one.
    adapters: bundles that `edgekit.adapter` made for this one; the app has a task for each, in this order. An
    `edgekit.toml` beside an adapter's manifest says what its task is for. with_base: list the bundle's own task, too.
    presets: an `edgekit.toml`; by default the one beside the bundle, or in the current directory. The arguments
    application_id, label, icon (a square PNG), version ("1.2.0" or "1.2.0+34") and version_code win over it.
    abis: of "arm64-v8a" and "x86_64". keystore: PKCS #12 with the signing key, key_alias the key in it, password its
    password or what gives it; the debug key of this machine without one. For "apk".
    golden_from: a JSONL file with prompts for the golden answers of a single task; by default the examples.
    delivery: "install-time", "fast-follow" or "on-demand"; pack_name: of the module. For the packs.
    url, or model_id and commit: where the Gallery can download the model. try_runtime: run the bundle on the Gallery's
    engine first.
    force: replace earlier output. threads: for the engine; its own default without.
    Raises EdgekitError, and leaves what was there as it was, when anything is amiss.
    """
    began = time.perf_counter()
    wish = _Wish(
        target=_target(to),
        abis=_abis(abis),
        hosting=check_hosting(model_id, url, commit),
        delivery=delivery,
        pack_name=pack_name,
    )
    _check_adapters(wish.target, adapters, with_base=with_base)
    check_delivery(delivery)
    if pack_name is not None:
        check_pack_name(pack_name)
    number = _version(version, version_code)
    key = _key(keystore, key_alias, password) if wish.target == "apk" else None
    if output is not None and wish.target != "apk":
        refuse_if_in_the_way(Path(output), record=RECORD_NAME, force=force)
    opened = open_usable(Path(bundle), progress)
    if wish.target == "gallery":
        _refuse_adapter_ready(opened)
    found = find_presets(opened.directory, None if presets is None else Path(presets))
    choice = Choice(
        tuple(Path(adapter) for adapter in adapters),
        with_base=with_base,
        label=label,
        golden_from=None if golden_from is None else Path(golden_from),
    )
    source = make_source(opened, found, choice, threads=threads, progress=progress)
    identity = _identity(source, found, application_id, label, number)
    picture = Path(icon) if icon is not None else found.icon
    if picture is not None:
        draw_foreground(picture)  # found out before anything is written
    job = Job(source, identity, picture, wish.abis, progress)
    target = Path(output) if output is not None else Path(f"{source.name}-{wish.target}")
    play = _play_size(job, wish, progress)
    trial = _trial(source, wish, try_runtime, progress)
    if wish.target == "apk":
        assert key is not None
        made = _write_apk(job, target, key, force=force)
        files: tuple[PackagedFile, ...] = (PackagedFile(made.path.name, made.size),)
        steps = _apk_steps(made, job)
    else:
        made = None
        write = _writer(job, wish, trial)
        files, steps = _write_folder(job, wish, write, target, play, force=force)
    return PackageResult(
        target=wish.target,
        output=target,
        apk=None if made is None else made.path,
        files=files,
        source=source,
        identity=identity if wish.target in _APPS else None,
        abis=wish.abis if wish.target in _APPS else (),
        play=play,
        fingerprint=None if made is None else made.fingerprint,
        debug_key=made is not None and made.debug_key,
        trial=trial,
        notes=(*source.notes, *_notes(job, wish, made, play, trial)),
        next_steps=tuple(step.replace("{output}", shlex.quote(str(target))) for step in steps),
        seconds=time.perf_counter() - began,
    )


# ---------------------------------------- options


def _target(to: str) -> Target:
    for target in TARGETS:
        if to == target:
            return target
    raise InputError(f"{to!r} is nothing to package to", where="--to", remedy=f"one of {', '.join(TARGETS)}")


def _check_adapters(target: Target, adapters: Sequence[str | Path], *, with_base: bool) -> None:
    if with_base and not adapters:
        raise InputError(
            "a bundle without adapters is packaged with its own task anyway",
            where="--with-base",
            remedy="leave it away, or name adapters with --adapter",
        )
    if adapters and target == "gallery":
        raise InputError(
            "the AI Edge Gallery imports one model file, and has no place for an adapter beside it",
            where="--adapter",
            remedy=f"{_MERGED}, once for each adapter",
        )


_MERGED: Final = (
    "merge it into a bundle of its own: edgekit convert ADAPTER --base CHECKPOINT -o MERGED, "
    "then edgekit package MERGED --to gallery"
)


def _refuse_adapter_ready(opened: Bundle) -> None:
    """Refuse a base that takes adapters as a model for the Gallery."""
    if opened.manifest is not None and opened.manifest.adapters is not None:
        raise BundleError(
            "this base takes adapters, and the AI Edge Gallery gives it none: the engine would leave the inputs for "
            "them as the memory was, and answer with noise",
            where=opened.model_path,
            remedy=f"convert the checkpoint again without --adapter-ready; or, for an adapter, {_MERGED}",
        )


def _abis(abis: Sequence[str]) -> tuple[str, ...]:
    known = [abi for kind, abi in WHEEL_PLATFORMS if kind == "android"]
    for abi in abis:
        if abi not in known:
            raise InputError(
                f"there is no engine for {abi}", where="--abi", remedy=f"there is one for: {', '.join(known)}"
            )
    if not abis:
        raise InputError("no ABI is named", where="--abi", remedy=f"one or more of {', '.join(known)}")
    return tuple(dict.fromkeys(abis))


@dataclass(frozen=True)
class _Version:
    name: str | None
    code: int | None


def _version(text: str | None, code: int | None) -> _Version:
    """Read "1.2.0" or "1.2.0+34", and the code where it is given by itself."""
    if text is None:
        return _Version(None, code)
    name, plus, digits = text.rpartition("+")
    if not plus:
        return _Version(text, code)
    if not re.fullmatch(r"[0-9]{1,10}", digits) or not name:
        raise InputError(
            f"{text!r} is no version", where="--version", remedy="NAME or NAME+CODE, as in 1.2.0 or 1.2.0+34"
        )
    if code is not None and code != int(digits):
        raise InputError(
            f"two version codes are given, {digits} and {code}",
            where="--version, --version-code",
            remedy="leave one of them away",
        )
    return _Version(name, int(digits))


def _key(
    keystore: str | Path | None, alias: str | None, password: str | Callable[[], str] | None
) -> SigningKey:
    if keystore is None:
        if alias is not None:
            raise InputError(
                "a key is named, but no keystore",
                where="--key-alias",
                remedy="name the file: --keystore FILE",
            )
        return debug_key()
    path = Path(keystore)
    if not path.is_file():
        raise InputError("there is no such keystore", where=path, remedy="name a PKCS #12 file")
    return open_keystore(path, (password() if callable(password) else password) or "", alias)


def _identity(
    source: Source, presets: Presets, application_id: str | None, label: str | None, version: _Version
) -> Identity:
    slug = default_pack_name(source.name).lower()
    code = version.code if version.code is not None else presets.version_code
    return Identity(
        application_id=application_id or presets.application_id or f"{_PLACEHOLDER_ID}.{slug}",
        label=label if label is not None else presets.label or title_of(source.name),
        version_name=version.name or presets.version_name or "1.0",
        version_code=1 if code is None else code,
    )


# ---------------------------------------- sizes, trial, notes


def _play_size(job: Job, wish: _Wish, progress: Progress) -> PlaySize:
    """Measure what Google Play would deliver: with the app for all targets but the Gallery, which brings its own."""
    source = job.source
    sidecars = [measure(adapter.sidecar) for adapter in source.adapters.values()]
    model = together([measure(source.model, progress=progress), *sidecars])
    libraries: dict[str, Compressed] = {}
    base = 0
    if wish.target in _APPS:
        libraries = {abi: measure(engine_library("android", abi)) for abi in wish.abis}
        base = sum(member.packed for member in read_base(BASE).members)
    return judge(model, libraries, base)


def _trial(source: Source, wish: _Wish, wanted: bool, progress: Progress) -> Trial | None:
    if wish.target != "gallery":
        return None
    if not wanted:
        return Trial("skipped", "not tried on the Gallery's runtime, as asked")
    return try_gallery_runtime(source, progress)


def _notes(
    job: Job, wish: _Wish, made: ApkResult | None, play: PlaySize, trial: Trial | None
) -> tuple[str, ...]:
    notes = []
    sizes = sizes_of(job.source)
    if sizes is not None:
        notes.append(_what_adapters_save(sizes))
    if wish.target in _APPS and job.identity.application_id.startswith(f"{_PLACEHOLDER_ID}."):
        notes.append(
            f"{job.identity.application_id} is a placeholder, which Google Play refuses: --application-id"
        )
    if made is not None and made.debug_key:
        notes.append("signed with this machine's debug key: fine for trying, Google Play wants --keystore")
    if play.fit != "base" and wish.target in (*_APPS, "assets"):
        notes.append("for Google Play take --to ai-pack or --to asset-pack")
    if trial is not None and trial.outcome != "passed":
        notes.append(trial.sentence if trial.outcome == "skipped" else f"WARNING: {trial.sentence}")
    if wish.target == "gallery" and wish.hosting is None:
        notes.append(
            "no hosted entry: say where the model can be downloaded with --url, or --model-id and --commit"
        )
    return tuple(notes)


def _what_adapters_save(sizes: AdapterSizes) -> str:
    count = len(sizes.sidecars)
    together, merged = size(sizes.together), size(sizes.merged)
    if count == 1:
        return f"base and adapter take {together}, a merged bundle {merged}"
    times = f"{count} merged bundles would take {count} times the base"
    return f"the base once and {count} adapters take {together}; {times}, {merged}"


# ---------------------------------------- writing


def _write_apk(job: Job, directory: Path, key: SigningKey, *, force: bool) -> ApkResult:
    path = directory / f"{job.source.name}-{_file_safe(job.identity.version_name)}.apk"
    if path.exists() and not force:
        raise InputError(
            "there is an app already",
            where=path,
            remedy="pass --force to replace it, or name another directory",
        )
    options = ApkOptions(job.identity, job.abis, job.icon)
    return write_apk(job.source.contents, path, options=options, key=key, progress=job.progress)


def _file_safe(version: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", version)


def _apk_steps(made: ApkResult, job: Job) -> tuple[str, ...]:
    directory, output = shlex.quote(str(job.source.directory)), shlex.quote(str(made.path.parent))
    tasks = "".join(
        f"--adapter {shlex.quote(str(adapter.directory))} " for adapter in job.source.adapters.values()
    )
    if tasks and job.source.task.adapter is None:
        tasks += "--with-base "
    return (
        f"adb install -r {shlex.quote(str(made.path))}",
        f"edgekit package {directory} {tasks}--to apk -o {output} --force --install",
    )


def _writer(job: Job, wish: _Wish, trial: Trial | None) -> Write:
    if wish.target == "project":
        return partial(write_project, job)
    if wish.target == "assets":
        return partial(write_assets, job)
    if wish.target == "gallery":
        assert trial is not None
        return partial(write_gallery, job, hosting=wish.hosting, trial=trial)
    name = wish.pack_name or default_pack_name(job.source.name)
    check_pack_name(name)
    return partial(write_pack, job, kind=_PACKS[wish.target], name=name, delivery=wish.delivery)


def _write_folder(
    job: Job, wish: _Wish, write: Write, target: Path, play: PlaySize, *, force: bool
) -> tuple[tuple[PackagedFile, ...], tuple[str, ...]]:
    """Write a directory, whole or not at all; gives its files and the next commands."""
    needed = _OWN_ROOM + job.source.contents.size
    if wish.target == "project":
        needed += sum(engine_library("android", abi).stat().st_size for abi in job.abis)
    with new_directory(target, record=RECORD_NAME, force=force, needed_bytes=needed) as folder:
        steps = write(folder)
        files = tuple(
            PackagedFile(path.relative_to(folder).as_posix(), path.stat().st_size)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        )
        write_record(folder, _record(job, wish, play))
    return files, steps


def _record(job: Job, wish: _Wish, play: PlaySize) -> dict[str, Any]:
    return {
        "edgekit": version("edgekit"),
        "target": wish.target,
        "model": job.source.manifest.model.file,
        "sha256": job.source.manifest.model.sha256,
        "sidecars": {
            folder: adapter.manifest.sidecar.sha256 for folder, adapter in job.source.adapters.items()
        },
        "play": play.sentence,
    }
