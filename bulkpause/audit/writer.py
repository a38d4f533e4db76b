"""The writer: lines bound to a chain and made durable in groups; a failed write stops the run."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import orjson

from bulkpause.audit import files
from bulkpause.chain import GENESIS, Closing, Tail, digest, seal
from bulkpause.clock import Clock
from bulkpause.errors import AuditCreateError, AuditError

SCHEMA: Final = 1

SPACING_S: Final = 0.001
"""How far apart commits start at least: at full load a larger group shares one, and the threads switch less often."""

LINGER_S: Final = 0.05
"""How long a line nobody waits for may stay in memory."""

_ROTATION: Final = "Keep log rotation and clean-up away from it."


class AuditLog:
    """The one writer of one ledger, whose lock the caller holds. Lines keep the order of `write`; `seq` has no gaps.

    `write` only queues. `durable` returns when all that was written before it is on the disk: lines that come while a
    commit is under way share the next one (group commit), so its price is per group and not per line. The first
    failure is final: it and every later call raise AuditError. With `tail` it goes on behind that in a file that is
    there; without, it makes the file.
    """

    def __init__(self, path: Path, *, run_id: str, clock: Clock, tail: Tail | None = None) -> None:
        self.path = path
        self._run_id = run_id
        self._clock = clock
        self._tail = tail
        self._seq, self._prev, self._size = (0, GENESIS, 0) if tail is None else tail[:3]
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
        """Open the file and start its writing thread.

        Raises AuditCreateError if the file exists, cannot be made, or, with a tail, has changed since that was found.
        """
        self._loop = asyncio.get_running_loop()
        try:
            self._fd = files.create(self.path) if self._tail is None else files.reopen(self.path, self._tail)
        except OSError as error:
            raise AuditCreateError(_cannot("create" if self._tail is None else "open", self.path, error)) from None
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
                self._put_batch()
            self._batches.put(None)
            self._thread.join()
            os.close(self._fd)
            if self._failure is None:
                self._failure = f"the audit log {self.path} is closed."

    def check(self) -> None:
        """Raise AuditError if a line is known to be lost."""
        if self._failure is not None:
            self._has_told = True
            raise AuditError(self._failure)

    def write(self, event: str, fields: Mapping[str, Any]) -> int:
        """Queue one line and return its `seq`; it is durable after the next `durable`, or soon by itself."""
        self._queue(self._line(event, fields))
        return self._seq

    def seal(self, event: str, fields: Mapping[str, Any]) -> Closing:
        """Queue a closing line, which says how many lines there are and vouches for itself."""
        line, head = seal(self._line(event, {**fields, "lines": self._seq + 1}))
        self._queue(line)
        return Closing(self._seq, head)

    def _line(self, event: str, fields: Mapping[str, Any]) -> bytes:
        self.check()
        now = self._clock.now()
        # orjson leaves out microseconds that are zero; such a line would sort behind its whole second.
        at = now if now.microsecond else f"{now:%Y-%m-%dT%H:%M:%S}.000000Z"
        line = {
            "schema": SCHEMA,
            "run_id": self._run_id,
            "seq": self._seq + 1,
            "prev": self._prev,
            "at": at,
            "event": event,
            **fields,
        }
        return orjson.dumps(line, option=orjson.OPT_UTC_Z)

    def _queue(self, line: bytes) -> None:
        self._buffer.append(line)
        self._prev = digest(line)
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
        self._put_batch()

    def _put_batch(self) -> None:
        self._batches.put(b"\n".join((*self._buffer, b"")))
        self._buffer.clear()

    def _committed(self, failure: str | None) -> None:
        waiters, self._committing = self._committing or [], None
        if failure is not None:
            self._failure = failure
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
        failure: str | None = None
        while (batch := self._batches.get()) is not None:
            if failure is None:
                try:
                    files.write_all(self._fd, batch)
                    files.sync(self._fd)
                    self._size += len(batch)
                    failure = self._find_damage()
                except OSError as error:
                    failure = _cannot("write", self.path, error)
            self._loop.call_soon_threadsafe(self._committed, failure)

    def _find_damage(self) -> str | None:
        """What somebody else did to the file, as a log rotation does, if its lines are not all where they belong."""
        here = os.fstat(self._fd)
        try:
            is_there = os.path.samestat(here, os.stat(self.path))  # noqa: PTH116 - samestat wants what fstat gives
        except FileNotFoundError:
            is_there = False
        if not is_there:
            return f"the audit log {self.path} was moved, replaced or removed during the run. {_ROTATION}"
        if here.st_size != self._size:
            return (
                f"the audit log {self.path} was changed by somebody else during the run: {self._size:,} bytes were "
                f"written, {here.st_size:,} are there. {_ROTATION}"
            )
        return None


def _cannot(verb: str, path: Path, error: OSError) -> str:
    hint = " Choose another name: a ledger is never written over." if isinstance(error, FileExistsError) else ""
    return f"cannot {verb} the audit log {path}: {error.strerror or error}.{hint}"
