"""Runs of the real engine in virtual time, over a service with moods of its own, and what was foretold meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from bulkpause.engine import Engine, EngineSettings
from bulkpause.forecast import Course, Forecast
from bulkpause.gates import AdaptiveGate, HoldGate, RateGate
from bulkpause.models import Attempt, Entry, Operation, Outcome, Reply, ReportId, Verdict, Wire
from bulkpause.pacing import PacePolicy
from bulkpause.ports import FakeFeed, FakeRecord
from bulkpause.retry import RetryPolicy
from bulkpause.timing import LOOK_S
from tests.engine.scenario import entry
from tests.virtual_time import VirtualClock, run_virtually


class Foretold(NamedTuple):
    """One forecast of a run, and what it turned out to be worth."""

    share_done: float
    said_s: float
    came_s: float
    """What was really left then."""
    whole_s: float
    """What the whole run took."""

    @property
    def error(self) -> float:
        """Relative to what was left."""
        return abs(self.said_s - self.came_s) / self.came_s


@dataclass(frozen=True, kw_only=True)
class Mood:
    """How a service behaves: latencies, a share of faults, and a hidden limit of its own."""

    latency_s: Callable[[random.Random], float]
    fault_share: float = 0.0
    limit_per_s: float | None = None
    """More than so many requests in a fixed second are refused until the next one."""


@dataclass
class MoodyService:
    """A ReportApi that behaves as its mood says."""

    mood: Mood
    rng: random.Random
    second: int = -1
    seen: int = 0

    async def send(
        self, operation: Operation, report_id: ReportId, *, request_id: str, correlation_id: str, wire: Wire
    ) -> Reply:
        """Answer after a while."""
        wire.sent += 1
        now_s = asyncio.get_running_loop().time()
        self.second, self.seen = int(now_s), self.seen + 1 if int(now_s) == self.second else 1
        if self.mood.limit_per_s is not None and self.seen > self.mood.limit_per_s:
            return Reply(Verdict.THROTTLED, 429, 429, retry_after_s=float(self.second + 1 - now_s))
        await asyncio.sleep(self.mood.latency_s(self.rng))
        if self.rng.random() < self.mood.fault_share:
            return Reply(Verdict.FAULT, 500, 500)
        return Reply(Verdict.CONFIRMED, 200, 200)


@dataclass(slots=True)
class CountingRecord(FakeRecord):
    """A Record that counts what the summary counts."""

    answered: int = 0

    def retried(self, entry: Entry, attempt: Attempt, *, delay_s: float) -> None:
        """One attempt was answered."""
        self.answered += 1

    def outcome(self, outcome: Outcome) -> None:
        """Another was, and it was the last."""
        self.answered += 1
        self.outcomes.append(outcome)


def foretold(
    mood: Mood,
    *,
    seed: int,
    reports: int = 500,
    per_s: float = 10.0,
    concurrency: int = 16,
    every_s: float = LOOK_S,
    adapt: bool = False,
) -> list[Foretold]:
    """Every forecast of one run from the moment a tenth was done, one each `every_s`."""

    async def main() -> tuple[list[tuple[float, int, float]], float]:
        rng, clock, record = random.Random(seed), VirtualClock(), CountingRecord()  # noqa: S311
        pace = AdaptiveGate(PacePolicy(ceiling_per_s=per_s), clock=clock, notify=lambda _: None)
        hold = HoldGate(cap_s=300, clock=clock, notify=lambda _: None, yields=lambda: adapt and pace.yields)
        engine = Engine(
            EngineSettings(operation=Operation.PAUSE, concurrency=concurrency, retry=RetryPolicy()),
            api=MoodyService(mood, rng),
            gates=(hold, *((pace,) if adapt else ()), RateGate(per_s=per_s)),
            record=record,
            clock=clock,
            rng=rng,
        )
        course, said = Course(clock.monotonic_s()), []

        async def foretell() -> None:
            while True:
                await clock.sleep(every_s)
                done = len(record.outcomes)
                course.update(clock.monotonic_s(), done=done, answered=record.answered, in_flight=engine.in_flight)
                expected_per_s = pace.expected_per_s if adapt else None
                forecast = Forecast(
                    left=reports - done,
                    attempts_per_s=course.attempts_per_s if expected_per_s is None else expected_per_s,
                    attempts_per_report=course.attempts_per_report,
                    held_s=hold.held_s(),
                    most_per_s=per_s,
                )
                said.append((clock.monotonic_s(), done, forecast.left_s))

        async with asyncio.TaskGroup() as group:
            task = group.create_task(foretell())
            await engine.run(FakeFeed([entry(row) for row in range(1, reports + 1)]))
            task.cancel()
        return said, clock.monotonic_s()

    said, ended_s = run_virtually(main())
    return [
        Foretold(done / reports, left_s, ended_s - at_s, ended_s)
        for at_s, done, left_s in said
        if done >= reports / 10 and at_s < ended_s
    ]
