"""What is said of an error that nobody catches: its kind and the line it came from, where Python prints a traceback.

A traceback quotes the error's text, which may hold a secret, and helps no operator.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bulkpause.cli import exits, streams


@contextmanager
def no_tracebacks() -> Iterator[None]:
    """While entered, the errors of threads and of what Python clears away come to one line each."""
    hooks = threading.excepthook, sys.unraisablehook
    threading.excepthook, sys.unraisablehook = _of_thread, _of_clearing
    try:
        yield
    finally:
        threading.excepthook, sys.unraisablehook = hooks


def _of_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None and not isinstance(ended.exc_value, SystemExit):
        name = "a thread" if ended.thread is None else ended.thread.name
        streams.say(f"bulkpause: internal error in {name}, please report it: {exits.where(ended.exc_value)}.")


def _of_clearing(ended: sys.UnraisableHookArgs) -> None:
    if ended.exc_value is not None:
        streams.say(f"bulkpause: internal error while clearing up, please report it: {exits.where(ended.exc_value)}.")
