"""`edgekit chat`: talk to a bundle in the engine that ships on phones."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit import figures
from edgekit.cli.console import DebugOption, JsonOption, QuietOption, error_console, print_json, say
from edgekit.errors import InputError

if TYPE_CHECKING:
    from edgekit.cli.calls import Results
    from edgekit.runtime.ask.protocol import Reply
    from edgekit.runtime.chat import Chat

EXAMPLES = """Examples:

edgekit chat my-fine-tune

edgekit chat my-fine-tune --prompt "my screen is too dark" --sampler greedy

edgekit chat base --adapter sentiment-adapter --adapter triage-adapter

edgekit chat my-caller --prompt "flashlight on" --results results.json"""

_ONE_TURN = "Each message begins a new conversation, unless a bundle is made with --turns many"
_MANY_TURNS = "Type a message; the model sees those before"
SWITCH = "/adapter"
BASE = "none"
"""What stands for the base alone after SWITCH."""


def chat(
    bundle: Annotated[Path, typer.Argument(help="A bundle directory, or a .litertlm file.")],
    prompt: Annotated[
        str | None,
        typer.Option("--prompt", "-p", help="Answer this one message and leave; - reads it from stdin."),
    ] = None,
    adapter: Annotated[
        list[Path] | None,
        typer.Option(help="An adapter bundle to talk with; several: switch by typing /adapter NAME."),
    ] = None,
    system: Annotated[
        str | None,
        typer.Option(help="A system message before the first turn (default: the adapter's, if any)."),
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option(
            help="greedy, or temperature=0.7,top_k=40,top_p=0.9 (default: the adapter's or bundle's)."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the sampling.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="The most tokens of an answer.")] = None,
    free: Annotated[
        bool, typer.Option("--free", help="Do not hold answers to the schema or regex of bundle or adapter.")
    ] = False,
    tools: Annotated[
        bool, typer.Option("--tools", help="Ask what each call gave, and let the model go on with it.")
    ] = False,
    results: Annotated[
        Path | None,
        typer.Option(help="A JSON file with what calls give, by tool, * for the others; instead of --tools."),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of the engine.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Chat with a bundle: streaming, several turns, tokens per second after each."""
    from edgekit.runtime.chat import open_chat

    if as_json and prompt is None:
        raise typer.BadParameter("--json needs --prompt")
    if prompt is not None and len(adapter or ()) > 1:
        raise typer.BadParameter("--prompt goes to one --adapter")
    if prompt == "-":
        prompt = sys.stdin.read()
    if prompt is not None and not prompt.strip():
        raise InputError("the message is empty", where="--prompt", remedy="say something to the model")
    given: Results | None = None
    if results is not None:
        from edgekit.cli.calls import read_results

        given = read_results(results)
    elif tools:
        from edgekit.cli.calls import ask_for_result as given
    with open_chat(
        bundle,
        adapter or (),
        system=system,
        sampler=sampler,
        seed=seed,
        max_tokens=max_tokens,
        constrained=not free,
        threads=threads,
    ) as talk:
        if given is not None and talk.calling is None:
            raise InputError(
                "the bundle calls no tools",
                where="--results" if results is not None else "--tools",
                remedy="convert the checkpoint with --tools FILE",
            )
        if prompt is not None:
            _answer_once(talk, prompt, given, as_json, quiet)
        else:
            _converse(talk, given, quiet)


def _answer_once(talk: Chat, prompt: str, given: Results | None, as_json: bool, quiet: bool) -> None:
    if as_json:
        from edgekit.runtime.chat import reply_json

        if talk.calling is None:
            print_json(reply_json(talk.say(prompt), talk.adapter))
            return
        from edgekit.cli.calls import converse

        rounds = converse(talk, prompt, given, lambda _: None)
        calls = [one.to_json() for one in rounds]
        print_json({**reply_json(rounds[-1].reply, talk.adapter), "rounds": calls})
        return
    reply = _say(talk, prompt, given)
    if not quiet:
        _print_speed(reply)


def _line_editing() -> None:
    """Arrow keys and history at the prompt, where Python has them."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 (importing it is what changes input())


def _say(talk: Chat, message: str, given: Results | None) -> Reply:
    """Send a message and show what comes back: as it comes, or, of a bundle that calls, as calls."""
    if talk.calling is None:
        return _stream(talk, message)
    from edgekit.cli.calls import converse, show

    return converse(talk, message, given, show)[-1].reply


def _converse(talk: Chat, given: Results | None, quiet: bool) -> None:
    """Read messages until the end of input; an interrupt while the model speaks only stops the answer."""
    if sys.stdin.isatty():
        _line_editing()
    if not quiet and sys.stdin.isatty():
        _tell(f"{_ONE_TURN if talk.one_turn else _MANY_TURNS}; an empty line or Ctrl-D ends.")
        if talk.adapters:
            _tell(f"{SWITCH} NAME switches: {', '.join(talk.adapters)}, or {BASE} for the base alone.")
    while True:
        try:
            message = input(f"{talk.adapter or ''}> " if sys.stdin.isatty() else "")
        except (EOFError, KeyboardInterrupt):
            if sys.stdin.isatty():
                say()  # the shell's prompt comes on a line of its own
            return
        if not message.strip():
            return
        if talk.adapters and message.split()[0] == SWITCH:
            _switch(talk, message.split()[1:], quiet)
            continue
        try:
            reply = _say(talk, message, given)
        except KeyboardInterrupt:
            say()
            talk.prepare()
            continue
        except EOFError:  # no more results
            return
        if not quiet:
            _print_speed(reply)
        if reply.ending == "context":
            error_console().print("The context is full: start again.", style="yellow")
            return
        talk.prepare()


def _switch(talk: Chat, words: list[str], quiet: bool) -> None:
    """Do what a typed `/adapter [NAME]` says: list who can speak, or begin a conversation with another."""
    if not words:
        for name in (*talk.adapters, BASE):
            speaks = (talk.adapter or BASE) == name
            _tell(f"{'*' if speaks else ' '} {name}{' (the base alone)' if name == BASE else ''}")
        return
    name = " ".join(words)
    if name not in (*talk.adapters, BASE):
        there = ", ".join((*talk.adapters, BASE))
        error_console().print(f"There is no {name} here, only {there}.", style="yellow", markup=False)
        return
    seconds = talk.begin(None if name == BASE else name)
    if not quiet:
        kept = "; each message begins another" if talk.one_turn else ""
        _tell(f"[{name}: a new conversation after {figures.milliseconds(seconds)}{kept}]")


def _stream(talk: Chat, message: str) -> Reply:
    for piece in talk.stream(message):
        say(piece, end="", flush=True)
    say()
    assert talk.reply is not None
    return talk.reply


def _print_speed(reply: Reply) -> None:
    stats = reply.stats
    ending = "" if reply.ending == "end_of_turn" else f", stopped by {reply.ending}"
    _tell(
        f"[{stats.generated_tokens} tokens, {stats.decode_tokens_per_second:.0f} tokens/s, "
        f"first after {figures.milliseconds(stats.time_to_first_token)}{ending}]"
    )


def _tell(text: str) -> None:
    error_console().print(text, style="dim", markup=False, highlight=False)
