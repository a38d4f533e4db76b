"""A worker's place in the engine."""

from __future__ import annotations

import asyncio

from bulkpause.jobs import Job


class Seat:
    """One worker's place: the id it holds, and the way to end that id's wait without ending the worker."""

    __slots__ = ("_roused", "job", "task")

    def __init__(self) -> None:
        self.job: Job | None = None
        self.task: asyncio.Task[None] | None = None
        self._roused = False

    def rouse(self) -> None:
        """End whatever this worker waits for; not later, or it might send in the meantime."""
        if self.task is not None and not self._roused:
            self._roused = True
            self.task.cancel()

    def was_roused(self) -> bool:
        """Whether the cancellation at hand is a rouse and nothing else; the task goes on then."""
        roused, self._roused = self._roused, False
        return roused and self.task is not None and self.task.uncancel() == 0
