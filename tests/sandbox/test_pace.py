"""The limiters, and how a refusal names its wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.sandbox import Limiter, RateLimit, limiter, parse_rate_limit, spelt
from bulkpause.sandbox.pace import FixedWindow, TokenBucket

AT = datetime(2026, 11, 22, 3, 0, 0, 400_000, tzinfo=UTC)
ALGORITHMS = ["window", "sliding", "token-bucket"]
GAPS = st.lists(st.floats(0, 3), max_size=60)


def seen(limits: Limiter, *times_s: float) -> list[tuple[int, float]]:
    """What is left, and what wait is asked for, after requests at these times."""
    return [(a.remaining, a.retry_after_s) for a in (limits.admit(now_s=now_s) for now_s in times_s)]


def admitted(spec: str, *times_s: float) -> list[bool]:
    """Which requests of these are let through."""
    limits = limiter(parse_rate_limit(spec))
    return [limits.admit(now_s=now_s).admitted for now_s in times_s]


def test_a_window_lets_its_limit_through_and_names_its_end() -> None:
    window = FixedWindow(RateLimit(limit=2, period_s=10))
    assert seen(window, 100.0, 101.0, 103.0, 109.5, 110.0) == [(1, 0), (0, 0), (0, 7), (0, 0.5), (1, 0)]


def test_windows_of_wall_time_end_with_its_periods() -> None:
    window = limiter(parse_rate_limit("1/10s:epoch=wall"))
    assert seen(window, 108.0, 109.0, 110.0, 111.0) == [(0, 0), (0, 1), (0, 0), (0, 9)]


@pytest.mark.parametrize("word", ["window", "window:count-refused"])
def test_refused_requests_do_not_prolong_a_window(word: str) -> None:
    assert admitted(f"1/s:{word}", 0.0, 0.2, 0.9, 1.0) == [True, False, False, True]


def test_refused_requests_that_count_use_up_a_limit_that_rises_within_the_window() -> None:
    times_s = (0.0, 0.1, 0.2, 0.6)
    assert admitted("3/s:drop=1@0..0.5", *times_s) == [True, False, False, True]
    assert admitted("3/s:drop=1@0..0.5:count-refused", *times_s) == [True, False, False, False]


def test_a_sliding_log_lets_in_whoever_waits_for_the_oldest_to_leave_it() -> None:
    log = limiter(parse_rate_limit("2/s:sliding"))
    assert seen(log, 0.0, 0.5, 0.75, 1.0, 1.25, 1.5) == [(1, 0), (0, 0), (0, 0.25), (0, 0), (0, 0.25), (0, 0)]


def test_who_hammers_a_sliding_log_that_counts_the_refused_is_never_let_in_again() -> None:
    hammering = [0.5 * number for number in range(40)]
    assert sum(admitted("2/s:sliding", *hammering)) == 40
    faster = [0.4 * number for number in range(40)]
    assert sum(admitted("2/s:sliding", *faster)) > 20
    assert sum(admitted("2/s:sliding:count-refused", *faster)) == 2


def test_a_sliding_log_that_counts_the_refused_names_the_wait_of_who_stops_asking() -> None:
    log = limiter(parse_rate_limit("1/s:sliding:count-refused"))
    assert seen(log, 0.0, 0.5, 1.25, 2.25) == [(0, 0), (0, 1), (0, 1), (0, 0)]


def test_a_bucket_starts_full_refills_evenly_and_charges_the_refused() -> None:
    bucket = TokenBucket(RateLimit(limit=2, period_s=1))
    assert seen(bucket, 0.0, 0.0, 0.0, 0.5, 1.5, 1.5) == [(1, 0), (0, 0), (0, 1), (0, 1), (0, 0), (0, 1)]


def test_the_debt_of_a_bucket_is_bounded() -> None:
    bucket = TokenBucket(RateLimit(limit=2, period_s=1))
    waits = [bucket.admit(now_s=0.0).retry_after_s for _ in range(100)]
    assert max(waits) == 1.5
    assert bucket.admit(now_s=1.5).retry_after_s == 0


def test_a_bucket_of_a_given_burst_holds_that_and_refuses_for_nothing() -> None:
    bucket = limiter(parse_rate_limit("2/s:token-bucket:burst=1"))
    assert seen(bucket, 0.0, 0.25, 0.25, 0.5, 9.0, 9.0) == [(0, 0), (0, 0.25), (0, 0.25), (0, 0), (0, 0), (0, 0.5)]


def test_a_bucket_of_a_given_burst_charges_the_refused_if_they_count() -> None:
    bucket = limiter(parse_rate_limit("2/s:token-bucket:burst=1:count-refused"))
    assert seen(bucket, 0.0, 0.0, 0.0, 1.0) == [(0, 0), (0, 1), (0, 1), (0, 0)]


def test_a_bucket_refills_at_the_limit_of_each_stretch_of_time() -> None:
    bucket = limiter(parse_rate_limit("4/s:token-bucket:burst=4:drop=1@0.5..1.5"))
    for _ in range(4):
        bucket.admit(now_s=0.75)
    # 1.625 s later: 2 tokens of 0.5 s at 4/s, 1 of the drop's second, half a one of the rest.
    assert [bucket.admit(now_s=2.375).admitted for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_drop_lowers_the_limit_while_it_lasts(algorithm: str) -> None:
    limits = limiter(parse_rate_limit(f"3/s:{algorithm}:drop=1@10..20"))
    rounds = [[limits.admit(now_s=start_s) for _ in range(3)] for start_s in (5.0, 16.0, 26.0)]
    assert [sum(a.admitted for a in answers) for answers in rounds] == [3, 1, 3]
    assert [answers[0].limit for answers in rounds] == [3, 1, 3]


def test_of_drops_that_overlap_the_lowest_holds() -> None:
    rate = parse_rate_limit("9/s:drop=2@2..4:drop=5@1..9:drop=7@20..")
    assert [rate.limit_at(since_s) for since_s in (0, 1, 2, 4, 9, 20, 1e9)] == [9, 5, 2, 5, 9, 7, 7]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("count_refused", [False, True])
@given(gaps=GAPS, limit=st.integers(1, 5), period_s=st.sampled_from([0.5, 1.0, 7.0]))
def test_no_limiter_lets_more_than_twice_the_limit_through_in_a_period_and_a_sliding_one_no_more_than_that(
    algorithm: str, count_refused: bool, gaps: list[float], limit: int, period_s: float
) -> None:
    rate = RateLimit(limit=limit, period_s=period_s, algorithm=algorithm, count_refused=count_refused)  # type: ignore[arg-type]
    limits, now_s, let_through = limiter(rate), 0.0, []
    for gap in gaps:
        now_s += gap
        admission = limits.admit(now_s=now_s)
        if admission.admitted:
            let_through.append(now_s)
        assert admission.admitted == (admission.retry_after_s == 0)
        assert 0 <= admission.remaining < limit
    most = limit if algorithm == "sliding" else 2 * limit
    for start_s in let_through:
        assert sum(start_s + period_s > at_s >= start_s for at_s in let_through) <= most


@pytest.mark.parametrize("spec", [*ALGORITHMS, "sliding:count-refused", "token-bucket:burst=2"])
@given(st.floats(0, 20), st.integers(1, 4))
def test_who_waits_as_told_is_let_through(spec: str, start_s: float, limit: int) -> None:
    limits = limiter(parse_rate_limit(f"{limit}/2s:{spec}"))
    wait_s = 0.0
    while not wait_s:
        wait_s = limits.admit(now_s=start_s).retry_after_s
    assert limits.admit(now_s=start_s + wait_s + 1e-6).admitted


@pytest.mark.parametrize(
    ("form", "wait_s", "header"),
    [
        ("ceil", 0.35, "1"),
        ("ceil", 58.01, "59"),
        ("one", 58.01, "1"),
        ("decimal", 0.35, "0.35"),
        ("decimal", 3599.1231, "3599.124"),
        ("decimal", 7.0, "7"),
        ("decimal", 1e-9, "0.001"),
        ("date", 0.6, "Sun, 22 Nov 2026 03:00:01 GMT"),
        ("date", 0.7, "Sun, 22 Nov 2026 03:00:02 GMT"),
        ("none", 0.35, None),
    ],
)
def test_a_wait_is_spelt_in_each_form(form: str, wait_s: float, header: str | None) -> None:
    assert spelt(wait_s, form, at=AT) == header  # type: ignore[arg-type]


@given(st.floats(1e-6, 1e5))
def test_no_form_but_one_asks_for_less_than_the_wait(wait_s: float) -> None:
    for form in ("ceil", "decimal"):
        assert float(spelt(wait_s, form, at=AT) or 0) >= wait_s * (1 - 1e-12)
    date = datetime.strptime(spelt(wait_s, "date", at=AT) or "", "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    assert date >= AT + timedelta(seconds=wait_s)
