"""`edgekit package`: from a bundle to an app.

The flags of a target are the fields of its options (`edgekit.packaging.targets`); none is written down here. The
targets are imported when this command is run or explained, not when it is only listed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

import typer
import typer.main

from edgekit import figures
from edgekit.cli.console import (
    DebugOption,
    JsonOption,
    QuietOption,
    output_console,
    print_json,
    progress_for,
)
from edgekit.cli.panels import GroupedCommand
from edgekit.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from edgekit.packaging.offer import Task
    from edgekit.packaging.result import Package
    from edgekit.packaging.source import Source
    from edgekit.packaging.target import Flag, PackageTarget, SizedPart

EXAMPLES = """Examples:

edgekit package my-bundle --to apk --install

edgekit package my-bundle --to project -o my-app --application-id com.example.navigator --label Navigator

edgekit package base --adapter sentiment-adapter --adapter triage-adapter --to apk

edgekit package my-bundle --to apk --keystore release.p12 --version 1.2.0+34 --abi arm64-v8a --abi x86_64

edgekit package my-bundle --to aar --group com.example.models

edgekit package my-bundle --to ai-pack --delivery on-demand

edgekit package my-bundle --to delivery --sign signing.key -o public

edgekit package my-bundle --to gallery --push --open"""


def package(
    bundle: Annotated[Path, typer.Argument(help="A bundle directory.", show_default=False)],
    to: Annotated[str, typer.Option("--to", help=f"{', '.join(_names())}.")] = "apk",
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
    label: Annotated[str | None, typer.Option(help="The app's name.")] = None,
    golden_from: Annotated[
        Path | None, typer.Option(help="Data with prompts for a task's self-test (default: its examples).")
    ] = None,
    sign: Annotated[
        Path | None, typer.Option(help="Private key (Ed25519, PEM) that signs the bundle in the app.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace earlier output.")] = False,
    threads: Annotated[int | None, typer.Option(help="Threads of the engine for the golden answers.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
    **given: Any,
) -> None:
    """Put a bundle into an app, or where apps fetch it: APK, project, library, Play pack, delivery, AI Edge Gallery."""
    from edgekit.packaging import targets
    from edgekit.packaging.package import package as run

    result = run(
        bundle,
        to,
        output,
        options=read_options(targets.find_target(to), given),
        adapters=tuple(adapter or ()),
        with_base=with_base,
        presets=presets,
        label=label,
        golden_from=golden_from,
        sign=sign,
        force=force,
        threads=threads,
        progress=progress_for(quiet=quiet or as_json),
    )
    if as_json:
        print_json(result.to_json())
    else:
        print_result(result)


# ---------------------------------------- the flags of targets


class PackageCommand(GroupedCommand):
    """The command, which finds its flags when they are asked for."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return arguments and flags, those of all targets among them."""
        if not self.params:
            alone = typer.Typer(add_completion=False)
            alone.command()(command())
            whole = typer.main.get_command(alone)
            self.params, self.callback = whole.params, whole.callback
        return super().get_params(ctx)


def listed() -> None:
    """Stand for the command until its flags are asked for."""


def command() -> Callable[..., None]:
    """Return the command with the flags of all targets there are, each under the names of those that it is for."""
    from edgekit.packaging.targets import TARGETS

    def run(**given: Any) -> None:
        package(**given)

    own = inspect.signature(package, eval_str=True).parameters.values()
    kept = [param for param in own if param.kind is not param.VAR_KEYWORD]
    flags: dict[str, inspect.Parameter] = {}
    for target in TARGETS:
        for name, flag, kind in flags_of(target):
            flags.setdefault(name, _parameter(name, flag, kind))
    run.__signature__ = inspect.Signature([*kept, *flags.values()])  # type: ignore[attr-defined]
    run.__doc__ = package.__doc__
    run.__name__ = package.__name__
    return run


def flags_of(target: PackageTarget[Any]) -> Iterator[tuple[str, Flag, Any]]:
    """Give the fields of a target's options that are flags: name, flag, type."""
    from edgekit.packaging.target import Flag

    hints = get_type_hints(target.options, include_extras=True)
    for field in fields(target.options):
        kind, *notes = get_args(hints[field.name]) if get_origin(hints[field.name]) is Annotated else (None,)
        for flag in notes:
            if isinstance(flag, Flag):
                yield field.name, flag, kind


def read_options(target: PackageTarget[Any], given: Mapping[str, Any]) -> Any:
    """Make a target's options of the flags that were given, by the names of their fields.

    Raises InputError for a flag that means nothing to this target: it would be ignored.
    """
    from edgekit.packaging.targets import TARGETS

    said = {name: value for name, value in given.items() if value not in (None, [], ())}
    defaults = {field.name: field.default for field in fields(target.options)}
    known = {name for name, _, _ in flags_of(target)}
    for name in said:
        if name not in known:
            users = [each for each in TARGETS if name in {field for field, _, _ in flags_of(each)}]
            flag = next(flag for field, flag, _ in flags_of(users[0]) if field == name)
            raise InputError(
                f"means nothing for --to {target.name}",
                where=_spelt(name, flag)[0],
                remedy=f"it is for {' or '.join(f'--to {each.name}' for each in users)}",
            )
    values = {
        name: not defaults[name] if value is True else tuple(value) if isinstance(value, list) else value
        for name, value in said.items()
    }
    return target.options(**values)


def _parameter(name: str, flag: Flag, kind: Any) -> inspect.Parameter:
    """A flag as Typer reads it; None stands for not given."""
    option = typer.Option(
        *_spelt(name, flag),
        help=flag.help,
        metavar=flag.metavar,
        show_default=False,
        rich_help_panel=f"For {_users(name)}",
    )
    annotated: Any = Annotated
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotated[_typer_type(kind), option]
    )


def _names() -> list[str]:
    from edgekit.packaging.targets import TARGETS

    return [target.name for target in TARGETS]


def _users(name: str) -> str:
    """The targets that a flag is for."""
    from edgekit.packaging.targets import TARGETS

    users = [
        f"--to {target.name}" for target in TARGETS if name in {field for field, _, _ in flags_of(target)}
    ]
    return " and ".join([", ".join(users[:-1]), users[-1]]) if users[1:] else users[0]


def _spelt(name: str, flag: Flag) -> tuple[str, ...]:
    return flag.names or (f"--{name.replace('_', '-')}",)


def _typer_type(kind: Any) -> Any:
    """The type that Typer reads a field of this type as: of several the most particular one, and of many a list."""
    if get_origin(kind) is tuple:
        return list.__class_getitem__(get_args(kind)[0]) | None
    members = [member for member in get_args(kind) or (kind,) if member is not NoneType]
    return (Path if Path in members else members[0]) | None


# ---------------------------------------- printing


def print_result(result: Package) -> None:
    """Print what was written, what to know of it, and what to type next."""
    from rich.table import Table
    from rich.text import Text

    console = output_console()
    console.print(
        Text(f"{result.path}  {figures.size(result.size)}, {figures.duration(result.seconds)}", style="bold")
    )
    facts = Table(box=None, show_header=False, pad_edge=False)
    for word, told in result.written.told:
        facts.add_row(word, told)
    manifest = result.source.manifest
    facts.add_row("model", f"{manifest.model.file}, {figures.size(manifest.model.size)}")
    for task in result.source.offer.tasks:
        facts.add_row(task.id if result.source.adapters else "task", _told(result.source, task))
    if result.source.signing is not None:
        facts.add_row("bundle signed", f"key {result.source.signing.public.id[:16]}…")
    facts.add_row("terms", manifest.licence or "see NOTICE")
    facts.add_row("Google Play", result.play.sentence)
    console.print(facts)
    if result.written.parts:
        console.print(parts_table(result.written.parts))
    for note in result.notes:
        console.print(f"note: {note}", soft_wrap=True)
    if result.delivered is not None:
        for line in result.delivered.said:
            console.print(line, soft_wrap=True)
    else:
        console.print("next:")
        for step in result.next_steps:
            console.print(f"  {step}", soft_wrap=True)


def parts_table(parts: Sequence[SizedPart]) -> Table:
    """What it consists of, largest parts as they come, and what is left without the first, the model."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("part")
    table.add_column("stored", justify="right")
    table.add_column("to download", justify="right")
    sums = [("without the model", parts[1:]), ("together", parts)]
    for name, of in (*((part.name, (part,)) for part in parts), *sums):
        stored, download = sum(part.stored for part in of), sum(part.download for part in of)
        table.add_row(name, figures.size(stored), figures.size(download))
    return table


def _told(source: Source, task: Task) -> str:
    counts = f"{len(task.examples)} examples, {len(task.golden)} golden answers, {len(task.actions)} actions"
    if task.adapter is None:
        return counts
    sidecar = source.adapters[task.adapter].manifest.sidecar
    return f"{sidecar.file}, {figures.size(sidecar.size)}, {counts}"
