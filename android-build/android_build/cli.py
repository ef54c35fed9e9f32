"""The steps by name."""

from __future__ import annotations

import argparse
import sys

from android_build.process import BuildError


def main() -> None:
    """Run the step that the command line names; exits with 1 when it fails."""
    parser = argparse.ArgumentParser(prog="python android-build", description=__doc__)
    steps = parser.add_subparsers(required=True, metavar="STEP")

    step = steps.add_parser("fetch", help="download what the steps need, all of it")
    step.set_defaults(run=_fetch)

    step = steps.add_parser("compile", help="compile the app's Kotlin; a warning is an error")
    step.add_argument("--old", action="store_true", help="against AndroidX of December 2024")
    _add_only(step)
    step.set_defaults(run=_compile)

    step = steps.add_parser("test", help="run the app's tests on the JVM, with the real engine")
    step.add_argument("names", nargs="*", metavar="CLASS", help="such as tasks.BenchmarkTest; all unless named")
    _add_only(step)
    step.set_defaults(run=_test)

    arguments = parser.parse_args()
    try:
        arguments.run(arguments)
    except BuildError as error:
        sys.exit(f"{error}\n{parser.prog}: failed")


def _add_only(step: argparse.ArgumentParser) -> None:
    step.add_argument(
        "--only", nargs="+", default=(), metavar="PACKAGE", help="packages below the app's own; leave out the others"
    )


def _fetch(arguments: argparse.Namespace) -> None:
    from android_build.layout import COORDINATES
    from android_build.maven import fetch

    for path in sorted(COORDINATES.glob("*.txt")):
        fetch(path.stem)


def _compile(arguments: argparse.Namespace) -> None:
    from android_build.kotlin import app_classes
    from android_build.libraries import old_libraries

    app_classes(arguments.only, old_libraries() if arguments.old else None)


def _test(arguments: argparse.Namespace) -> None:
    from android_build.tests import run_tests

    run_tests(arguments.names, arguments.only)
