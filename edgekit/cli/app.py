"""The Typer application, and what becomes of errors."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from edgekit import __version__
from edgekit.cli import adapter as adapter_command
from edgekit.cli import bench, chat, convert
from edgekit.cli import doctor as doctor_command
from edgekit.cli import inspect as inspect_command
from edgekit.cli import package as package_command
from edgekit.cli import validate as validate_command
from edgekit.cli import vocab as vocab_command
from edgekit.cli.console import DebugOption, error_console, print_error
from edgekit.cli.data import data
from edgekit.cli.demo import demo
from edgekit.cli.panels import GroupedCommand
from edgekit.cli.recipes import recipes
from edgekit.cli.renamed import Command
from edgekit.cli.sign import SIGN_EXAMPLES, VERIFY_EXAMPLES, sign, verify
from edgekit.errors import EdgekitError

BUG_EXIT_CODE = 70
INTERRUPT_EXIT_CODE = 130

app = typer.Typer(
    name="edgekit",
    help="From a fine-tuned Gemma 3 270M checkpoint to a verified bundle on the phone.",
    epilog="Start with: edgekit demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command(epilog=convert.EXAMPLES, cls=Command)(convert.convert)
app.command(epilog=adapter_command.EXAMPLES, cls=Command)(adapter_command.adapter)
app.command(epilog=vocab_command.EXAMPLES, cls=Command)(vocab_command.vocab)
app.command(epilog=inspect_command.EXAMPLES, cls=Command)(inspect_command.inspect)
app.command(epilog=validate_command.EXAMPLES, cls=Command)(validate_command.validate)
app.command(epilog=chat.EXAMPLES, cls=Command)(chat.chat)
app.command(epilog=bench.EXAMPLES, cls=GroupedCommand)(bench.bench)
app.command(
    "package",
    help=package_command.package.__doc__,
    epilog=package_command.EXAMPLES,
    cls=package_command.PackageCommand,
)(package_command.listed)
app.command(epilog=SIGN_EXAMPLES, cls=Command)(sign)
app.command(epilog=VERIFY_EXAMPLES, cls=Command)(verify)
app.add_typer(recipes, name="recipes")
app.add_typer(data, name="data")
app.command(cls=Command)(demo)
app.command(epilog=doctor_command.EXAMPLES, cls=Command)(doctor_command.doctor)


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", is_eager=True, callback=lambda v: _version(v)
        ),
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Hold the options that come before a command."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 a check failed, 2 bad input, 3 a tool is missing, 70 a bug."""
    words = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in words
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without a character is no reason to fail
    _end_as_interrupts_do()
    try:
        _run(words)
    except EdgekitError as error:
        if debug:
            error_console().print_exception()
        print_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt as interrupt:
        sys.exit(interrupt.args[0] if interrupt.args else INTERRUPT_EXIT_CODE)
    except BrokenPipeError:
        # The reader of our output has gone (`edgekit inspect … | head`): no error, and nothing to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:  # anything else is a bug: it must not look like the user's mistake
        _report_bug(error, debug)
        sys.exit(BUG_EXIT_CODE)
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of Rust's libraries: no Exception, but a bug as any
            raise
        _report_bug(error, debug)
        sys.exit(BUG_EXIT_CODE)


def _end_as_interrupts_do() -> None:
    """Let SIGTERM and SIGHUP clean up as Ctrl-C does; one that is ignored, as under nohup, stays so."""

    def end(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # once is enough
        raise KeyboardInterrupt(128 + number)

    if threading.current_thread() is not threading.main_thread():
        return
    for name in ("SIGTERM", "SIGHUP"):
        if (number := getattr(signal, name, None)) and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def _run(words: list[str]) -> None:
    """Run the application to its exit; raises BrokenPipeError when the reader of our output has gone."""
    try:
        app(args=words, prog_name="edgekit")  # also as `python -m edgekit`: completion goes by the name
    except SystemExit as leaving:
        # Typer exits 1, which is a failed gate's, for a reader that has gone and for a file that ends too early, and
        # 130 for an interrupt of any kind.
        for cause in _causes(leaving):
            if isinstance(cause, BrokenPipeError | EOFError) or (
                isinstance(cause, KeyboardInterrupt) and cause.args
            ):
                raise cause from None
        sys.stdout.flush()
        raise


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__ or error.__context__
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"edgekit {__version__}")
        raise typer.Exit


def _report_bug(error: BaseException, debug: bool) -> None:
    console = error_console()
    if debug:
        console.print_exception()
        return
    detail: Any = f"{type(error).__name__}: {error}"
    console.print(f"This is a bug in edgekit: {detail}", markup=False, highlight=False)
    console.print("  → run it again with --debug and report what it prints", markup=False, highlight=False)
