"""The pinned ids on disk: filled by a thread as fast as the source gives, read back at the run's own pace."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from io import BufferedWriter
from pathlib import Path

from bulkpause.errors import AuditCreateError, AuditError, SourceError
from bulkpause.ids import ID_PATTERN
from bulkpause.models import Entry, Reject, ReportId, SourceCounts

Batch = Sequence[Entry | Reject]

_HEADER = b"report_id,row,invalid\n"
_READ_BYTES = 32 * 1024  # some 700 ids, parsed in a millisecond, as that happens on the event loop
_SYNC_EVERY_S = 1.0
_ROW = re.compile(rb"[0-9a-f-]*,([0-9]{1,10}),")
_LINE = re.compile(rf'^(?:({ID_PATTERN}),([0-9]+),|,([0-9]+),"((?:[^"\n]|"")*+)")$', re.MULTILINE)


class Manifest:
    """`manifest.csv`: one writer thread, one reader on the event loop, and no more memory between them than a batch.

    What `batches` yields was written first; what was written, it yields, `stop` or not.
    """

    def __init__(self, path: Path, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._monotonic_s = monotonic_s
        self._pinning = threading.Lock()
        """Held while a batch is written and the numbers below move on."""
        self._pinned_bytes = len(_HEADER)
        self._counts = SourceCounts()
        self._digest = hashlib.sha256(_HEADER)
        self._error: Exception | None = None
        self._is_whole = False
        self._stop = threading.Event()
        self._changed = asyncio.Event()
        self._begun = asyncio.Event()
        self._ended = asyncio.Event()

    @property
    def counts(self) -> SourceCounts:
        """Rows pinned so far."""
        return self._counts

    @property
    def is_filled(self) -> bool:
        """Whether the source has ended, so that `counts` is final."""
        return self._ended.is_set()

    @property
    def is_whole(self) -> bool:
        """Whether all that the source held is pinned: it has ended by itself, and not by a stop or an error."""
        return self._is_whole

    @property
    def sha256(self) -> str:
        """Of what is pinned so far: of the whole file once `filled` has returned."""
        return self._digest.hexdigest()

    def start(self, batches: Iterable[Batch], *, counts: Callable[[], SourceCounts]) -> None:
        """Create the file, mode 0600, and let a daemon thread drain `batches` into it. Raises AuditCreateError."""
        try:
            file = open(self.path, "xb", opener=lambda path, flags: os.open(path, flags, 0o600))  # noqa: SIM115
        except OSError as error:
            raise AuditCreateError(f"{self.path}: cannot be created: {error.strerror}.") from error
        loop = asyncio.get_running_loop()
        threading.Thread(
            target=self._fill, args=(loop, file, batches, counts), name="bulkpause-source", daemon=True
        ).start()

    def stop(self) -> None:
        """Take no more rows, even if the thread waits in a read for ever; `batches` ends behind what is pinned."""
        self._stop.set()
        if self._pinning.acquire(blocking=False):  # else the thread is pinning, and sees the flag right after
            self._pinning.release()
            self._end()

    async def begun(self) -> bool:
        """Wait for the first report id; False if the source ends, or `stop` comes, before one does."""
        await self._begun.wait()
        return self._counts.accepted > 0

    async def filled(self) -> SourceCounts:
        """Wait until the source has ended, or `stop`, with every row pinned. Raises SourceError or AuditError."""
        await self._ended.wait()
        if self._error is not None:
            raise self._error
        return self._counts

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """Pinned rows in order, a bounded number at a time; waits for more until the source ends.

        Raises AuditError as soon as the manifest cannot be written, SourceError behind the last row that was pinned.
        """
        with self.path.open("rb", buffering=0) as file:
            position = file.seek(len(_HEADER))
            rest, line = b"", 2
            while True:
                self._changed.clear()
                has_ended = self._ended.is_set()  # asked before the bytes: after the end no more are pinned
                if isinstance(self._error, AuditError):
                    raise self._error
                if position < self._pinned_bytes:
                    chunk = file.read(min(_READ_BYTES, self._pinned_bytes - position))
                    position += len(chunk)
                    whole, newline, rest = (rest + chunk).rpartition(b"\n")
                    batch = _parse(whole + newline, path=self.path, first_line=line)
                    line += len(batch)
                    yield batch
                elif has_ended:
                    break
                else:
                    await self._changed.wait()
        if self._error is not None:
            raise self._error

    def _fill(
        self,
        loop: asyncio.AbstractEventLoop,
        file: BufferedWriter,
        batches: Iterable[Batch],
        counts: Callable[[], SourceCounts],
    ) -> None:
        error: Exception | None = None
        try:
            with file:
                try:
                    self._drain(loop, file, batches, counts)
                finally:
                    _sync(file)
        except OSError as cause:
            error = AuditError(f"{self.path}: cannot be written: {cause.strerror}. Nothing more is sent.")
            error.__cause__ = cause
        except Exception as cause:  # noqa: BLE001  # it is raised again on the event loop, by filled() and batches()
            error = cause
        with self._pinning:
            if isinstance(error, AuditError):
                self._error = error
            elif not self._stop.is_set():
                self._error = error
                self._counts = replace(counts())  # with the duplicates behind the last batch
                self._is_whole = error is None
        self._tell(loop, self._end)

    def _drain(
        self,
        loop: asyncio.AbstractEventLoop,
        file: BufferedWriter,
        batches: Iterable[Batch],
        counts: Callable[[], SourceCounts],
    ) -> None:
        file.write(_HEADER)
        file.flush()
        synced_s = self._monotonic_s()
        for batch in batches:
            data = "".join(map(_line, batch)).encode("ascii")
            with self._pinning:
                if self._stop.is_set():
                    return
                file.write(data)
                file.flush()
                self._digest.update(data)
                self._counts = replace(counts())
                self._pinned_bytes += len(data)
            self._tell(loop, self._changed.set)
            if self._counts.accepted and not self._begun.is_set():
                self._tell(loop, self._begun.set)
            if self._stop.is_set():
                return
            if self._monotonic_s() - synced_s >= _SYNC_EVERY_S:
                _sync(file)
                synced_s = self._monotonic_s()

    def _end(self) -> None:
        self._ended.set()
        self._begun.set()
        self._changed.set()

    def _tell(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed: the run is over and nobody listens
            loop.call_soon_threadsafe(callback)


def read_manifest(
    path: Path, *, may_skip: Callable[[int, int], bool] = lambda _first, _last: False
) -> Iterator[list[Entry | Reject]]:
    """The rows of a finished run's manifest, batch by batch; a last line cut by a crash is left out.

    A batch whose rows, from the first to the last, `may_skip` says to be of no interest is passed over unread.
    Raises SourceError when the file cannot be read or is not a manifest; an id is only ever taken whole and canonical.
    """
    try:
        with path.open("rb") as file:
            if file.readline() != _HEADER:
                raise SourceError(f"{path}:1: not a manifest. Its first line should be {_HEADER.decode().strip()}")
            rest, line = b"", 2
            while chunk := file.read(_READ_BYTES):
                whole, newline, rest = (rest + chunk).rpartition(b"\n")
                if (span := _span(whole)) is not None and may_skip(*span):
                    line += whole.count(b"\n") + 1
                    continue
                batch = _parse(whole + newline, path=path, first_line=line)
                line += len(batch)
                yield batch
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}.") from error


def _span(lines: bytes) -> tuple[int, int] | None:
    """The rows of the first and the last of these lines; None if they do not say."""
    first, last = _ROW.match(lines), _ROW.match(lines, lines.rfind(b"\n") + 1)
    return None if first is None or last is None else (int(first[1]), int(last[1]))


def _line(item: Entry | Reject) -> str:
    if isinstance(item, Entry):
        return f"{item.report_id},{item.row},\n"
    flaw = f"{item.reason}: {item.text}".replace('"', '""')
    return f',{item.row},"{flaw}"\n'


def _parse(data: bytes, *, path: Path, first_line: int) -> list[Entry | Reject]:
    text = data.decode("ascii", "replace")
    found = _LINE.findall(text)
    if len(found) != text.count("\n"):
        lines = enumerate(text.split("\n"), first_line)
        broken = next(number for number, line in lines if not _LINE.fullmatch(line))
        raise SourceError(f"{path}:{broken}: damaged, no line of a manifest.")
    return [
        Entry(ReportId(report_id), int(row)) if report_id else _reject(int(bad_row), flaw)
        for report_id, row, bad_row, flaw in found
    ]


def _reject(row: int, flaw: str) -> Reject:
    reason, _, text = flaw.replace('""', '"').partition(": ")
    return Reject(row, text, reason)


def _sync(file: BufferedWriter) -> None:
    getattr(os, "fdatasync", os.fsync)(file.fileno())  # macOS and Windows have no fdatasync
