"""Services that limit, slow down or break, for gates in virtual time: what they saw is the truth."""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bulkpause.engine import Engine, EngineSettings
from bulkpause.gates import RateGate
from bulkpause.models import Entry, Halt, HaltReason, Notice, Operation, Outcome, Reply, ReportId, Status, Verdict, Wire
from bulkpause.ports import FakeFeed, FakeRecord, Gate
from bulkpause.retry import RetryPolicy
from tests.virtual_time import VirtualClock, run_virtually

Judge = Callable[[float], Reply]
"""The reply to a request that arrives so many seconds after the start."""

CONFIRMED = Reply(Verdict.CONFIRMED, 200, 200)
FAILED = Reply(Verdict.FAULT, 500, 500, message="Internal error")
SILENT = Reply(Verdict.UNANSWERED, error="no reply within 30 s")


LATE = Halt(HaltReason.TIME_LIMIT, "late")


def refused(retry_after_s: float | None = None) -> Reply:
    return Reply(Verdict.THROTTLED, 429, 429, retry_after_s=retry_after_s)


@dataclass
class Service:
    """A ReportApi that answers by the time of arrival, and keeps what arrived."""

    judge: Judge
    latency_s: float = 0.05
    arrivals_s: list[float] = field(default_factory=list)
    ids: list[ReportId] = field(default_factory=list)
    flying: int = 0
    most_flying: int = 0

    async def send(
        self, operation: Operation, report_id: ReportId, *, request_id: str, correlation_id: str, wire: Wire
    ) -> Reply:
        """Answer after the latency."""
        wire.sent += 1
        self.flying += 1
        self.most_flying = max(self.most_flying, self.flying)
        at_s = asyncio.get_running_loop().time()
        self.arrivals_s.append(at_s)
        self.ids.append(report_id)
        reply = self.judge(at_s)
        await asyncio.sleep(self.latency_s)
        self.flying -= 1
        return reply


@dataclass
class Stalling(Service):
    """One whose replies to what arrives during a stall come at its end, or at `until_s`."""

    stalls: tuple[float, float] = (0.0, 0.0)
    until_s: float | None = None

    async def send(
        self, operation: Operation, report_id: ReportId, *, request_id: str, correlation_id: str, wire: Wire
    ) -> Reply:
        """Answer late."""
        began_s, ended_s = self.stalls
        at_s = asyncio.get_running_loop().time()
        reply = await super().send(
            operation, report_id, request_id=request_id, correlation_id=correlation_id, wire=wire
        )
        if began_s <= at_s < ended_s:
            await asyncio.sleep((self.until_s or ended_s) - at_s)
        return reply


@dataclass
class Connecting(Service):
    """One that the first request takes three seconds to reach; until then nothing has left."""

    async def send(
        self, operation: Operation, report_id: ReportId, *, request_id: str, correlation_id: str, wire: Wire
    ) -> Reply:
        """Answer once it is reached."""
        if report_id.endswith("01"):
            await asyncio.sleep(3.0)
        return await super().send(operation, report_id, request_id=request_id, correlation_id=correlation_id, wire=wire)


class Unreachable(Service):
    """A service to which no connection is made: nothing ever leaves."""

    async def send(
        self, operation: Operation, report_id: ReportId, *, request_id: str, correlation_id: str, wire: Wire
    ) -> Reply:
        """Answer with silence."""
        return await super().send(
            operation, report_id, request_id=request_id, correlation_id=correlation_id, wire=Wire()
        )


@dataclass
class Run:
    """What a run over a service came to."""

    service: Service
    outcomes: Sequence[Outcome]
    notices: Sequence[Notice]
    engine: Engine

    def count(self, status: Status) -> int:
        """Outcomes of that status."""
        return sum(outcome.status is status for outcome in self.outcomes)

    def events(self, event: str) -> list[Notice]:
        """The notices of one kind."""
        return [notice for notice in self.notices if notice.event == event]


def run(
    service: Service,
    gates: Callable[[VirtualClock, Callable[[Notice], None]], Sequence[Gate]],
    *,
    reports: int,
    concurrency: int = 32,
    per_s: float = 1000.0,
    retry: RetryPolicy | None = None,
    seed: int = 7,
    close_after_s: float = 1e9,
) -> Run:
    """The real engine over so many reports, with a rate gate behind `gates`, closed `close_after_s`."""
    record = FakeRecord()
    engines: list[Engine] = []

    async def main() -> None:
        clock = VirtualClock()
        engine = Engine(
            EngineSettings(
                operation=Operation.PAUSE,
                concurrency=concurrency,
                lookahead=max(2, int(0.05 * per_s)),
                retry=retry or RetryPolicy(),
            ),
            api=service,
            gates=(*gates(clock, record.notice), RateGate(per_s=per_s)),
            record=record,
            clock=clock,
            rng=random.Random(seed),  # noqa: S311
        )
        engines.append(engine)
        timer = asyncio.get_running_loop().call_later(close_after_s, engine.close, LATE)
        await engine.run(
            FakeFeed([Entry(ReportId(f"00000000-0000-4000-8000-{row:012d}"), row) for row in range(1, reports + 1)])
        )
        timer.cancel()

    run_virtually(main())
    return Run(service, record.outcomes, record.notices, engines[0])


def most_within(moments: Sequence[float], seconds: float) -> int:
    """The most of the sorted `moments` that any window of `seconds` holds."""
    return max((bisect_left(moments, moment + seconds) - index for index, moment in enumerate(moments)), default=0)
