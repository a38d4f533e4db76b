"""A run in virtual time that may go wrong anywhere, and the truths that are checked while it goes."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from bulkpause.engine import Engine, EngineSettings
from bulkpause.errors import AuditError, AuthError, SourceError
from bulkpause.models import (
    Attempt,
    Entry,
    Halt,
    HaltReason,
    Notice,
    Operation,
    Outcome,
    Reject,
    Reply,
    ReportId,
    Status,
    Verdict,
    Wire,
)
from bulkpause.ports import Curfew, FakeApi, FakeFeed, FakeRecord, Gate, never_too_late
from bulkpause.retry import RetryPolicy
from tests.virtual_time import VirtualClock

FeedEnd = Literal["eof", "source_error", "bug", "silence"]


class Bug(Exception):  # noqa: N818 - it stands for any mistake of ours
    """What nobody planned for."""


def entry(row: int) -> Entry:
    return Entry(ReportId(f"00000000-0000-4000-8000-{row:012d}"), row)


def engine(
    api: FakeApi | Service,
    *gates: Gate,
    record: FakeRecord | None = None,
    concurrency: int = 2,
    lookahead: int = 2,
    drain_timeout_s: float = 30.0,
    retry: RetryPolicy | None = None,
    force: bool = False,
    curfew: Curfew = never_too_late,
) -> Engine:
    settings = EngineSettings(
        operation=Operation.PAUSE,
        concurrency=concurrency,
        lookahead=lookahead,
        drain_timeout_s=drain_timeout_s,
        force=force,
        retry=retry or RetryPolicy(max_tries=3, backoff_base_s=1.0, backoff_cap_s=4.0),
    )
    return Engine(
        settings,
        api=api,
        gates=gates,
        record=record or FakeRecord(),
        clock=VirtualClock(),
        rng=random.Random(7),  # noqa: S311
        curfew=curfew,
    )


def by_row(outcomes: Sequence[Outcome]) -> dict[int, Status]:
    assert len({outcome.row for outcome in outcomes}) == len(outcomes)
    return {outcome.row: outcome.status for outcome in outcomes}


@dataclass
class Feed(FakeFeed):
    """Batches with pauses between them, then EOF, a SourceError, a bug, or silence until it is stopped."""

    batch_size: int = 2
    pause_s: float = 0.0
    end: FeedEnd = "eof"
    given: list[Entry | Reject] = field(default_factory=list)
    stopped_at_s: float | None = None
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def batches(self) -> AsyncIterator[Sequence[Entry | Reject]]:
        """The rows, then the end."""
        for start in range(0, len(self.rows), self.batch_size):
            with suppress(TimeoutError):
                async with asyncio.timeout(self.pause_s):
                    await self._woken.wait()
            batch = self.rows[start : start + self.batch_size]
            self.given += batch
            yield batch
        match self.end:
            case "source_error":
                raise SourceError("line 7: an unclosed quote")
            case "bug":
                raise Bug("feed")
            case "silence":
                await self._woken.wait()
            case "eof":
                return

    def stop(self) -> None:
        """End the silence; what is left to give comes at once."""
        if self.stopped_at_s is None:
            self.stopped_at_s = asyncio.get_running_loop().time()
        self._woken.set()


@dataclass(frozen=True)
class Answer:
    """How the service treats one attempt: `connect_s` until it leaves `sent` times, `reply_s` more until the answer."""

    verdict: Verdict | None = Verdict.CONFIRMED
    """None: it raises `raises` in place of a reply."""
    raises: type[Exception] = Bug
    connect_s: float = 0.0
    reply_s: float = 0.1
    sent: int = 1
    retry_after_s: float | None = None


@dataclass
class Service:
    """A ReportApi that answers from `script` in turn and keeps the truth about what left."""

    script: Sequence[Answer]
    record: Ledger
    calls: int = 0
    flying: int = 0
    most_flying: int = 0
    left: Counter[ReportId] = field(default_factory=Counter)
    last: dict[ReportId, Verdict | None] = field(default_factory=dict)
    """The answer to the last attempt that left; None if it got none that was waited for."""
    watched: Engine | None = None

    async def send(
        self, operation: Operation, report_id: ReportId, *, request_id: str, correlation_id: str, wire: Wire
    ) -> Reply:
        """Treat one attempt as the script says."""
        answer = self.script[self.calls % len(self.script)]
        self.calls += 1
        assert request_id != correlation_id
        assert correlation_id == self.record.durable_intents[report_id], "left before its intent was durable"
        assert self.watched is not None
        assert not self.watched.stopping, "sent after a stop"
        self.flying += 1
        self.most_flying = max(self.most_flying, self.flying)
        try:
            await asyncio.sleep(answer.connect_s)
            assert not self.watched.stopping, "left after a stop"
            assert not self.record.failed, "left after a failed write"
            for _ in range(answer.sent):
                wire.sent += 1
                self.left[report_id] += 1
                self.last[report_id] = None
            await asyncio.sleep(answer.reply_s)
        finally:
            self.flying -= 1
        if answer.verdict is None:
            raise answer.raises("send")
        if answer.sent:
            self.last[report_id] = answer.verdict
        return Reply(answer.verdict, 200, 200, retry_after_s=answer.retry_after_s)


@dataclass(slots=True)
class Ledger(FakeRecord):
    """A Record whose `fails_at`-th call fails, as does every later one; `sync_s` is how long an intent takes."""

    concurrency: int = 1
    sync_s: float = 0.0
    fails_at: int | None = None
    calls: int = 0
    durable_intents: dict[ReportId, str] = field(default_factory=dict)
    open_intents: set[ReportId] = field(default_factory=set)

    @property
    def failed(self) -> bool:
        """Whether the failing call has come."""
        return self.fails_at is not None and self.calls >= self.fails_at

    def _count(self) -> None:
        self.calls += 1
        if self.failed:
            raise AuditError("disk full")

    def check(self) -> None:
        """Fail once a call has failed."""
        if self.failed:
            raise AuditError("disk full")

    async def intent(
        self, entry: Entry, number: int, *, request_id: str, correlation_id: str, before: str | None
    ) -> None:
        """Durable after `sync_s`."""
        self.open_intents.add(entry.report_id)
        assert len(self.open_intents) <= self.concurrency, "too many in doubt"
        await asyncio.sleep(self.sync_s)
        self._count()
        self.durable_intents[entry.report_id] = correlation_id

    def retried(self, entry: Entry, attempt: Attempt, *, delay_s: float) -> None:
        """Count the call."""
        self._count()

    def outcome(self, outcome: Outcome) -> None:
        """Remember it, even when it fails."""
        self.outcomes.append(outcome)
        if outcome.report_id is not None:
            self.open_intents.discard(outcome.report_id)
        self._count()

    def notice(self, notice: Notice) -> None:
        """Remember it."""
        self._count()
        self.notices.append(notice)

    async def durable(self) -> None:
        """Count the call."""
        self._count()


@dataclass
class Turnstile:
    """A gate with a slot every `every_s`, which can fail at a call, or halt the run after an attempt."""

    every_s: float = 0.0
    auth_error_at: int | None = None
    halt_at: int | None = None
    bug_at: int | None = None
    calls: int = 0
    seen: int = 0
    _next_s: float = 0.0

    async def admit(self) -> None:
        """Wait for the next slot."""
        self.calls += 1
        is_last = self.calls == self.auth_error_at
        now_s = asyncio.get_running_loop().time()
        slot_s = self._next_s = max(now_s, self._next_s) + self.every_s
        await asyncio.sleep(slot_s - now_s)
        if is_last:
            raise AuthError("AADSTS7000222: the secret has expired")

    def is_open(self) -> bool:
        """A slot stays good."""
        return True

    def depart(self) -> None:
        """Let it go."""

    def observe(self, report_id: ReportId, attempt: Attempt) -> Halt | None:
        """Look on, or do the harm that was ordered."""
        self.seen += 1
        if self.seen == self.bug_at:
            raise Bug("gate")
        return Halt(HaltReason.THROTTLED_OUT, "later") if self.seen == self.halt_at else None
