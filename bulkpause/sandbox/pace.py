"""How much the sandbox lets through. Pure: the limiters are told the time."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal, Protocol, assert_never

from bulkpause.sandbox.exchange import http_date
from bulkpause.sandbox.faults import Shape

Algorithm = Literal["window", "sliding", "token-bucket"]
RetryAfter = Literal["ceil", "one", "decimal", "date", "none"]
"""How a wait is spelt: in whole seconds from 1, always as 1, to the millisecond, as an HTTP date, or not at all."""


@dataclass(frozen=True, slots=True)
class Drop:
    """A lower limit for a while, in seconds since the first request; at `until_s` it is over."""

    limit: int
    from_s: float
    until_s: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """`limit` requests in `period_s`, how they are counted, and how a refusal is put."""

    limit: int
    period_s: float
    algorithm: Algorithm = "window"
    count_refused: bool = False
    """Refused requests use up the limit as well."""
    burst: int | None = None
    """What a token bucket holds; None for one whole limit."""
    drops: tuple[Drop, ...] = ()
    """Where they overlap, the lowest limit is the one."""
    wall: bool = False
    """Windows are whole periods of `now_s`, which is wall time then; else the first begins with the first request."""
    headers: bool = False
    """Replies carry X-RateLimit headers."""
    retry_after: RetryAfter = "ceil"
    shape: Shape | None = None
    """Of the refusal's body; None for the gateway's own."""

    def limit_at(self, since_s: float) -> int:
        """The limit so many seconds after the first request."""
        return min([self.limit, *(drop.limit for drop in self.drops if drop.from_s <= since_s < drop.until_s)])


@dataclass(frozen=True, slots=True)
class Admission:
    """A limiter's answer."""

    admitted: bool
    limit: int
    """The limit that holds now."""
    remaining: int
    retry_after_s: float = 0.0
    """When the next request will be let through, if none comes before; 0.0 for a request that was."""


class Limiter(Protocol):
    """What lets requests through."""

    def admit(self, *, now_s: float) -> Admission:
        """Count the request and judge it. Times never go back."""


class FixedWindow:
    """The gateway's counter, emptied at the end of each period.

    Refused requests change nothing until then, unless the limit rises meanwhile.
    """

    def __init__(self, rate: RateLimit) -> None:
        self._rate = rate
        self._first_s: float | None = None
        self._window = -1
        self._count = 0

    def admit(self, *, now_s: float) -> Admission:
        """Count the request and judge it."""
        rate = self._rate
        if self._first_s is None:
            self._first_s = now_s
        epoch_s = 0.0 if rate.wall else self._first_s
        window = int((now_s - epoch_s) // rate.period_s)
        window += epoch_s + (window + 1) * rate.period_s <= now_s  # the two are not rounded alike
        if window != self._window:
            self._window, self._count = window, 0
        limit = rate.limit_at(now_s - self._first_s)
        admitted = self._count < limit
        self._count += admitted or rate.count_refused
        if admitted:
            return Admission(admitted, limit, limit - self._count)
        return Admission(admitted, limit, 0, max(0.0, epoch_s + (window + 1) * rate.period_s - now_s))


class SlidingLog:
    """The times of the last period: no period, wherever it begins, holds more than the limit.

    If the refused count too, whoever goes on asking is never let in again.
    """

    def __init__(self, rate: RateLimit) -> None:
        self._rate = rate
        self._first_s: float | None = None
        self._log: deque[float] = deque(maxlen=rate.limit)
        """The latest so many decide: who came before them cannot be what keeps a request out."""

    def admit(self, *, now_s: float) -> Admission:
        """Look back over one period, judge the request and note it."""
        rate, log = self._rate, self._log
        if self._first_s is None:
            self._first_s = now_s
        while log and log[0] + rate.period_s <= now_s:
            log.popleft()
        limit = rate.limit_at(now_s - self._first_s)
        admitted = len(log) < limit
        if admitted or rate.count_refused:
            log.append(now_s)
        if admitted:
            return Admission(admitted, limit, limit - len(log))
        return Admission(admitted, limit, 0, log[-limit] + rate.period_s - now_s)


class TokenBucket:
    """Tokens that refill evenly, `limit` in a period.

    A bucket of one whole limit charges refused requests as well (api.md section 6), one of a given burst only if they
    count; debt ends at one bucket.
    """

    def __init__(self, rate: RateLimit) -> None:
        self._rate = rate
        self._first_s: float | None = None
        self._tokens = float(rate.burst or rate.limit_at(0.0))
        self._since_s = 0.0

    def admit(self, *, now_s: float) -> Admission:
        """Take a token for the request and judge it."""
        rate = self._rate
        if self._first_s is None:
            self._first_s = now_s
        self._refill(now_s - self._first_s)
        limit = rate.limit_at(self._since_s)
        admitted = self._tokens >= 1
        if admitted or rate.count_refused or rate.burst is None:
            self._tokens = max(self._tokens - 1, -float(rate.burst or limit))
        if admitted:
            return Admission(admitted, limit, int(self._tokens))
        return Admission(admitted, limit, 0, (1 - self._tokens) / (limit / rate.period_s))

    def _refill(self, since_s: float) -> None:
        """Let time pass, at the limit of each stretch of it."""
        rate = self._rate
        changes = sorted({at_s for drop in rate.drops for at_s in (drop.from_s, drop.until_s)})
        edges = [self._since_s, *(at_s for at_s in changes if self._since_s < at_s < since_s), since_s]
        for begin_s, end_s in pairwise(edges):
            limit = rate.limit_at(begin_s)
            refilled = self._tokens + (end_s - begin_s) * (limit / rate.period_s)
            self._tokens = min(float(rate.burst or limit), refilled)
        self._since_s = since_s


def limiter(rate: RateLimit) -> Limiter:
    """The limiter for the algorithm named."""
    match rate.algorithm:
        case "window":
            return FixedWindow(rate)
        case "sliding":
            return SlidingLog(rate)
        case "token-bucket":
            return TokenBucket(rate)
        case _:
            assert_never(rate.algorithm)


def spelt(wait_s: float, form: RetryAfter, *, at: datetime) -> str | None:
    """The Retry-After of a wait that begins `at`, never for less than the wait but for `one`; None for no header."""
    match form:
        case "ceil":
            return str(max(1, math.ceil(wait_s)))
        case "one":
            return "1"
        case "decimal":
            return f"{math.ceil(wait_s * 1000) / 1000:.3f}".rstrip("0").rstrip(".")
        case "date":
            return http_date(at + timedelta(seconds=wait_s))
        case "none":
            return None
        case _:
            assert_never(form)
