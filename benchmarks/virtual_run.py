"""The real engine and the real gates against a service with a hidden limit, in virtual time: minutes in a second."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from benchmarks.limits import CEILING_PER_S, Service
from bulkpause.breaker import BreakerPolicy
from bulkpause.engine import Engine, EngineSettings
from bulkpause.gates import AdaptiveGate, BreakerGate, HoldGate, RateGate
from bulkpause.models import Entry, Operation, Quota, Reply, ReportId, Status, Verdict, Wire
from bulkpause.pacing import PacePolicy
from bulkpause.ports import FakeFeed, FakeRecord
from bulkpause.retry import RetryPolicy, retry_after_s
from bulkpause.run import LOOKAHEAD_S
from bulkpause.sandbox import limiter, spelt
from tests.virtual_time import VirtualClock, run_virtually

CONCURRENCY = 64


@dataclass(slots=True)
class Drive:
    """What one run came to, as the service saw it."""

    arrivals_s: list[float] = field(default_factory=list)
    refused_s: list[float] = field(default_factory=list)
    most_flying: int = 0

    @property
    def took_s(self) -> float:
        """From the first request to the last."""
        return self.arrivals_s[-1] - self.arrivals_s[0]

    def refused_in_periods(self, period_s: float) -> list[int]:
        """Refusals in each period, the first of which begins with the first request."""
        periods = [int((at_s - self.arrivals_s[0]) // period_s) for at_s in self.refused_s]
        return [periods.count(period) for period in range(int(self.took_s // period_s) + 1)]


class HiddenLimit:
    """A ReportApi with the limiter of the sandbox; half of the latency is spent on the way there."""

    def __init__(self, service: Service, *, seed: int) -> None:
        rate = service.rate_limit
        self._rate = rate
        self._limiter = None if rate is None else limiter(rate)
        self._latency = service.latencies
        self._capacity_per_s = service.capacity_per_s
        self._free_s = 0.0
        self._clock = VirtualClock()
        self._rng = random.Random(seed)  # noqa: S311 - it chooses latencies
        self._flying = 0
        self.seen = Drive()

    async def send(
        self, operation: Operation, report_id: ReportId, *, request_id: str, correlation_id: str, wire: Wire
    ) -> Reply:
        """Let it in, or refuse it."""
        wire.sent += 1
        self._flying += 1
        self.seen.most_flying = max(self.seen.most_flying, self._flying)
        way_s = self._latency.sample_s(self._rng) / 2
        await asyncio.sleep(way_s)
        reply, work_s = self._judge()
        await asyncio.sleep(work_s + way_s)
        self._flying -= 1
        return reply

    def _judge(self) -> tuple[Reply, float]:
        now_s = self._clock.monotonic_s()
        self.seen.arrivals_s.append(now_s)
        quota = None
        if self._limiter is not None and self._rate is not None:
            admission = self._limiter.admit(now_s=now_s)
            if self._rate.headers:
                quota = Quota(admission.limit, admission.remaining)
            if not admission.admitted:
                self.seen.refused_s.append(now_s)
                now = self._clock.now()
                text = spelt(admission.retry_after_s, self._rate.retry_after, at=now)
                asked_s = None if text is None else retry_after_s({"Retry-After": text}, now=now)
                return Reply(Verdict.THROTTLED, 429, 429, retry_after_s=asked_s, quota=quota), 0.0
        work_s = 0.0
        if self._capacity_per_s is not None:
            self._free_s = max(self._free_s, now_s) + 1 / self._capacity_per_s
            work_s = self._free_s - now_s
        return Reply(Verdict.CONFIRMED, 200, 200, quota=quota), work_s


def drive(service: Service, *, seed: int) -> Drive:
    """One run over all its reports with the settings a run has; each report must end well."""
    api, record = HiddenLimit(service, seed=seed), FakeRecord()

    async def main() -> None:
        clock = VirtualClock()
        pace = AdaptiveGate(PacePolicy(ceiling_per_s=CEILING_PER_S), clock=clock, notify=record.notice)
        hold = HoldGate(cap_s=300.0, clock=clock, notify=record.notice, yields=lambda: pace.yields)
        breaker = BreakerGate(BreakerPolicy(), clock=clock, notify=record.notice)
        settings = EngineSettings(
            operation=Operation.PAUSE,
            concurrency=CONCURRENCY,
            lookahead=int(CEILING_PER_S * LOOKAHEAD_S),
            retry=RetryPolicy(),
        )
        gates = (hold, breaker, pace, RateGate(per_s=CEILING_PER_S))
        rng = random.Random(seed)  # noqa: S311 - it chooses waits
        engine = Engine(settings, api=api, gates=gates, record=record, clock=clock, rng=rng)
        ids = (ReportId(f"00000000-0000-4000-8000-{row:012d}") for row in range(service.reports))
        await engine.run(FakeFeed([Entry(report_id, row) for row, report_id in enumerate(ids, start=1)]))

    run_virtually(main())
    lost = sum(outcome.status is not Status.SUCCEEDED for outcome in record.outcomes)
    if lost or len(record.outcomes) != service.reports:
        raise RuntimeError(f"{service.name}: {lost} of {len(record.outcomes)} reports did not succeed")
    return api.seen
