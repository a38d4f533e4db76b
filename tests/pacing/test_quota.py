"""What is left of a quota, and the period that X-RateLimit headers do not name."""

from __future__ import annotations

import math

import pytest

from bulkpause.models import Quota
from bulkpause.pacing import QuotaWatch


def window_of(watch: QuotaWatch, *, per_s: float, seconds: float, limit: int = 100, period_s: float = 1.0) -> None:
    """Show it even requests to a fixed window, each answered at once."""
    used, window = 0, 0
    for number in range(int(per_s * seconds)):
        at_s = number / per_s
        if int(at_s // period_s) != window:
            used, window = 0, int(at_s // period_s)
        used += 1
        watch.depart()
        watch.observe(Quota(limit, limit - used), departed_s=at_s, now_s=at_s, flying=0)


def test_without_headers_everything_may_leave() -> None:
    watch = QuotaWatch()
    watch.observe(None, departed_s=1.0, now_s=1.0, flying=3)
    assert (watch.left, watch.per_s, watch.is_known) == (math.inf, None, False)


def test_what_flies_is_paid_for_already() -> None:
    watch = QuotaWatch()
    watch.observe(Quota(10, 4), departed_s=1.0, now_s=1.1, flying=3)
    assert watch.left == 1
    watch.depart()
    assert watch.is_short(now_s=1.2)


@pytest.mark.parametrize(("limit", "period_s", "per_s"), [(100, 1.0, 80.0), (100, 10.0, 8.0), (10, 60.0, 0.15)])
def test_two_ends_of_a_window_make_its_period(limit: int, period_s: float, per_s: float) -> None:
    watch = QuotaWatch()
    window_of(watch, per_s=per_s, seconds=4.5 * period_s, limit=limit, period_s=period_s)
    assert watch.per_s is not None
    assert watch.per_s == pytest.approx(limit / period_s, rel=0.12)
    assert watch.per_s <= limit / period_s * 1.001


def test_a_quota_that_refills_drop_by_drop_shows_no_period() -> None:
    watch, left = QuotaWatch(), 100.0
    for number in range(500):
        left = min(100.0, left + 0.8) - 1
        watch.observe(Quota(100, int(left)), departed_s=number / 100, now_s=number / 100, flying=0)
    assert watch.per_s is None


def test_replies_that_overtake_each_other_end_no_window() -> None:
    watch = QuotaWatch()
    for departed_s, remaining in ((0.01, 90), (0.03, 40), (0.02, 89), (0.04, 39)):
        watch.observe(Quota(100, remaining), departed_s=departed_s, now_s=0.1, flying=0)
    assert watch.per_s is None
    assert watch.left == 39


def test_refusals_against_what_the_headers_say_end_the_belief_in_them() -> None:
    watch = QuotaWatch()
    watch.observe(Quota(100, 90), departed_s=0.01, now_s=0.1, flying=0)
    for _ in range(3):
        watch.refused()
    assert (watch.is_known, watch.left) == (False, math.inf)


def test_a_window_that_must_have_ended_holds_nobody() -> None:
    watch = QuotaWatch()
    window_of(watch, per_s=90.0, seconds=2.9)
    watch.observe(Quota(100, 0), departed_s=2.9, now_s=2.95, flying=0)
    assert watch.is_short(now_s=2.95)
    assert not watch.is_short(now_s=3.01)
