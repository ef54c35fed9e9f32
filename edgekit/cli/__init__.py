"""The command line: one file per command, argument parsing and printing only."""

from edgekit.cli.app import main

__all__ = ["main"]
