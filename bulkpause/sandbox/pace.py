"""How fast the sandbox answers and how much it lets through. Pure: time and chance are passed in."""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass
from typing import Final, Literal

_UNIT_S: Final = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|min)", re.ASCII)
_SIGMA: Final = re.compile(r"\d(?:\.\d+)?", re.ASCII)
_RATE: Final = re.compile(r"(\d+)/(\d+(?:\.\d+)?)?(ms|s|min|h)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Latency:
    """A distribution of reply times: constant (low = high), uniform, or log-normal around a median."""

    low_s: float = 0.0
    high_s: float = 0.0
    sigma: float = 0.0
    """Spread of the logarithm; above 0 the distribution is log-normal with median `low_s`."""

    def sample_s(self, rng: random.Random) -> float:
        """Seconds until the next reply."""
        if self.sigma:
            return self.low_s * math.exp(rng.gauss(0.0, self.sigma))
        return self.low_s if self.low_s == self.high_s else rng.uniform(self.low_s, self.high_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """`limit` requests in `period_s`, and whether replies carry X-RateLimit headers."""

    limit: int
    period_s: float
    algorithm: Literal["window", "token-bucket"] = "window"
    headers: bool = False


@dataclass(frozen=True, slots=True)
class Admission:
    """A limiter's answer: `retry_after_s` is 0.0 for a request let through."""

    remaining: int
    retry_after_s: float = 0.0


class FixedWindow:
    """The gateway's counter, emptied at the end of each period; the first period starts with the first request."""

    def __init__(self, rate: RateLimit) -> None:
        self._rate = rate
        self._window = -1
        self._epoch_s: float | None = None
        self._count = 0

    def admit(self, *, now_s: float) -> Admission:
        """Count the request and judge it."""
        if self._epoch_s is None:
            self._epoch_s = now_s
        window = int((now_s - self._epoch_s) // self._rate.period_s)
        if window != self._window:
            self._window, self._count = window, 0
        self._count += 1
        if self._count <= self._rate.limit:
            return Admission(self._rate.limit - self._count)
        return Admission(0, self._epoch_s + (window + 1) * self._rate.period_s - now_s)


class TokenBucket:
    """`limit` tokens that refill evenly. Refused requests cost as well (api.md section 6), to one bucket of debt."""

    def __init__(self, rate: RateLimit) -> None:
        self._rate = rate
        self._tokens = float(rate.limit)
        self._at_s: float | None = None

    def admit(self, *, now_s: float) -> Admission:
        """Take a token for the request and judge it."""
        per_s = self._rate.limit / self._rate.period_s
        since_s = 0.0 if self._at_s is None else now_s - self._at_s
        available = min(self._rate.limit, self._tokens + since_s * per_s)
        self._at_s = now_s
        self._tokens = max(available - 1, -float(self._rate.limit))
        if available >= 1:
            return Admission(int(self._tokens))
        return Admission(0, (1 - self._tokens) / per_s)


NO_LATENCY: Final = Latency()


def limiter(rate: RateLimit) -> FixedWindow | TokenBucket:
    """The limiter for the algorithm named."""
    return TokenBucket(rate) if rate.algorithm == "token-bucket" else FixedWindow(rate)


def parse_latency(text: str) -> Latency:
    """`50ms`, `0.2s`, `20ms..200ms` or `lognormal:50ms,0.5` (median, sigma); ValueError names the forms."""
    head, _, rest = text.partition(":")
    try:
        if head == "lognormal":
            median, _, sigma = rest.partition(",")
            latency = Latency(_duration_s(median), _duration_s(median), _sigma(sigma or "0.5"))
        else:
            low, dots, high = text.partition("..")
            latency = Latency(_duration_s(low), _duration_s(high if dots else low))
    except ValueError:
        raise ValueError(f"latency {text!r} is not one of 50ms, 20ms..200ms, lognormal:50ms,0.5") from None
    if latency.low_s > latency.high_s:
        raise ValueError(f"latency {text!r} runs backwards")
    return latency


def parse_rate_limit(text: str) -> RateLimit:
    """`10/s`, `100/min`, `10/60s`, followed by `:token-bucket` and `:headers` if wanted; ValueError names the forms."""
    rate, *words = text.split(":")
    match = _RATE.fullmatch(rate)
    if match is None or set(words) - {"window", "token-bucket", "headers"} or int(match[1]) < 1:
        raise ValueError(f"rate limit {text!r} is not like 10/s, 600/min, 10/60s:token-bucket or 10/s:headers")
    period_s = float(match[2] or 1) * _UNIT_S[match[3]]
    if period_s <= 0:
        raise ValueError(f"rate limit {text!r} has no period")
    return RateLimit(
        limit=int(match[1]),
        period_s=period_s,
        algorithm="token-bucket" if "token-bucket" in words else "window",
        headers="headers" in words,
    )


def _duration_s(text: str) -> float:
    match = _DURATION.fullmatch(text)
    if match is None and float(text) != 0:
        raise ValueError(text)
    return float(match[1]) * _UNIT_S[match[2]] if match else 0.0


def _sigma(text: str) -> float:
    if not _SIGMA.fullmatch(text):  # float() takes nan and inf as well
        raise ValueError(text)
    return float(text)
