"""The fixtures of calling.py, for every test of the command line."""

from __future__ import annotations

from tests.cli.calling import cli, serve

__all__ = ["cli", "serve"]
