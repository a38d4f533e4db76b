"""Latencies and rate limits."""

from __future__ import annotations

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.sandbox import Latency, RateLimit, parse_latency, parse_rate_limit
from bulkpause.sandbox.pace import FixedWindow, TokenBucket, limiter


@pytest.mark.parametrize(
    ("text", "latency"),
    [
        ("0", Latency()),
        ("50ms", Latency(0.05, 0.05)),
        ("1.5s", Latency(1.5, 1.5)),
        ("20ms..0.2s", Latency(0.02, 0.2)),
        ("0..1s", Latency(0.0, 1.0)),
        ("lognormal:50ms,0.8", Latency(0.05, 0.05, 0.8)),
        ("lognormal:50ms", Latency(0.05, 0.05, 0.5)),
    ],
)
def test_a_latency_is_read(text: str, latency: Latency) -> None:
    assert parse_latency(text) == latency


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "is not one of 50ms"),
        ("50", "is not one of 50ms"),
        ("fast", "is not one of 50ms"),
        ("-5ms", "is not one of 50ms"),
        ("5ms..", "is not one of 50ms"),
        ("lognormal:1", "is not one of 50ms"),
        ("5s..5ms", "runs backwards"),
        *[(f"lognormal:50ms,{sigma}", "is not one of 50ms") for sigma in ("-1", "nan", "inf")],
    ],
)
def test_a_wrong_latency_is_refused_with_the_forms(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        parse_latency(text)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10/s", RateLimit(limit=10, period_s=1)),
        ("600/min", RateLimit(limit=600, period_s=60)),
        ("10/60s:window", RateLimit(limit=10, period_s=60)),
        ("5/500ms:headers", RateLimit(limit=5, period_s=0.5, headers=True)),
        ("9/h:token-bucket:headers", RateLimit(limit=9, period_s=3600, algorithm="token-bucket", headers=True)),
    ],
)
def test_a_rate_limit_is_read(text: str, rate: RateLimit) -> None:
    assert parse_rate_limit(text) == rate


@pytest.mark.parametrize("text", ["", "10", "0/s", "-1/s", "10/day", "10/s:leaky", "1.5/s", "10/0s"])
def test_a_wrong_rate_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"rate limit '{text}'"):
        parse_rate_limit(text)


def test_latencies_follow_their_distribution() -> None:
    rng = random.Random(1)  # noqa: S311 - a distribution
    uniform = [Latency(0.1, 0.3).sample_s(rng) for _ in range(2000)]
    lognormal = [Latency(0.1, 0.1, 0.5).sample_s(rng) for _ in range(2000)]
    assert min(uniform) >= 0.1
    assert max(uniform) <= 0.3
    assert statistics.mean(uniform) == pytest.approx(0.2, abs=0.01)
    assert statistics.median(lognormal) == pytest.approx(0.1, rel=0.1)
    assert statistics.mean(lognormal) == pytest.approx(0.1133, rel=0.1)
    assert {Latency(0.1, 0.1).sample_s(rng)} == {0.1}


def test_a_window_lets_its_limit_through_and_names_its_end() -> None:
    window = FixedWindow(RateLimit(limit=2, period_s=10))
    seen = [window.admit(now_s=now_s) for now_s in (100.0, 101.0, 103.0, 109.5, 110.0)]
    assert [(a.remaining, a.retry_after_s) for a in seen] == [(1, 0), (0, 0), (0, 7), (0, 0.5), (1, 0)]


def test_a_bucket_starts_full_refills_evenly_and_charges_the_refused() -> None:
    bucket = TokenBucket(RateLimit(limit=2, period_s=1))
    seen = [bucket.admit(now_s=now_s) for now_s in (0.0, 0.0, 0.0, 0.5, 1.5, 1.5)]
    assert [(a.remaining, a.retry_after_s) for a in seen] == [(1, 0), (0, 0), (0, 1), (0, 1), (0, 0), (0, 1)]


def test_the_debt_of_a_bucket_is_bounded() -> None:
    bucket = TokenBucket(RateLimit(limit=2, period_s=1))
    waits = [bucket.admit(now_s=0.0).retry_after_s for _ in range(100)]
    assert max(waits) == 1.5
    assert bucket.admit(now_s=1.5).retry_after_s == 0


@pytest.mark.parametrize("algorithm", ["window", "token-bucket"])
@given(
    gaps=st.lists(st.floats(0, 3), max_size=60),
    limit=st.integers(1, 5),
    period_s=st.sampled_from([0.5, 1.0, 7.0]),
)
def test_no_limiter_lets_more_than_twice_the_limit_through_in_a_period(
    algorithm: str, gaps: list[float], limit: int, period_s: float
) -> None:
    rate = RateLimit(limit=limit, period_s=period_s, algorithm=algorithm)  # type: ignore[arg-type]
    limits, now_s, let_through = limiter(rate), 0.0, []
    for gap in gaps:
        now_s += gap
        admission = limits.admit(now_s=now_s)
        if not admission.retry_after_s:
            let_through.append(now_s)
        assert 0 <= admission.remaining < limit
    for start_s in let_through:
        assert sum(start_s <= at_s < start_s + period_s for at_s in let_through) <= 2 * limit


@given(st.floats(0, 20), st.integers(1, 4))
def test_who_waits_as_told_is_let_through(start_s: float, limit: int) -> None:
    for algorithm in ("window", "token-bucket"):
        limits = limiter(RateLimit(limit=limit, period_s=2.0, algorithm=algorithm))
        for _ in range(limit):
            limits.admit(now_s=start_s)
        wait_s = limits.admit(now_s=start_s + 0.1).retry_after_s
        assert limits.admit(now_s=start_s + 0.1 + wait_s + 1e-6).retry_after_s == 0
