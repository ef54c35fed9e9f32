"""`edgekit demo`: the main job on the bundled demo model, without network or weights of your own."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.console import DebugOption, JsonOption, QuietOption, output_console, print_json, progress_for

PROMPTS = (
    "my screen is too dark",
    "turn off wifi please",
    "the battery dies too fast",
    "gjør skjermen lysere",
    "字が小さくて読めない",
)


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Bundle directory; a bundle that is there is replaced.")
    ] = Path("edgekit-demo"),
    recipe: Annotated[str, typer.Option(help="A recipe from `edgekit recipes`.")] = "int8",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Convert the bundled settings navigator, load it in the engine, and let it answer."""
    from edgekit.chatting import open_chat
    from edgekit.cli.chat import reply_json
    from edgekit.cli.convert import print_result
    from edgekit.conversion import convert
    from edgekit.examples import settings_navigator
    from edgekit.packaging.presets import PRESETS_NAME

    example = settings_navigator()
    result = convert(
        example / "checkpoint",
        output,
        name="settings-navigator",
        recipe=recipe,
        answer_schema=example / "answer-schema.json",
        force=True,
        progress=progress_for(quiet=quiet or as_json),
    )
    if not (presets := result.bundle / PRESETS_NAME).exists():  # one that is there may have been edited
        shutil.copyfile(example / PRESETS_NAME, presets)
    replies = {}
    for prompt in PROMPTS:
        with open_chat(result.bundle) as chat:
            replies[prompt] = chat.send(prompt)
    if as_json:
        answers = {prompt: reply_json(reply, None) for prompt, reply in replies.items()}
        print_json({"convert": result.to_json(), "answers": answers})
        return
    print_result(result)
    from rich.table import Table

    table = Table("you say", "it answers", "tokens/s", box=None, pad_edge=False)
    for prompt, reply in replies.items():
        table.add_row(prompt, reply.text, f"{reply.stats.decode_tokens_per_second:.0f}")
    output_console().print(table)
    print(f"next: edgekit package {shlex.quote(str(result.bundle))} --to apk")
