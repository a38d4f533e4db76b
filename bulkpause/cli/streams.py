"""Standard streams that are closed, full or have lost their reader: nothing of that may end a run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO, cast


class _Lossy:
    """A stream that keeps the first OSError to itself: nothing is said on it that is worth failing for."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except OSError as error:
            self.error = self.error or error
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self.error = self.error or error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def dependable_streams() -> Iterator[None]:
    """While entered, stdout and stderr are there, print any character, and never raise OSError.

    That the disk under stdout is full is said at the end; that the reader of a pipe has gone was its wish.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes this number, or the ledger would and be printed into
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - as long as the process
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - the same
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # an id in an odd encoding must not end the program
    out, err = _Lossy(sys.stdout), _Lossy(sys.stderr)
    try:
        with redirect_stdout(cast("TextIO", out)), redirect_stderr(cast("TextIO", err)):
            yield
            out.flush()
            if out.error is not None and not isinstance(out.error, BrokenPipeError):
                say(f"bulkpause: cannot write to stdout: {out.error.strerror}.")
    finally:
        for lossy in (out, err):
            lossy.flush()
            if lossy.error is not None:  # what is left goes nowhere, or Python complains of it at exit, and exits 120
                os.dup2(os.open(os.devnull, os.O_WRONLY), lossy.fileno())


def say(text: str) -> None:
    """Tell the operator, on stderr, with whatever could move a cursor escaped."""
    from bulkpause.logs import printable  # noqa: PLC0415 - keep --help quick

    print("\n".join(map(printable, text.split("\n"))), file=sys.stderr, flush=True)  # noqa: T201 - to the operator


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at it who can be shown more than plain lines."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"
