"""Latencies."""

from __future__ import annotations

import random
import statistics

import pytest

from bulkpause.sandbox import Latency, parse_latency


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
