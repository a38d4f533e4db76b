"""The engine: a feeder, a bounded queue and a crew of workers that end every report id in exactly one outcome.

source -> manifest -> queue -> worker -> intent in the ledger -> gates -> client -> Reply -> decide -> Outcome -> ledger

It knows the nouns, the rules and its Protocols (ports.py), and does no I/O of its own.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from bulkpause.clock import Clock
from bulkpause.errors import AuthError, SourceError
from bulkpause.jobs import Job, guid, invalid, skipped
from bulkpause.models import (
    Attempt,
    Entry,
    Halt,
    HaltReason,
    Notice,
    Operation,
    Reject,
    Status,
    Verdict,
    Wire,
)
from bulkpause.ports import Feed, Gate, Record, ReportApi
from bulkpause.retry import Retry, RetryPolicy, Stop, decide


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What to do and how hard to push."""

    operation: Operation
    concurrency: int = 8
    """Attempts in flight, and so the most reports that a crash can leave in doubt."""
    lookahead: int = 2
    """Intents that may wait for their slot at the gates: more hides a slow disk, fewer leave less in doubt."""
    drain_timeout_s: float = 30.0
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
    ) -> None:
        self._settings = settings
        self._api = api
        self._gates = gates
        self._record = record
        self._clock = clock
        self._rng = rng
        self._queue: asyncio.Queue[Entry | None] = asyncio.Queue(2 * settings.concurrency)
        self._lookahead = asyncio.Semaphore(settings.lookahead)
        self._seats = [_Seat() for _ in range(settings.concurrency)]
        self._feed: Feed | None = None
        self._drain_timer: asyncio.TimerHandle | None = None
        self._stopped = asyncio.Event()
        self.halted: Halt | None = None
        """Why the engine stopped by itself, if it did."""

    @property
    def in_flight(self) -> int:
        """Attempts that may be on the wire now."""
        return sum(seat.job is not None and seat.job.flying is not None for seat in self._seats)

    @property
    def stopping(self) -> bool:
        """Whether no new attempt is sent; what flies may still land."""
        return self._stopped.is_set()

    async def run(self, feed: Feed) -> None:
        """End every row of `feed` in one outcome. Raises AuditError, in an ExceptionGroup, if the record fails."""
        self._feed = feed
        try:
            async with asyncio.TaskGroup() as crew:
                crew.create_task(self._fill_queue(feed))
                for seat in self._seats:
                    crew.create_task(self._work(seat))
        finally:
            if self._drain_timer is not None:
                self._drain_timer.cancel()
            self._skip_queue()

    def stop(self) -> None:
        """Drain: take no new id, let what flies land, but not longer than `drain_timeout_s`."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        if self._feed is not None:
            self._feed.stop()
        for seat in self._seats:
            if seat.job is not None and seat.job.flying is None:
                seat.rouse()
        self._drain_timer = asyncio.get_running_loop().call_later(self._settings.drain_timeout_s, self.cancel)

    def cancel(self) -> None:
        """Abandon what flies: it may have acted, so those reports end `unknown`."""
        self.stop()
        for seat in self._seats:
            if seat.job is not None:
                seat.rouse()

    def halt(self, halt: Halt) -> None:
        """Stop because of `halt`; the first reason is the one that counts."""
        if self.halted is None:
            self.halted = halt
            self._record.notice(Notice("halted", {"reason": halt.reason.value, "message": halt.message}))
        self.stop()

    async def _fill_queue(self, feed: Feed) -> None:
        try:
            async for batch in feed.batches():
                for row in batch:
                    if isinstance(row, Reject):
                        self._record.outcome(invalid(row))
                    elif self._stopped.is_set():
                        self._record.outcome(skipped(row))
                    else:
                        await self._queue.put(row)
                await self._record.durable()
        except SourceError as error:
            self.halt(Halt(HaltReason.SOURCE_FAILED, str(error)))
        for _ in self._seats:
            await self._queue.put(None)

    async def _work(self, seat: _Seat) -> None:
        """Take one id after another until the queue ends; being roused ends only the id at hand."""
        queue_ended = False
        while not queue_ended:
            try:
                async with asyncio.timeout(None) as seat.scope:
                    while (entry := await self._queue.get()) is not None:
                        if self._stopped.is_set():
                            self._record.outcome(skipped(entry))
                        else:
                            await self._operate(seat, entry)
                    queue_ended = True
            except TimeoutError:
                continue

    async def _operate(self, seat: _Seat, entry: Entry) -> None:
        """One id from its first attempt to its outcome, which is recorded whatever happens."""
        job = seat.job = Job(entry)
        status: Status | None = None
        try:
            status = await self._attempt_until_ended(job)
        except AuthError as error:
            self.halt(Halt(HaltReason.NOT_AUTHORISED, str(error)))
        finally:
            seat.job = None
            self._record.outcome(job.outcome(status, now_s=self._clock.monotonic_s()))

    async def _attempt_until_ended(self, job: Job) -> Status | None:
        """The status the rules give the id; None if a stop came first."""
        request_id = guid(self._rng)
        while True:
            correlation_id = guid(self._rng)
            number = len(job.attempts) + 1
            async with self._lookahead:
                await self._record.intent(job.entry, number, request_id=request_id, correlation_id=correlation_id)
                await self._pass_gates()
            if self._stopped.is_set():
                return None
            attempt = await self._send(job, number, request_id=request_id, correlation_id=correlation_id)
            for gate in self._gates:
                if halt := gate.observe(job.entry.report_id, attempt):
                    self.halt(halt)
            elapsed_s = self._clock.monotonic_s() - job.started_s
            match decide(self._settings.retry, job.attempts, elapsed_s=elapsed_s, rng=self._rng):
                case Stop(status):
                    return status
                case Retry(delay_s):
                    if self._stopped.is_set():
                        return None
                    self._record.retried(job.entry, attempt, delay_s=delay_s)
                    await self._clock.sleep(delay_s)
            if attempt.reply.verdict is not Verdict.UNANSWERED:
                # One MS-RequestId names one change: kept after silence, renewed after any answer (docs/api.md, 6).
                request_id = guid(self._rng)

    async def _pass_gates(self) -> None:
        """Return when every gate is open at once; the rate comes last, so nothing delays what it let out."""
        while True:
            for gate in self._gates:
                await gate.admit()
            if all(gate.is_open() for gate in self._gates):
                return

    async def _send(self, job: Job, number: int, *, request_id: str, correlation_id: str) -> Attempt:
        started_s = self._clock.monotonic_s()
        if not job.attempts:
            job.started_s = started_s
        wire = job.flying = Wire()
        job.request_id, job.correlation_id = request_id, correlation_id
        reply = await self._api.send(
            self._settings.operation,
            job.entry.report_id,
            request_id=request_id,
            correlation_id=correlation_id,
            wire=wire,
        )
        elapsed_ms = (self._clock.monotonic_s() - started_s) * 1000
        attempt = Attempt(number, request_id, correlation_id, wire.sent, elapsed_ms, reply)
        job.attempts.append(attempt)
        job.flying = None
        return attempt

    def _skip_queue(self) -> None:
        """After a crash of the crew: what still waits in the queue was never sent."""
        while not self._queue.empty():
            if (entry := self._queue.get_nowait()) is not None:
                self._record.outcome(skipped(entry))


class _Seat:
    """One worker's place: the id it holds, and the scope by which a stop ends its wait."""

    __slots__ = ("job", "scope")

    def __init__(self) -> None:
        self.job: Job | None = None
        self.scope: asyncio.Timeout | None = None

    def rouse(self) -> None:
        """End whatever this worker waits for."""
        if self.scope is not None and not self.scope.expired():
            self.scope.reschedule(asyncio.get_running_loop().time())
