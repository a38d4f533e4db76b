"""What the engine asks of the world: small Protocols, each with the fake that stands in for it in unit tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bulkpause.models import (
    Attempt,
    Entry,
    Halt,
    Notice,
    Operation,
    Outcome,
    Reject,
    Reply,
    ReportId,
    Verdict,
    Wire,
)


class Feed(Protocol):
    """Where the ids come from, in order."""

    def batches(self) -> AsyncIterator[Sequence[Entry | Reject]]:
        """The rows as they come; raises SourceError where the source turns out unusable."""

    def stop(self) -> None:
        """Take no more from the source: end after what is pinned already."""


class Before(Protocol):
    """What is known of the reports from before the run."""

    def __call__(self, report_id: ReportId, /) -> str | None:
        """The report_status, UNLISTED for a report the tenant's list lacks, None where nothing is known."""


def nothing_known(_report_id: ReportId, /) -> None:
    """The Before of a run without a snapshot."""


class Curfew(Protocol):
    """When it is too late for an attempt to leave."""

    def __call__(self, *, is_first: bool, in_s: float = 0.0) -> Halt | None:
        """Why an attempt, the first one of its report or not, must not leave `in_s` seconds from now; None: it may."""


def never_too_late(*, is_first: bool, in_s: float = 0.0) -> None:
    """The Curfew of a run without a time limit."""


class Watch(Protocol):
    """Looks on as reports end."""

    def __call__(self, outcome: Outcome, /) -> Halt | None:
        """Learn how a report ended that was in a worker's hands; a Halt ends the run."""


def nothing_watched(_outcome: Outcome, /) -> None:
    """The Watch of a run that goes on whatever happens."""


class ReportApi(Protocol):
    """One exchange with the far side."""

    async def send(
        self, operation: Operation, report_id: ReportId, *, request_id: str, correlation_id: str, wire: Wire
    ) -> Reply:
        """Send once. `wire` counts what leaves as it leaves. Failures of the far side are a Reply."""


class Gate(Protocol):
    """One condition an attempt must meet before it leaves."""

    async def admit(self) -> None:
        """Wait until an attempt may leave."""

    def is_open(self) -> bool:
        """Whether it still may, after the wait at the other gates."""

    def depart(self) -> None:
        """An attempt leaves now: every gate was open, and nothing has been awaited since."""

    def observe(self, report_id: ReportId, attempt: Attempt) -> Halt | None:
        """Learn from an attempt that departed; a Halt ends the run. One that was abandoned is not heard of again."""


class Record(Protocol):
    """Where everything that happens is written down. Any call may raise AuditError, which ends the run.

    `outcome` is called exactly once for each row that was taken from the feed, even after an AuditError.
    """

    async def intent(
        self, entry: Entry, number: int, *, request_id: str, correlation_id: str, before: str | None
    ) -> None:
        """An attempt is about to leave for a report that was `before`; returns when that is durable."""

    def retried(self, entry: Entry, attempt: Attempt, *, delay_s: float) -> None:
        """An attempt failed and another follows."""

    def outcome(self, outcome: Outcome) -> None:
        """A row has ended."""

    def notice(self, notice: Notice) -> None:
        """A notable decision."""

    def check(self) -> None:
        """Raise AuditError if something recorded is known to be lost; asked directly before each send."""

    async def durable(self) -> None:
        """Wait until all that was recorded is durable."""


@dataclass(slots=True)
class FakeFeed:
    """A Feed of rows in memory, one batch each."""

    rows: Sequence[Entry | Reject]
    stopped: bool = False

    async def batches(self) -> AsyncIterator[Sequence[Entry | Reject]]:
        """Every row; a stop changes nothing, since all are pinned."""
        for row in self.rows:
            yield [row]

    def stop(self) -> None:
        """Remember that the engine asked for it."""
        self.stopped = True


async def confirm(report_id: ReportId, number: int, wire: Wire) -> Reply:
    """A well-behaved service: one request leaves and is confirmed."""
    wire.sent += 1
    return Reply(Verdict.CONFIRMED, 200, 200)


@dataclass(slots=True)
class FakeApi:
    """A ReportApi whose every reply comes from `answer(report_id, number of this report's attempt, wire)`."""

    answer: Callable[[ReportId, int, Wire], Awaitable[Reply]] = confirm
    calls: list[tuple[ReportId, str, str]] = field(default_factory=list)
    """(report id, MS-RequestId, MS-CorrelationId) of each call in order."""

    async def send(
        self, operation: Operation, report_id: ReportId, *, request_id: str, correlation_id: str, wire: Wire
    ) -> Reply:
        """Answer as told."""
        self.calls.append((report_id, request_id, correlation_id))
        return await self.answer(report_id, sum(call[0] == report_id for call in self.calls), wire)


@dataclass(slots=True)
class FakeRecord:
    """A Record in memory."""

    intents: list[tuple[ReportId, int]] = field(default_factory=list)
    retries: list[tuple[ReportId, float]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    async def intent(
        self, entry: Entry, number: int, *, request_id: str, correlation_id: str, before: str | None
    ) -> None:
        """Remember it."""
        self.intents.append((entry.report_id, number))

    def retried(self, entry: Entry, attempt: Attempt, *, delay_s: float) -> None:
        """Remember it."""
        self.retries.append((entry.report_id, delay_s))

    def outcome(self, outcome: Outcome) -> None:
        """Remember it."""
        self.outcomes.append(outcome)

    def notice(self, notice: Notice) -> None:
        """Remember it."""
        self.notices.append(notice)

    def check(self) -> None:
        """Memory loses nothing."""

    async def durable(self) -> None:
        """Memory is durable enough for a test."""
