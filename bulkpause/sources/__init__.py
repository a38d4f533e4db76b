"""Where report ids come from: CSV, plain lines or JSON Lines, in a file or a pipe, read as they come."""

from __future__ import annotations

import io
import os
import select
import stat
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self, assert_never

from bulkpause.errors import SourceError, UsageError
from bulkpause.ids import escaped
from bulkpause.models import Entry, Reject, SourceCounts
from bulkpause.sources.columns import choose_column
from bulkpause.sources.intake import Intake
from bulkpause.sources.lines import JsonLines, PlainLines
from bulkpause.sources.sniff import Format, delimiter_of, sniff
from bulkpause.sources.tables import Table
from bulkpause.sources.text import Head, read_head, read_text

__all__ = ["Format", "Source", "open_source"]

_Raw = io.FileIO | BinaryIO


class _Parser(Protocol):
    def feed(self, text: str) -> None: ...
    def close(self) -> None: ...


class Source:
    """Batches of entries and rejects in the order of the source; iterate once, in a thread of its own.

    A batch comes as soon as its bytes are there. Raises SourceError when the source cannot be opened or read, is not
    text or turns out malformed, after the batch of what was good until then.
    """

    def __init__(
        self, name: str, *, raw: _Raw | Path, is_finite: bool, form: Format | None, column: str | None
    ) -> None:
        self.name = name
        self.is_finite = is_finite
        """Whether it is a regular file, which may be read whole before anything is sent."""
        self._raw = raw  # a path where opening may block
        self._form = form
        self._column = column
        self._intake = Intake()

    @property
    def counts(self) -> SourceCounts:
        """Rows judged so far; exact for what was yielded while the iteration is paused."""
        return self._intake.counts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(self._raw, io.FileIO):  # what was handed in is not ours to close
            self._raw.close()

    def __iter__(self) -> Iterator[list[Entry | Reject]]:
        if isinstance(self._raw, Path):
            self._raw = _open(self._raw, name=self.name)
        raw = self._raw
        chunks = read_text(lambda size: _read(raw, size, name=self.name), name=self.name)
        head = read_head(chunks)
        if not head.text:
            return
        parser = self._parser(head)
        try:
            for text in chain((head.text,), chunks):
                parser.feed(text)
                if batch := self._intake.take_batch():
                    yield batch
            parser.close()
        except SourceError:
            if batch := self._intake.take_batch():
                yield batch
            raise

    def _parser(self, head: Head) -> _Parser:
        form = self._form or sniff(head, column=self._column, name=self.name)
        match form:
            case Format.CSV:
                return Table(
                    self._intake,
                    name=self.name,
                    delimiter=head.delimiter or delimiter_of(head.line, column=self._column),
                    row=head.row,
                    choose=lambda cells, row: choose_column(cells, column=self._column, place=f"{self.name}:{row}"),
                )
            case Format.LINES:
                return PlainLines(self._intake, row=head.row)
            case Format.JSONL:
                return JsonLines(self._intake, row=head.row, column=self._column)
        assert_never(form)


def open_source(spec: str, *, form: Format | None, column: str | None, stdin: BinaryIO | None) -> Source:
    """The source at path `spec`, or `stdin` for `-`; `form` None means: look at the first line.

    Never blocks: a FIFO is opened by the iteration. Raises SourceError when there is nothing to read from, and
    UsageError for a column of a plain list.
    """
    if column is not None and form is Format.LINES:
        raise UsageError("A plain list has no columns: drop --column or --format lines.")
    if spec == "-":
        return _standard_input(stdin, form=form, column=column)
    name = escaped(spec, limit=200)
    try:
        mode = os.stat(spec).st_mode  # noqa: PTH116  # a path may be no path at all, which pathlib hides on some versions
    except (OSError, ValueError) as error:
        raise _cannot_open(name, error) from error
    if stat.S_ISDIR(mode):
        raise SourceError(f"{name}: is a directory. Name a file in it.")
    path, is_finite = Path(spec), stat.S_ISREG(mode)
    raw = _open(path, name=name) if is_finite else path
    return Source(name, raw=raw, is_finite=is_finite, form=form, column=column)


def _standard_input(stdin: BinaryIO | None, *, form: Format | None, column: str | None) -> Source:
    if stdin is None or stdin.closed:
        raise SourceError("stdin: is closed. Pipe ids in, or name a file.")
    if stdin.isatty():
        raise SourceError("stdin: is a terminal. Pipe ids in (bulkpause ... - < reports.csv), or name a file.")
    raw: _Raw = stdin
    is_finite = False
    try:
        # Unbuffered: a daemon thread that waits inside sys.stdin's buffer makes the interpreter abort at exit.
        raw = io.FileIO(stdin.fileno(), closefd=False)
        is_finite = stat.S_ISREG(os.fstat(stdin.fileno()).st_mode)
    except io.UnsupportedOperation:
        pass  # a stand-in without a descriptor, such as BytesIO
    return Source("stdin", raw=raw, is_finite=is_finite, form=form, column=column)


def _read(raw: _Raw, size: int, *, name: str) -> bytes:
    """At most `size` bytes, as soon as there are any; none at the end."""
    read: Callable[[int], bytes | None] = getattr(raw, "read1", raw.read)
    try:
        while (chunk := read(size)) is None:  # a pipe that somebody left non-blocking has nothing yet
            select.select([raw], [], [])
    except OSError as error:
        raise SourceError(f"{name}: cannot be read: {error.strerror}.") from error
    return chunk


def _open(path: Path, *, name: str) -> io.FileIO:
    try:
        return io.FileIO(path)
    except OSError as error:
        raise _cannot_open(name, error) from error


def _cannot_open(name: str, error: OSError | ValueError) -> SourceError:
    match error:
        case FileNotFoundError():
            return SourceError(f"{name}: no such file. Check the path, or give - to read standard input.")
        case PermissionError():
            return SourceError(f"{name}: permission denied. Make it readable for this user, or pipe it in.")
        case OSError():
            return SourceError(f"{name}: cannot be opened: {error.strerror}.")
        case _:
            return SourceError(f"{name}: cannot be opened: {error}.")
