"""The audit log: an append-only file of JSON lines, made durable in groups; a failed write stops the run."""

from __future__ import annotations

import asyncio
import errno
import os
import queue
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import orjson
from filelock import FileLock, Timeout

from bulkpause.clock import Clock
from bulkpause.errors import AuditCreateError, AuditError

SCHEMA: Final = 1

SPACING_S: Final = 0.001
"""How far apart commits start at least: at full load a larger group shares one, and the threads switch less often."""

LINGER_S: Final = 0.05
"""How long a line nobody waits for may stay in memory."""


class AuditLog:
    """The one writer of one ledger. Lines keep the order of `write`; `seq` has no gaps.

    `write` only queues. `durable` returns when all that was written before it is on the disk: lines that come while a
    commit is under way share the next one (group commit), so its price is per group and not per line. The first
    failure is final: it and every later call raise AuditError.
    """

    def __init__(self, path: Path, *, run_id: str, clock: Clock) -> None:
        self.path = path
        self._run_id = run_id
        self._clock = clock
        self._lock = FileLock(f"{path}.lock", mode=0o600)
        self._seq = 0
        self._buffer: list[bytes] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._committing: list[asyncio.Future[None]] | None = None
        self._timer: asyncio.Handle | None = None
        self._started_s = float("-inf")
        """When the latest commit began."""
        self._failure: str | None = None
        self._has_told = False
        """Whether somebody was told of the failure."""
        self._batches: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    async def __aenter__(self) -> Self:
        """Create the file and its writing thread; AuditCreateError if it exists, is in use or cannot be made."""
        self._loop = asyncio.get_running_loop()
        try:
            self.path.parent.stat()  # the lock would make a missing directory, and a typo a success
            self._lock.acquire(timeout=0)
        except Timeout:
            raise AuditCreateError(
                f"{self.path} is being written by another run. Wait for it, or choose another file."
            ) from None
        except OSError as error:
            raise AuditCreateError(_cannot("create", self.path, error)) from None
        try:
            self._fd = _create(self.path)
        except OSError as error:
            self._lock.release()
            raise AuditCreateError(_cannot("create", self.path, error)) from None
        self._thread = threading.Thread(target=self._write_batches, name="audit-log", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Make the rest durable and close; raises AuditError unless that was raised, or another error came, before."""
        try:
            if not self._has_told:
                await self.durable()
        except AuditError:
            if error is None:
                raise
        finally:
            if self._buffer and self._failure is None:  # the wait above was cancelled: no line is lost for that
                self._batches.put(b"".join(self._buffer))
                self._buffer.clear()
            self._batches.put(None)
            self._thread.join()
            os.close(self._fd)
            self._lock.release()
            if self._failure is None:
                self._failure = f"the audit log {self.path} is closed."

    def check(self) -> None:
        """Raise AuditError if a line is known to be lost."""
        if self._failure is not None:
            self._has_told = True
            raise AuditError(self._failure)

    def write(self, event: str, fields: Mapping[str, Any]) -> None:
        """Queue one line; it is durable after the next `durable`, or soon by itself."""
        self.check()
        now = self._clock.now()
        # orjson leaves out microseconds that are zero; such a line would sort behind its whole second.
        at = now if now.microsecond else f"{now:%Y-%m-%dT%H:%M:%S}.000000Z"
        line = {"schema": SCHEMA, "run_id": self._run_id, "seq": self._seq + 1, "at": at, "event": event, **fields}
        self._buffer.append(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z))
        self._seq += 1
        if self._timer is None and self._committing is None:
            self._timer = self._loop.call_later(LINGER_S, self._commit)

    async def durable(self) -> None:
        """Wait until every line written so far is on the disk. Raises AuditError if it cannot be."""
        self.check()
        waiter = self._loop.create_future()
        if self._buffer:
            self._waiters.append(waiter)
            if self._committing is None and len(self._waiters) == 1:
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = self._commit_soon()
        elif self._committing is not None:
            self._committing.append(waiter)
        else:
            return
        await waiter
        self.check()

    def _commit_soon(self) -> asyncio.Handle:
        """Not at once: whatever else this pass of the loop brings shares the commit."""
        wait_s = self._started_s + SPACING_S - self._loop.time()
        return self._loop.call_later(wait_s, self._commit) if wait_s > 0 else self._loop.call_soon(self._commit)

    def _commit(self) -> None:
        self._timer = None
        self._started_s = self._loop.time()
        self._committing, self._waiters = self._waiters, []
        self._batches.put(b"".join(self._buffer))
        self._buffer.clear()

    def _committed(self, error: OSError | None) -> None:
        waiters, self._committing = self._committing or [], None
        if error is not None:
            self._failure = _cannot("write", self.path, error)
            waiters += self._waiters
            self._waiters = []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        if self._failure is None and self._waiters:
            self._timer = self._commit_soon()
        elif self._failure is None and self._buffer:
            self._timer = self._loop.call_later(LINGER_S, self._commit)

    def _write_batches(self) -> None:
        """The writing thread: one batch after another until told to end; a failed one is the last."""
        failure: OSError | None = None
        while (batch := self._batches.get()) is not None:
            if failure is None:
                try:
                    _write_all(self._fd, batch)
                    sync(self._fd)
                except OSError as error:
                    failure = error
            self._loop.call_soon_threadsafe(self._committed, failure)


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a ledger in order; a torn last line is left out. Raises OSError if it cannot be read."""
    with path.open("rb") as stream:
        for line in stream:
            if line.endswith(b"\n"):
                yield orjson.loads(line)


def sync(fd: int) -> None:
    """Force what was written to `fd` onto the disk, by the strongest cheap means the platform has."""
    getattr(os, "fdatasync", os.fsync)(fd)


def _create(path: Path) -> int:
    binary = getattr(os, "O_BINARY", 0)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | binary, 0o600)
    try:
        _sync_folder(path.parent)
    except OSError:
        os.close(fd)
        path.unlink()  # or the next try would find it in its way
        raise
    return fd


def _sync_folder(folder: Path) -> None:
    """Let a new name in `folder` survive a power cut as well, where the system can: Windows has no such call."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # network and shared folders may not know it
            raise
    finally:
        os.close(fd)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _cannot(verb: str, path: Path, error: OSError) -> str:
    hint = " Choose another name: a ledger is never written over." if isinstance(error, FileExistsError) else ""
    return f"cannot {verb} the audit log {path}: {error.strerror or error}.{hint}"
