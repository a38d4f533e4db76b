"""Standard streams that are closed, full, stuck or have lost their reader: nothing of that may end or hold up a run."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

if TYPE_CHECKING:
    from bulkpause.redaction import Redactor

BACKLOG: Final = 1000
"""Texts kept for a terminal that stands still; more are lost."""

PATIENCE_S: Final = 1.0
"""How long the end of the program, or the result on stdout, waits for what is still to be said on stderr."""


class _Lossy:
    """A stream that keeps the first OSError to itself: nothing is said on it that is worth failing for."""

    def __init__(self, stream: TextIO, *, before: Callable[[], None], clean: Callable[[str], str]) -> None:
        self._stream = stream
        self._before = before
        self.clean = clean
        """Strikes out secrets."""
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        _check_is_text(text)
        return self.write_struck(self.clean(text))

    def write_struck(self, text: str) -> int:
        """Write a text whose secrets have been struck out already."""
        self._before()
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


class _Detached:
    """A stream behind a thread: a terminal that takes nothing (Ctrl-S, a hung session) must not stop the event loop."""

    def __init__(self, stream: TextIO, *, clean: Callable[[str], str]) -> None:
        self._stream = stream
        self.clean = clean
        """Strikes out secrets."""
        self._texts: queue.Queue[str] = queue.Queue(BACKLOG)
        self._thread: threading.Thread | None = None
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        _check_is_text(text)
        if self._thread is None:
            self._thread = threading.Thread(target=self._write_texts, name="bulkpause-stderr", daemon=True)
            self._thread.start()
        if not self._texts.full():
            self._texts.put_nowait(self.clean(text))
        return len(text)

    def flush(self) -> None:
        """Nothing: the thread flushes, and nobody waits for it."""

    def drain(self, patience_s: float = PATIENCE_S) -> None:
        """Wait until all is written, but not for ever."""
        done = self._texts.all_tasks_done
        with done:
            done.wait_for(lambda: not self._texts.unfinished_tasks, patience_s)

    def _write_texts(self) -> None:
        while True:
            text = self._texts.get()
            try:
                _write_through(self._stream, text)
            except OSError as error:
                self.error = self.error or error
            finally:
                self._texts.task_done()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _check_is_text(text: object) -> None:
    """TypeError as files raise it: click writes b"" to learn what kind of stream it has."""
    if not isinstance(text, str):
        raise TypeError(f"write() argument must be str, not {type(text).__name__}")


def _write_through(stream: TextIO, text: str) -> None:
    """Write without the stream's own lock: a thread stuck with it in its hands would abort the interpreter's exit."""
    try:
        fd = stream.fileno()
    except (OSError, ValueError):
        fd = None  # no file, but something in memory
    if fd is None or os.name == "nt":  # a console of Windows takes characters, not bytes
        stream.write(text)
        stream.flush()
        return
    data = text.encode(stream.encoding or "utf-8", "backslashreplace")
    while data:
        data = data[os.write(fd, data) :]


@contextmanager
def dependable_streams(redactor: Redactor) -> Iterator[Callable[[], bool]]:
    """While entered, stdout and stderr are there, print any character, never raise OSError, and stderr never blocks.

    No secret passes them that `redactor` knows, and stderr nothing that looks like one, whoever writes: tracebacks and
    warnings of Python's own as well.
    That the disk under stdout is full is said at the end, and what is given tells it; that the reader of a pipe has
    gone was its wish.
    """

    def has_lost_output() -> bool:
        out.flush()
        return out.error is not None and not isinstance(out.error, BrokenPipeError)

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
    err = _Detached(sys.stderr, clean=redactor.text)
    out = _Lossy(
        sys.stdout, before=err.drain, clean=redactor.known
    )  # on one terminal, what was said before stands before the result
    try:
        with redirect_stdout(cast("TextIO", out)), redirect_stderr(cast("TextIO", err)):
            yield has_lost_output
            if has_lost_output() and out.error is not None:
                say(f"bulkpause: cannot write to stdout: {out.error.strerror}.")
    finally:
        err.drain()
        out.flush()
        for stream in (out, err):
            if stream.error is not None:  # what is left goes nowhere, or Python complains of it at exit, and exits 120
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def say(text: str) -> None:
    """Tell the operator, on stderr, with secrets struck out and whatever could move a cursor escaped."""
    from bulkpause.redaction import printable  # noqa: PLC0415 - keep --help quick

    if clean := getattr(sys.stderr, "clean", None):  # before a bar's terminal breaks the line in the midst of one
        text = clean(text)
    print("\n".join(map(printable, text.split("\n"))), file=sys.stderr, flush=True)  # noqa: T201 - to the operator
    if drain := getattr(sys.stderr, "drain", None):  # not by its type: while a bar is up, rich stands in front of it
        drain()  # or a program that leaves at once would leave it unsaid


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at it who can be shown more than plain lines."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"
