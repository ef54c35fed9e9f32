"""`edgekit chat`: talk to a bundle in the engine that ships on phones."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli.console import DebugOption, JsonOption, QuietOption, error_console, print_json
from edgekit.errors import InputError

if TYPE_CHECKING:
    from edgekit.runtime.engine import Chat, Reply

EXAMPLES = """Examples:

edgekit chat my-fine-tune

edgekit chat my-fine-tune --prompt "my screen is too dark" --sampler greedy"""


def chat(
    bundle: Annotated[Path, typer.Argument(help="A bundle directory, or a .litertlm file.")],
    prompt: Annotated[
        str | None,
        typer.Option("--prompt", "-p", help="Answer this one message and leave; - reads it from stdin."),
    ] = None,
    system: Annotated[str | None, typer.Option(help="A system message before the first turn.")] = None,
    sampler: Annotated[
        str | None,
        typer.Option(help="greedy, or temperature=0.7,top_k=40,top_p=0.9 (default: the bundle's)."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the sampling.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="The most tokens of an answer.")] = None,
    free: Annotated[
        bool, typer.Option("--free", help="Do not hold answers to the bundle's schema or regex.")
    ] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of the engine.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Chat with a bundle: streaming, several turns, tokens per second after each."""
    from edgekit.chatting import open_chat

    if as_json and prompt is None:
        raise typer.BadParameter("--json needs --prompt")
    if prompt == "-":
        prompt = sys.stdin.read()
    if prompt is not None and not prompt.strip():
        raise InputError("the message is empty", where="--prompt", remedy="say something to the model")
    with open_chat(
        bundle,
        system=system,
        sampler=sampler,
        seed=seed,
        max_tokens=max_tokens,
        constrained=not free,
        threads=threads,
    ) as conversation:
        if prompt is not None:
            _answer_once(conversation, prompt, as_json, quiet)
        else:
            _converse(conversation, quiet)


def _answer_once(conversation: Chat, prompt: str, as_json: bool, quiet: bool) -> None:
    if as_json:
        print_json(reply_json(conversation.send(prompt)))
        return
    reply = _stream(conversation, prompt)
    if not quiet:
        _print_speed(reply)


def _line_editing() -> None:
    """Arrow keys and history at the prompt, where Python has them."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 (importing it is what changes input())


def _converse(conversation: Chat, quiet: bool) -> None:
    """Read messages until the end of input; an interrupt while the model speaks only stops the answer."""
    if sys.stdin.isatty():
        _line_editing()
    if not quiet and sys.stdin.isatty():
        error_console().print("Type a message; an empty line or Ctrl-D ends.", style="dim")
    while True:
        try:
            message = input("> " if sys.stdin.isatty() else "")
        except (EOFError, KeyboardInterrupt):
            if sys.stdin.isatty():
                print()  # the shell's prompt comes on a line of its own
            return
        if not message.strip():
            return
        try:
            reply = _stream(conversation, message)
        except KeyboardInterrupt:
            print()
            continue
        if not quiet:
            _print_speed(reply)
        if reply.stop_reason == "context":
            error_console().print("The context is full: start again.", style="yellow")
            return


def _stream(conversation: Chat, message: str) -> Reply:
    for piece in conversation.stream(message):
        print(piece, end="", flush=True)
    print()
    assert conversation.reply is not None
    return conversation.reply


def _print_speed(reply: Reply) -> None:
    stats = reply.stats
    ending = "" if reply.stop_reason == "end_of_turn" else f", stopped by {reply.stop_reason}"
    error_console().print(
        f"[{stats.generated_tokens} tokens, {stats.decode_tokens_per_second:.0f} tokens/s, "
        f"first after {stats.time_to_first_token * 1000:.0f} ms{ending}]",
        style="dim",
        markup=False,
        highlight=False,
    )


def reply_json(reply: Reply) -> dict[str, object]:
    """A reply as JSON values."""
    from dataclasses import asdict

    return {"text": reply.text, "stop_reason": reply.stop_reason, "stats": asdict(reply.stats)}
