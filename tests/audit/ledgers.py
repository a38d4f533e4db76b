"""A ledger to write to, and a disk that can be slow, counted or broken."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bulkpause.audit import AuditLog
from bulkpause.chain import Tail
from bulkpause.clock import SystemClock


@dataclass
class Disk:
    """Stands before the disk: counts, holds or fails its syncs."""

    go: threading.Event = field(default_factory=threading.Event)
    synced: list[int] = field(default_factory=list)
    """Size of the file at each sync."""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    fails_with: int | None = None

    def hook(self, loop: asyncio.AbstractEventLoop) -> Callable[[int], None]:
        """What replaces `files.sync`."""

        def sync(fd: int) -> None:
            loop.call_soon_threadsafe(self.arrived.set)
            assert self.go.wait(10)
            if self.fails_with is not None:
                raise OSError(self.fails_with, os.strerror(self.fails_with))
            self.synced.append(os.fstat(fd).st_size)

        return sync


def ledger(path: Path, tail: Tail | None = None) -> AuditLog:
    return AuditLog(path, run_id="run-1", clock=SystemClock(), tail=tail)


async def a_few_passes_of_the_loop() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def write_durably(log: AuditLog, number: int) -> None:
    log.write("attempt_started", {"number": number})
    await log.durable()
