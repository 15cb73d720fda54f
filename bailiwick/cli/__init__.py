"""The command line: one door into one turn."""

from bailiwick.cli.app import app

__all__ = ["app"]
