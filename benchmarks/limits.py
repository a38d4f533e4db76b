"""Services with a limit that the client does not know: those the adaptive gate was tuned on, and those it never saw."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from bulkpause.sandbox import Latency, limiter, parse_latency, parse_rate_limit
from bulkpause.sandbox.pace import RateLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service, how many reports it is asked to pause, and what is to be reached."""

    name: str
    limit: str | None
    """As `bulkpause sandbox --rate-limit` takes it; None for a service without one."""
    reports: int = 3000
    latency: str = "45ms..60ms"
    capacity_per_s: float | None = None
    """What it can work through; the rest waits in a queue."""
    time_goal: float | None = None
    """Time over the least possible, at most."""
    refused_goal: float | None = None
    """Refusals in a hundred reports, at most."""

    @property
    def rate_limit(self) -> RateLimit | None:
        """Its limit."""
        return None if self.limit is None else parse_rate_limit(self.limit)

    @property
    def latencies(self) -> Latency:
        """How long its replies take."""
        return parse_latency(self.latency)

    @property
    def least_s(self) -> float:
        """From the first request to the last for somebody who knows the limit, and asks only when it lets one in."""
        rate = self.rate_limit
        if rate is None:
            return self.reports / (self.capacity_per_s or CEILING_PER_S)
        forgiving = replace(rate, count_refused=False, burst=rate.burst or rate.limit)
        gate, now_s, left = limiter(forgiving), 0.0, self.reports
        while True:
            admission = gate.admit(now_s=now_s)
            left -= admission.admitted
            if not left:
                return now_s
            if not admission.admitted:
                now_s += max(admission.retry_after_s, 1e-6)


CEILING_PER_S: Final = 1000.0
"""The agreed rate, far above what any of them allows."""

TUNED: Final = (
    Service(name="fixed window", limit="100/s", time_goal=1.12, refused_goal=1.5),
    Service(name="sliding window", limit="100/s:sliding", time_goal=1.12, refused_goal=1.5),
    Service(name="refused calls count", limit="100/s:count-refused", time_goal=1.12, refused_goal=1.5),
    Service(name="drops to 40 %, comes back", limit="100/s:drop=40@10..20", time_goal=1.20, refused_goal=3.0),
    Service(name="10 a second", limit="10/s", reports=600, time_goal=1.15, refused_goal=2.0),
    Service(name="10 a minute", limit="10/min", reports=150, time_goal=1.25),
    Service(name="X-RateLimit headers", limit="100/s:headers", time_goal=1.08, refused_goal=0.1),
)
"""Those that the issue names, and on which the constants were chosen."""

OTHERS: Final = (
    Service(name="sliding, refused calls count", limit="100/s:sliding:count-refused"),
    Service(name="token bucket, burst 100", limit="100/s:token-bucket:burst=100"),
    Service(name="token bucket, burst 10", limit="100/s:token-bucket:burst=10"),
    Service(name="token bucket, refused cost", limit="100/s:token-bucket"),
    Service(name="Retry-After: 1", limit="100/s:retry-after=one"),
    Service(name="Retry-After, decimal", limit="100/s:retry-after=decimal"),
    Service(name="Retry-After, a date", limit="100/s:retry-after=date"),
    Service(name="no Retry-After", limit="100/s:retry-after=none"),
    Service(name="10 a minute, no Retry-After", limit="10/min:retry-after=none", reports=150),
    Service(name="10 a minute, headers", limit="10/min:headers", reports=150),
    Service(name="10 a second, headers", limit="10/s:headers", reports=600),
    Service(name="10 a second, sliding", limit="10/s:sliding", reports=600),
    Service(name="sliding, headers", limit="100/s:sliding:headers"),
    Service(name="token bucket, headers", limit="100/s:token-bucket:headers"),
    Service(name="37 in 2 s, sliding", limit="37/2s:sliding", reports=1000),
    Service(name="300 a second", limit="300/s", reports=9000),
    Service(name="1,000 a minute", limit="1000/min", reports=4000),
    Service(name="1,000 in 5 minutes", limit="1000/300s", reports=4000),
    Service(name="3 a second", limit="3/s", reports=200),
    Service(name="rises from 20 to 100", limit="100/s:drop=20@0..15"),
    Service(name="100 a second, 300 ms away", limit="100/s", latency="lognormal:300ms,0.4"),
    Service(name="100 a second, jitter", limit="100/s:sliding", latency="lognormal:50ms,0.8"),
    Service(name="200 ms away, sliding", limit="100/s:sliding", latency="150ms..250ms"),
    Service(name="no limit, 50 a second at most", limit=None, capacity_per_s=50.0),
    Service(name="no limit", limit=None, reports=9000),
)
"""Those that were looked at on the way, without a goal."""

HELD_OUT: Final = (
    Service(name="55 a second, sliding", limit="55/s:sliding", reports=2000, latency="80ms..120ms"),
    Service(name="token bucket 250, burst 40", limit="250/s:token-bucket:burst=40", reports=6000, latency="30ms"),
    Service(name="17 in 1.5 s", limit="17/1.5s", reports=600, latency="60ms..90ms"),
    Service(name="600 a minute, sliding", limit="600/min:sliding", reports=3000, latency="lognormal:90ms,0.3"),
    Service(name="20 in 10 s", limit="20/10s:retry-after=none", reports=200),
    Service(name="falls from 100 to 10 for good", limit="100/s:drop=10@8..", reports=1200),
    Service(name="150 a second, headers", limit="150/s:headers:retry-after=date", reports=4500, latency="20ms..40ms"),
    Service(name="2 a second, refused cost", limit="2/s:token-bucket", reports=150),
)
"""Those that were written down when the last constant was fixed, and have changed none since."""
