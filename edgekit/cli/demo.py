"""`edgekit demo`: the main job on the bundled demo model, without network or weights of your own."""

from __future__ import annotations

import shlex
import shutil
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

if TYPE_CHECKING:
    from edgekit.conversion.adapter.making import AdapterBundle
    from edgekit.conversion.convert import Conversion
    from edgekit.progress import Progress
    from edgekit.runtime.ask.protocol import Reply

PROMPTS = (
    "my screen is too dark",
    "turn off wifi please",
    "the battery dies too fast",
    "gjør skjermen lysere",
    "字が小さくて読めない",
)

BASE = "base"
SENTIMENT = "sentiment"
TRIAGE = "triage"
PROMPTS_BY_VOICE = {
    BASE: ("turn off wifi please", "gjør skjermen lysere", "字が小さくて読めない"),
    SENTIMENT: ("I love the keyboard", "batteriet er elendig", "音量は今オンですか"),
    TRIAGE: (
        "turn off wifi, this is urgent",
        "skriften er for liten, det haster ikke",
        "指紋認証をオンにして",
    ),
}
"""What the base alone and each of its two adapters is asked."""


def demo(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Bundle directory, with --adapters the beginning of three; replaced if there.",
        ),
    ] = Path("edgekit-demo"),
    recipe: Annotated[str, typer.Option(help="A recipe from `edgekit recipes`.")] = "int8",
    adapters: Annotated[
        bool, typer.Option("--adapters", help="One base doing three jobs: it takes two adapters at run time.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Convert the bundled settings navigator, load it in the engine, and let it answer."""
    progress = progress_for(quiet=quiet or as_json)
    if adapters:
        _show_adapters(output, recipe, as_json, progress)
        return
    from edgekit.runtime.chat import open_chat

    result = _convert(output, recipe, progress, takes_adapters=False)
    replies = {}
    for prompt in PROMPTS:
        with open_chat(result.bundle) as chat:
            replies[prompt] = chat.say(prompt)
    if as_json:
        print_json({"convert": result.to_json(), "answers": _answers_json(replies, None)})
        return
    from edgekit.cli.convert import print_result

    print_result(result)
    _print_answers([(None, prompt, reply) for prompt, reply in replies.items()])
    print(f"next: edgekit package {shlex.quote(str(result.bundle))} --to apk")


def _show_adapters(output: Path, recipe: str, as_json: bool, progress: Progress) -> None:
    """Make the base and both adapters, and let all three answer from one opened engine."""
    from edgekit.runtime.chat import open_chat

    base = _convert(_beside(output, BASE), recipe, progress, takes_adapters=True)
    made = {name: _adapter(name, base.bundle, output, progress) for name in (SENTIMENT, TRIAGE)}
    replies: dict[str, dict[str, Reply]] = {}
    with open_chat(base.bundle, [result.directory for result in made.values()]) as chat:
        for voice, prompts in PROMPTS_BY_VOICE.items():
            replies[voice] = {}
            for prompt in prompts:
                chat.begin(None if voice == BASE else voice)
                replies[voice][prompt] = chat.say(prompt)
    if as_json:
        answers = {
            voice: _answers_json(said, None if voice == BASE else voice) for voice, said in replies.items()
        }
        adapters = [result.to_json() for result in made.values()]
        print_json({"convert": base.to_json(), "adapters": adapters, "answers": answers})
        return
    files = [(base.model, base.manifest.model.size, base.seconds)]
    files += [(result.sidecar, result.manifest.sidecar.size, result.seconds) for result in made.values()]
    for path, size, seconds in files:
        print(f"{path}  {figures.size(size)}  ({figures.duration(seconds)})")
    _print_answers(
        [(voice, prompt, reply) for voice, said in replies.items() for prompt, reply in said.items()]
    )
    words = [str(base.bundle)]
    for result in made.values():
        words += ["--adapter", str(result.directory)]
    print(f"next: edgekit chat {shlex.join(words)}")
    print(f"  or: edgekit package {shlex.join(words)} --to apk")


def _convert(output: Path, recipe: str, progress: Progress, *, takes_adapters: bool) -> Conversion:
    from edgekit.conversion.convert import convert
    from edgekit.conversion.options import GraphOptions, TextOptions
    from edgekit.examples import settings_navigator

    example = settings_navigator()
    result = convert(
        example / "checkpoint",
        output,
        name="settings-navigator",
        recipe=recipe,
        graph=GraphOptions(adapters="16" if takes_adapters else None),
        text=TextOptions(answer_schema=example / "answer-schema.json"),
        force=True,
        progress=progress,
    )
    _copy_presets(example, result.bundle)
    return result


def _adapter(name: str, base: Path, output: Path, progress: Progress) -> AdapterBundle:
    from edgekit.conversion.adapter.making import adapter
    from edgekit.conversion.options import TextOptions
    from edgekit.examples import sentiment, support_triage

    example = sentiment() if name == SENTIMENT else support_triage()
    result = adapter(
        example / "adapter",
        base,
        _beside(output, name),
        name=name,
        text=TextOptions(answer_schema=example / "answer-schema.json"),
        force=True,
        progress=progress,
    )
    _copy_presets(example, result.directory)
    return result


def _beside(output: Path, name: str) -> Path:
    return output.with_name(f"{output.name}-{name}")


def _copy_presets(example: Path, bundle: Path) -> None:
    from edgekit.packaging.presets import PRESETS_NAME

    if not (presets := bundle / PRESETS_NAME).exists():  # one that is there may have been edited
        shutil.copyfile(example / PRESETS_NAME, presets)


def _answers_json(replies: dict[str, Reply], adapter: str | None) -> dict[str, dict[str, object]]:
    from edgekit.cli.chat import reply_json

    return {prompt: reply_json(reply, adapter) for prompt, reply in replies.items()}


def _print_answers(answers: list[tuple[str | None, str, Reply]]) -> None:
    """Show who answered what to what; without a column for who, where it is always the same."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    several = any(voice is not None for voice, _, _ in answers)
    for column in (*(("",) if several else ()), "you say", "it answers", "tokens/s"):
        table.add_column(column)
    for voice, prompt, reply in answers:
        cells = (prompt, reply.text, f"{reply.stats.decode_tokens_per_second:.0f}")
        table.add_row(*((voice or "",) if several else ()), *cells)
    output_console().print(table)
