"""The question before a large run, asked on the terminal itself: stdin may be full of report ids."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TextIO


def is_wanted(count: int | None, *, above: int) -> bool:
    """Whether a run over `count` reports (None: not known yet) is large enough to ask."""
    return count is None or count > above


def is_attended() -> bool:
    """Whether somebody sits at a terminal; `2>&1 | tee` leaves only stdin to tell it by."""
    return any(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def ask(question: str) -> bool | None:
    """The operator's y or n; None if there is no terminal to ask on. Ctrl-C raises KeyboardInterrupt."""
    if not is_attended():
        return None
    with ExitStack() as exits:
        try:
            keyboard, screen = exits.enter_context(_terminal())
        except OSError:
            return None
        exits.enter_context(_interruptible())
        screen.write(f"{question} [y/N] ")
        screen.flush()
        return keyboard.readline().strip().lower() in {"y", "yes"}


@contextmanager
def _terminal() -> Iterator[tuple[TextIO, TextIO]]:
    """The controlling terminal, whatever stdin and stdout are."""
    names = ("CONIN$", "CONOUT$") if os.name == "nt" else ("/dev/tty", "/dev/tty")
    with open(names[0], encoding="utf-8") as keyboard, open(names[1], "w", encoding="utf-8") as screen:  # noqa: PTH123
        yield keyboard, screen


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end the wait: the event loop's own handler would only take a note of it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
