"""`edgekit package`: from a bundle to an app."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit import figures
from edgekit.cli.console import (
    DebugOption,
    JsonOption,
    QuietOption,
    output_console,
    print_json,
    progress_for,
)
from edgekit.errors import InputError

if TYPE_CHECKING:
    from edgekit.device.adb import Device
    from edgekit.packaging.offer import Task
    from edgekit.packaging.result import PackageResult
    from edgekit.packaging.source import Source
    from edgekit.progress import Progress

EXAMPLES = """Examples:

edgekit package my-bundle --to apk --install

edgekit package my-bundle --to project -o my-app --application-id com.example.navigator --label Navigator

edgekit package base --adapter sentiment-adapter --adapter triage-adapter --to apk

edgekit package my-bundle --to apk --keystore release.p12 --version 1.2.0+34 --abi arm64-v8a --abi x86_64

edgekit package my-bundle --to ai-pack --delivery on-demand

edgekit package my-bundle --to gallery --push --open"""


def package(
    bundle: Annotated[Path, typer.Argument(help="A bundle directory.", show_default=False)],
    to: Annotated[
        str, typer.Option("--to", help="apk, project, assets, ai-pack, asset-pack or gallery.")
    ] = "apk",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Directory to write (default: NAME-TARGET).")
    ] = None,
    adapter: Annotated[
        list[Path] | None,
        typer.Option(
            help="An adapter bundle of this base, from `edgekit adapter`: a task in the app; may be repeated."
        ),
    ] = None,
    with_base: Annotated[
        bool, typer.Option("--with-base", help="With adapters: list the base's own task, too.")
    ] = False,
    presets: Annotated[
        Path | None,
        typer.Option(help="A TOML file (default: edgekit.toml beside the bundle, or here)."),
    ] = None,
    application_id: Annotated[
        str | None, typer.Option(help="The app's id, as com.example.navigator; a project's packages too.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="The app's name.")] = None,
    icon: Annotated[Path | None, typer.Option(help="A square PNG of at least 192 pixels.")] = None,
    version: Annotated[
        str | None, typer.Option("--version", metavar="NAME[+CODE]", help="The app's version, as 1.2.0+34.")
    ] = None,
    version_code: Annotated[
        int | None, typer.Option(help="Higher with every release, when --version does not say.")
    ] = None,
    abi: Annotated[
        list[str] | None,
        typer.Option(help="arm64-v8a (phones, the default) or x86_64 (emulators); several allowed."),
    ] = None,
    keystore: Annotated[
        Path | None, typer.Option(help="PKCS #12 file with the signing key (default: a debug key).")
    ] = None,
    key_alias: Annotated[str | None, typer.Option(help="The key, where the keystore has several.")] = None,
    keystore_password_env: Annotated[
        str | None,
        typer.Option(metavar="VARIABLE", help="Environment variable with the keystore's password."),
    ] = None,
    keystore_password_file: Annotated[
        Path | None, typer.Option(help="File whose first line is the keystore's password.")
    ] = None,
    golden_from: Annotated[
        Path | None, typer.Option(help="Data with prompts for a task's self-test (default: its examples).")
    ] = None,
    delivery: Annotated[
        str, typer.Option(help="Packs: install-time, fast-follow or on-demand.")
    ] = "fast-follow",
    pack_name: Annotated[str | None, typer.Option(help="Packs: the module's name.")] = None,
    url: Annotated[str | None, typer.Option(help="Gallery: https address of the model file.")] = None,
    model_id: Annotated[str | None, typer.Option(help="Gallery: owner/name on Hugging Face.")] = None,
    commit: Annotated[
        str | None, typer.Option(help="Gallery: hash of the commit there that holds the model.")
    ] = None,
    no_try: Annotated[
        bool, typer.Option("--no-try", help="Gallery: do not run the bundle on its older engine first.")
    ] = False,
    install: Annotated[
        bool, typer.Option("--install", help="APK: install it over adb and start it.")
    ] = False,
    push: Annotated[bool, typer.Option("--push", help="Gallery: put model and list on the device.")] = False,
    open_app: Annotated[
        bool, typer.Option("--open", help="Gallery: start it at the model on the device.")
    ] = False,
    device: Annotated[
        str | None, typer.Option("--device", "-s", metavar="SERIAL", help="The device, as adb's own -s.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace earlier output.")] = False,
    threads: Annotated[int | None, typer.Option(help="Threads of the engine for the golden answers.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Put a bundle into an app: a signed APK, a Gradle project, assets, a Play pack, or the AI Edge Gallery."""
    from edgekit.packaging.package import package as run
    from edgekit.packaging.targets.apk.assemble import DEFAULT_ABIS

    _refuse_other_targets(to, install=install, push=push, open_app=open_app)
    _refuse_options_of_others(
        to,
        apk={
            "--keystore": keystore,
            "--key-alias": key_alias,
            "--keystore-password-env": keystore_password_env,
            "--keystore-password-file": keystore_password_file,
        },
        gallery={"--url": url, "--model-id": model_id, "--commit": commit, "--no-try": no_try or None},
        packs={"--pack-name": pack_name},
        apps={"--abi": abi, "--icon": icon, "--version": version, "--version-code": version_code},
    )
    progress = progress_for(quiet=quiet or as_json)
    target = _device(device) if install or push or open_app else None
    result = run(
        bundle,
        to,
        output,
        adapters=tuple(adapter or ()),
        with_base=with_base,
        presets=presets,
        application_id=application_id,
        label=label,
        icon=icon,
        version=version,
        version_code=version_code,
        abis=tuple(abi or DEFAULT_ABIS),
        keystore=keystore,
        key_alias=key_alias,
        password=lambda: _password(keystore, keystore_password_env, keystore_password_file),
        golden_from=golden_from,
        delivery=delivery,
        pack_name=pack_name,
        url=url,
        model_id=model_id,
        commit=commit,
        try_runtime=not no_try,
        force=force,
        threads=threads,
        progress=progress,
    )
    done = () if target is None else _on_device(result, target, install, push, open_app, progress)
    if as_json:
        print_json({**result.to_json(), "device": None if target is None else target.serial})
    else:
        print_result(result, done)


def _refuse_other_targets(to: str, *, install: bool, push: bool, open_app: bool) -> None:
    for name, asked, target in (
        ("--install", install, "apk"),
        ("--push", push, "gallery"),
        ("--open", open_app, "gallery"),
    ):
        if asked and to != target:
            raise InputError(f"only --to {target} can do that", where=name, remedy=f"add --to {target}")


def _refuse_options_of_others(
    to: str,
    *,
    apk: dict[str, object],
    gallery: dict[str, object],
    packs: dict[str, object],
    apps: dict[str, object],
) -> None:
    """An option that would be ignored is a mistake."""
    for targets, options in (
        (("apk",), apk),
        (("gallery",), gallery),
        (("ai-pack", "asset-pack"), packs),
        (("apk", "project"), apps),
    ):
        for name, value in options.items():
            if value is not None and to not in targets:
                wanted = " or ".join(f"--to {target}" for target in targets)
                raise InputError(f"means nothing for --to {to}", where=name, remedy=f"it is for {wanted}")


def _password(keystore: Path | None, variable: str | None, file: Path | None) -> str:
    from edgekit.packaging.targets.apk.keys import PASSWORD_VARIABLE, find_password

    environment: dict[str, str] | None = None
    if variable is not None:
        if variable not in os.environ:
            raise InputError(f"the variable {variable} is not set", where="--keystore-password-env")
        environment = {PASSWORD_VARIABLE: os.environ[variable]}

    def ask() -> str:
        return str(typer.prompt(f"Password of {keystore}", hide_input=True, err=True))

    return find_password(file, environment=environment, ask=ask if sys.stdin.isatty() else None)


def _device(serial: str | None) -> Device:
    from edgekit.device.adb import ALL, Device, choose_devices, find_adb, list_devices

    if serial == ALL:
        raise InputError("one device is needed, not all", where="--device", remedy="name its serial")
    adb = find_adb()
    return Device(adb, choose_devices(list_devices(adb), serial)[0].serial)


def _on_device(
    result: PackageResult, device: Device, install: bool, push: bool, open_app: bool, progress: Progress
) -> tuple[str, ...]:
    done = []
    if install:
        from edgekit.packaging.targets.apk.install import install_apk

        assert result.apk is not None
        install_apk(device, result.apk, progress=progress)
        done.append(f"installed and started on {device.serial}")
    if push:
        from edgekit.packaging.targets.gallery.device import push_to_gallery

        sent = push_to_gallery(device, result.source, progress=progress)
        done.append(f"pushed to {device.serial}, {figures.size(sent)} had to travel")
    if open_app:
        from edgekit.packaging.targets.gallery.device import open_gallery

        open_gallery(device, result.source)
        done.append(f"the Gallery is open at the model on {device.serial}")
    return tuple(done)


def print_result(result: PackageResult, done: tuple[str, ...]) -> None:
    """Print what was written, what to know of it, and what to type next."""
    from rich.table import Table
    from rich.text import Text

    console = output_console()
    where = result.apk or result.output
    console.print(
        Text(f"{where}  {figures.size(result.size)}, {figures.duration(result.seconds)}", style="bold")
    )
    facts = Table(box=None, show_header=False, pad_edge=False)
    if result.identity is not None:
        identity = result.identity
        facts.add_row("app", f"{identity.label}, {identity.application_id}")
        facts.add_row(
            "version", f"{identity.version_name} ({identity.version_code}), {', '.join(result.abis)}"
        )
    if result.fingerprint is not None:
        kind = "debug key" if result.debug_key else "key"
        facts.add_row("signed", f"{kind}, SHA-256 {result.fingerprint[:16]}…")
    manifest = result.source.manifest
    facts.add_row("model", f"{manifest.model.file}, {figures.size(manifest.model.size)}")
    for task in result.source.offer.tasks:
        facts.add_row(task.id if result.source.adapters else "task", _told(result.source, task))
    facts.add_row("terms", manifest.licence or "see NOTICE")
    facts.add_row("Google Play", result.play.sentence)
    if result.trial is not None and result.trial.outcome == "passed":
        facts.add_row("Gallery", result.trial.sentence)
    console.print(facts)
    for note in result.notes:
        console.print(f"note: {note}", soft_wrap=True)
    for line in done:
        console.print(line, soft_wrap=True)
    if not done:
        console.print("next:")
        for step in result.next_steps:
            console.print(f"  {step}", soft_wrap=True)


def _told(source: Source, task: Task) -> str:
    counts = f"{len(task.examples)} examples, {len(task.golden)} golden answers, {len(task.actions)} actions"
    if task.adapter is None:
        return counts
    sidecar = source.adapters[task.adapter].manifest.sidecar
    return f"{sidecar.file}, {figures.size(sidecar.size)}, {counts}"
