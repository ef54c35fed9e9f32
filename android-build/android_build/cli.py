"""The steps by name."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from android_build.layout import SCREENSHOTS
from android_build.process import BuildError


def main() -> None:
    """Run the step that the command line names; exits with 1 when it fails."""
    parser = argparse.ArgumentParser(prog="python android-build", description=__doc__)
    steps = parser.add_subparsers(required=True, metavar="STEP")

    step = steps.add_parser("fetch", help="download what the steps need, all of it")
    step.set_defaults(run=_fetch)

    step = steps.add_parser(
        "compile", help="compile the app's Kotlin and check its API level; a warning is an error"
    )
    step.add_argument("--old", action="store_true", help="against AndroidX of December 2024")
    step.set_defaults(run=_compile)

    step = steps.add_parser("test", help="run the app's tests on the JVM, with the real engine")
    step.add_argument(
        "names", nargs="*", metavar="CLASS", help="such as tasks.BenchmarkTest, or a module; all unless named"
    )
    step.add_argument(
        "--screenshots",
        type=Path,
        default=SCREENSHOTS,
        metavar="DIR",
        help="where the tests put what they drew",
    )
    step.set_defaults(run=_test)

    step = steps.add_parser(
        "properties", help="print where the tests' files lie, as lines for a gradle.properties"
    )
    step.set_defaults(run=_properties)

    step = steps.add_parser("check-api", help="find calls of the platform that minSdk does not have")
    step.set_defaults(run=_check_api)

    step = steps.add_parser(
        "api", help="compare what the libraries offer to apps with the files that keep it"
    )
    step.add_argument("--write", action="store_true", help="write the files anew")
    step.set_defaults(run=_api)

    step = steps.add_parser("lint", help="run Android Lint; a warning is an error")
    step.set_defaults(run=_lint)

    step = steps.add_parser("aar", help="build the libraries, as a Maven repository in a directory")
    step.add_argument(
        "--compare", type=Path, metavar="DIR", help="with those that Gradle built in this project"
    )
    step.set_defaults(run=_aar)

    step = steps.add_parser("components", help="write the list of libraries that the app shows")
    step.set_defaults(run=_components)

    step = steps.add_parser(
        "base",
        help="build the base and the library that ship in edgekit anew, or compare them with the sources",
    )
    step.add_argument(
        "--compare", action="store_true", help="build it aside and fail when the shipped one differs"
    )
    step.set_defaults(run=_base)

    arguments = parser.parse_args()
    try:
        arguments.run(arguments)
    except BuildError as error:
        sys.exit(f"{error}\n{parser.prog}: failed")


def _fetch(arguments: argparse.Namespace) -> None:
    from android_build.layout import COORDINATES
    from android_build.maven import fetch

    for path in sorted(COORDINATES.glob("*.txt")):
        fetch(path.stem)


def _compile(arguments: argparse.Namespace) -> None:
    from android_build.api import check_api
    from android_build.kotlin import app_classes, classes_of
    from android_build.layout import DELIVERY
    from android_build.libraries import old_libraries

    libraries = old_libraries() if arguments.old else None
    check_api([*app_classes(libraries), classes_of(DELIVERY, libraries)])


def _test(arguments: argparse.Namespace) -> None:
    from android_build.tests import run_tests

    run_tests(arguments.names, arguments.screenshots.resolve())


def _properties(arguments: argparse.Namespace) -> None:
    from android_build.tests import properties_of_tests

    print("\n".join(f"{name}={path}" for name, path in properties_of_tests().items()))


def _check_api(arguments: argparse.Namespace) -> None:
    from android_build.api import check_api

    check_api()


def _api(arguments: argparse.Namespace) -> None:
    from android_build.public_api import check_public_api, write_public_api

    if arguments.write:
        print("\n".join(map(str, write_public_api())))
    else:
        check_public_api()


def _lint(arguments: argparse.Namespace) -> None:
    from android_build.lint import check_lint

    check_lint()


def _aar(arguments: argparse.Namespace) -> None:
    from android_build.aar import maven_repository
    from android_build.gradle import compare_with_gradle

    if arguments.compare:
        compare_with_gradle(arguments.compare)
    else:
        print(maven_repository())


def _components(arguments: argparse.Namespace) -> None:
    from android_build.components import write_shown

    print(write_shown())


def _base(arguments: argparse.Namespace) -> None:
    from android_build.base import compare_base, ship_base
    from android_build.core import compare_core, ship_core

    if arguments.compare:
        compare_core()
        compare_base()
        return
    for directory in (ship_core(), ship_base()):
        print(
            "\n".join(f"{path.name}  {path.stat().st_size:,} bytes" for path in sorted(directory.iterdir()))
        )
