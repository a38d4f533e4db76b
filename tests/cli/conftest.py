"""The fixtures of calling.py, for every test of the command line."""

from __future__ import annotations

from tests.cli.calling import cli, quick_to_settle, serve

__all__ = ["cli", "quick_to_settle", "serve"]
