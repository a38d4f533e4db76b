"""The engine: a feeder, a bounded queue and a crew of workers that end every report id in exactly one outcome.

source -> manifest -> queue -> worker -> intent in the ledger -> gates -> client -> Reply -> decide -> Outcome -> ledger

It knows the nouns, the rules and its Protocols (ports.py), and does no I/O of its own. What one id goes through is in
attempts.py.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from bulkpause.attempts import Attempts
from bulkpause.budget import RetryBudget
from bulkpause.clock import Clock
from bulkpause.ending import Ending
from bulkpause.errors import AuditError, AuthError, NoWayError, SourceError, TokenUnavailableError
from bulkpause.jobs import Job, invalid, skipped, unchanged
from bulkpause.models import Entry, Halt, HaltReason, Operation, Outcome, Reject
from bulkpause.passage import Passage
from bulkpause.ports import (
    Before,
    Curfew,
    Feed,
    Gate,
    Record,
    ReportApi,
    Watch,
    never_too_late,
    nothing_known,
    nothing_watched,
)
from bulkpause.retry import RetryPolicy
from bulkpause.seat import Seat


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What to do and how hard to push."""

    operation: Operation
    concurrency: int = 8
    """Attempts in flight, and so the most reports that a crash can leave in doubt."""
    lookahead: int = 2
    """Intents that may wait for their slot at the gates: more hides a slow disk, fewer leave less in doubt."""
    drain_timeout_s: float = 30.0
    force: bool = False
    """Whether a report that is in the wanted state already is sent its request all the same."""
    retry: RetryPolicy = field(default_factory=RetryPolicy)


class Engine:
    """Runs one operation over a feed of report ids. `run` once; `stop` and `cancel` from the same event loop."""

    def __init__(
        self,
        settings: EngineSettings,
        *,
        api: ReportApi,
        gates: Sequence[Gate],
        record: Record,
        clock: Clock,
        rng: random.Random,
        budget: RetryBudget | None = None,
        curfew: Curfew = never_too_late,
    ) -> None:
        self._settings = settings
        self._record = record
        self._ending = Ending(record)
        self._stopped = asyncio.Event()
        self._attempts = Attempts(
            operation=settings.operation,
            retry=settings.retry,
            api=api,
            passage=Passage(gates),
            record=record,
            clock=clock,
            rng=rng,
            budget=budget or RetryBudget(),
            curfew=curfew,
            ending=self._ending,
            steering=self,
            stopped=self._stopped,
            lookahead=asyncio.Semaphore(settings.lookahead),
        )
        self._queue: asyncio.Queue[Entry | None] = asyncio.Queue(2 * settings.concurrency)
        self._batch: deque[Entry | Reject] = deque()
        """What the feed gave and is not in the queue yet."""
        self._seats = [Seat() for _ in range(settings.concurrency)]
        self._feed: Feed | None = None
        self._before: Before = nothing_known
        self._watch: Watch = nothing_watched
        self._drain_timer: asyncio.TimerHandle | None = None
        self._is_fed = False
        """Whether all that the feed has is in the queue."""

    @property
    def halted(self) -> Halt | None:
        """Why the engine left something undone by itself, if it did."""
        return self._ending.halted

    @property
    def in_flight(self) -> int:
        """Attempts that may be on the wire now."""
        return sum(seat.job is not None and seat.job.has_left for seat in self._seats)

    @property
    def retries_spent(self) -> bool:
        """Whether too much fails for further retries, just now."""
        return self._attempts.budget.is_spent

    @property
    def stopping(self) -> bool:
        """Whether nothing leaves any more; what has left may still land."""
        return self._stopped.is_set()

    async def stop_requested(self) -> None:
        """Wait until the engine is told to stop, or halts."""
        await self._stopped.wait()

    async def run(self, feed: Feed, *, before: Before = nothing_known, watch: Watch = nothing_watched) -> None:
        """End every row of `feed` in one outcome. Raises AuditError, in an ExceptionGroup, if the record fails.

        What `before` knows to be in the wanted state already ends `unchanged`, without a request or a word to `watch`.
        """
        self._feed, self._before, self._watch = feed, before, watch
        if self._stopped.is_set():
            feed.stop()
        try:
            async with asyncio.TaskGroup() as crew:
                crew.create_task(self._fill_queue(feed))
                for seat in self._seats:
                    seat.task = crew.create_task(self._work(seat))
        finally:
            if self._drain_timer is not None:
                self._drain_timer.cancel()
            self._end_leftovers()

    def stop(self, *, drain_s: float | None = None) -> None:
        """Drain: let nothing leave from now on, let what has left land, but not longer than `drain_timeout_s`.

        `drain_s` seconds take the place of that where they are given.
        """
        if self._stopped.is_set():
            return
        self._stopped.set()
        if self._feed is not None:
            self._feed.stop()
        for seat in self._seats:
            if seat.job is not None and not seat.job.has_left:
                seat.rouse()
        drain_s = self._settings.drain_timeout_s if drain_s is None else drain_s
        self._drain_timer = asyncio.get_running_loop().call_later(drain_s, self.cancel)

    def cancel(self) -> None:
        """Abandon what flies: it may have acted, so those reports end `unknown`."""
        self.stop()
        for seat in self._seats:
            if seat.job is not None:
                seat.rouse()

    def close(self, halt: Halt) -> None:
        """Begin no further id; those that were tried go on. If that leaves something undone, `halt` is why."""
        if self._feed is None:
            self.halt(halt)  # nothing was tried yet
            return
        if self._stopped.is_set() or self._ending.closed is not None:
            return
        self._ending.closed = halt
        self._feed.stop()
        if not self._is_fed:
            self._ending.note_undone()
        for seat in self._seats:
            if seat.job is not None and not seat.job.attempts and seat.job.flying is None:
                seat.rouse()  # the gates wait for what has departed, even if it is not on the wire yet

    def halt(self, halt: Halt) -> None:
        """Stop because of `halt`, unless the run is stopping already: the first reason is the one that counts."""
        if not self._stopped.is_set():
            self.stop()
            self._ending.declare(halt)

    def halt_without_token(self, error: AuthError) -> None:
        """Stop because no token is to be had."""
        is_away = isinstance(error, (NoWayError, TokenUnavailableError))
        self.halt(Halt(HaltReason.UNREACHABLE if is_away else HaltReason.NOT_AUTHORISED, str(error)))

    async def _fill_queue(self, feed: Feed) -> None:
        with self._crash_abandons_all():
            try:
                async for batch in feed.batches():
                    self._batch.extend(batch)
                    while self._batch:
                        row = self._batch[0]
                        if (outcome := self._without_request(row)) is None and isinstance(row, Entry):
                            await self._queue.put(row)  # in the batch until it is in the queue, for _end_leftovers
                        self._batch.popleft()
                        if outcome is not None:
                            self._record.outcome(outcome)
                    await self._record.durable()
            except SourceError as error:
                self.halt(Halt(HaltReason.SOURCE_FAILED, str(error)))
            self._is_fed = True
            for _ in self._seats:
                await self._queue.put(None)

    def _without_request(self, row: Entry | Reject) -> Outcome | None:
        """The outcome of a row that needs no request; None for one that does."""
        if isinstance(row, Reject):
            return invalid(row)
        before = self._before(row.report_id)
        if before is None or before != self._settings.operation.wanted or self._settings.force:
            return None
        return unchanged(row, before=before)

    async def _work(self, seat: Seat) -> None:
        """Take one id after another until the queue ends; being roused ends only the id at hand."""
        with self._crash_abandons_all():
            while True:
                try:
                    while (entry := await self._queue.get()) is not None:
                        if self._stopped.is_set() or self._ending.closed is not None:
                            self._end_unsent(entry)
                            self._ending.note_undone()
                        else:
                            await self._operate(seat, entry)
                except asyncio.CancelledError:
                    if not seat.was_roused():
                        raise
                else:
                    return

    async def _operate(self, seat: Seat, entry: Entry) -> None:
        """One id from its first attempt to its outcome, which is recorded whatever happens."""
        job = seat.job = Job(entry, before=self._before(entry.report_id))
        try:
            await self._attempts.until_ended(job)
        except AuthError as error:
            self.halt_without_token(error)
        finally:
            seat.job = None
            outcome = job.outcome()
            self._record.outcome(outcome)
            if job.status is None:
                self._ending.note_undone()
        if (halt := self._watch(outcome)) is not None:
            self.halt(halt)

    def _end_unsent(self, row: Entry | Reject) -> None:
        self._record.outcome(invalid(row) if isinstance(row, Reject) else skipped(row))

    def _end_leftovers(self) -> None:
        """After a crash of the crew: what the feed gave and no worker took was never sent."""
        queued = [self._queue.get_nowait() for _ in range(self._queue.qsize())]
        for row in (*queued, *self._batch):
            if row is not None:
                with suppress(AuditError):  # a crash is on its way already; what the record refuses, it knows itself
                    self._end_unsent(row)

    @contextmanager
    def _crash_abandons_all(self) -> Iterator[None]:
        """A crash of one worker lets nothing more leave: at once, while the TaskGroup cancels a moment later."""
        try:
            yield
        except BaseException:
            self.cancel()
            raise
