"""One id from its first attempt to its end: intent, gates, request, reply, decision, and again.

intent in the ledger -> gates -> curfew -> client -> Reply -> decide -> budget
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Protocol

from bulkpause.budget import RetryBudget
from bulkpause.clock import Clock
from bulkpause.ending import Ending
from bulkpause.jobs import ABANDONED, Job, guid
from bulkpause.models import Attempt, Halt, Notice, Operation, Reply, Verdict, Wire
from bulkpause.passage import Passage
from bulkpause.ports import Curfew, Record, ReportApi
from bulkpause.retry import Retry, RetryPolicy, Stop, decide, ended


class Steering(Protocol):
    """Who decides for the whole run."""

    def halt(self, halt: Halt) -> None:
        """Let nothing leave from now on."""

    def close(self, halt: Halt) -> None:
        """Begin no further id."""


@dataclass(slots=True, kw_only=True)
class Attempts:
    """Takes one id after another through its attempts, for any number of workers at once."""

    operation: Operation
    retry: RetryPolicy
    api: ReportApi
    passage: Passage
    record: Record
    clock: Clock
    rng: random.Random
    budget: RetryBudget
    curfew: Curfew
    ending: Ending
    steering: Steering
    stopped: asyncio.Event
    """Set when nothing leaves any more."""
    lookahead: asyncio.Semaphore
    """How many intents may wait for their slot at the gates."""

    async def until_ended(self, job: Job) -> None:
        """Attempt until the rules give the id its status; a stop or the deadline may come first."""
        request_id = guid(self.rng)
        while True:
            correlation_id = guid(self.rng)
            number = len(job.attempts) + 1
            async with self.lookahead:
                await self.record.intent(
                    job.entry, number, request_id=request_id, correlation_id=correlation_id, before=job.before
                )
                await self.passage.admit()
            if self.stopped.is_set() or self._is_too_late(job) or self._end_if_late(job):
                return
            self.record.check()
            attempt = await self._send(job, number, request_id=request_id, correlation_id=correlation_id)
            decision = decide(self.retry, job.attempts, elapsed_s=job.elapsed_ms / 1000, rng=self.rng)
            if isinstance(decision, Stop):
                job.status = decision.status
            self.budget.note(number, job.status)
            if attempt.reply.halt is not None:
                self.steering.halt(attempt.reply.halt)
            for halt in self.passage.observe(job.entry.report_id, attempt):
                self.steering.halt(halt)
            match decision:
                case Stop():
                    return
                case Retry(delay_s):
                    if self.stopped.is_set() or self._is_too_late(job, in_s=delay_s) or not self._may_retry(attempt):
                        return
                    self.record.retried(job.entry, attempt, delay_s=delay_s)
                    job.retried += 1
                    await self.clock.sleep(delay_s)
            if attempt.reply.verdict is not Verdict.UNANSWERED:
                # One MS-RequestId names one change: kept after silence, renewed after any answer (docs/api.md, 6).
                request_id = guid(self.rng)

    def _is_too_late(self, job: Job, *, in_s: float = 0.0) -> bool:
        """Whether the id's next attempt, `in_s` seconds from now, may not leave any more."""
        halt = self.curfew(is_first=not job.attempts, in_s=in_s)
        if halt is not None and not in_s:
            self.steering.close(halt)
        elif halt is not None:
            self.ending.declare(halt)  # its own backoff is too long; others may go on
        return halt is not None

    def _may_retry(self, attempt: Attempt) -> bool:
        """Whether the run can pay for another attempt; if not, the id ends interrupted, and a continuation owes it."""
        was_spent = self.budget.is_spent
        if not attempt.sent or self.budget.draw(attempt.reply.verdict):
            return True  # what never left has cost the service nothing
        if not was_spent:
            self.record.notice(Notice("budget_spent", {"retries": self.budget.retries}))
        return False

    def _end_if_late(self, job: Job) -> bool:
        """Whether the wait for the gates has outlasted the id's deadline, which ends it.

        Not if it was refused for haste: the wait is of the service's making then, and says nothing of the report.
        """
        if (
            job.attempts
            and job.attempts[-1].reply.verdict is not Verdict.THROTTLED
            and self.clock.monotonic_s() - job.started_s > self.retry.deadline_s
        ):
            job.status = ended(job.attempts)
        return job.status is not None

    async def _send(self, job: Job, number: int, *, request_id: str, correlation_id: str) -> Attempt:
        started_s = self.clock.monotonic_s()
        if not job.attempts:
            job.started_s = started_s
        wire = job.flying = Wire()
        self.passage.depart()
        reply: Reply | None = None
        try:
            reply = await self.api.send(
                self.operation,
                job.entry.report_id,
                request_id=request_id,
                correlation_id=correlation_id,
                wire=wire,
            )
        finally:
            job.flying = None
            if reply is not None or wire.sent:
                now_s = self.clock.monotonic_s()
                elapsed_ms = round((now_s - started_s) * 1000, 3)  # as the ledger has it, for whoever counts again
                answer = ABANDONED if reply is None else reply
                attempt = Attempt(number, request_id, correlation_id, wire.sent, elapsed_ms, answer)
                job.attempts.append(attempt)
                job.elapsed_ms = round((now_s - job.started_s) * 1000, 3)
        return job.attempts[-1]
