"""How much longer it takes, whether that fits, and how that is said."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.forecast import MOST_MARKS, Course, Fit, Forecast, said_fit, said_rate


def forecast(left: int = 100, **more: float | None) -> Forecast:
    given: dict[str, float | None] = {"attempts_per_s": 5.0, "most_per_s": 10.0, **more}
    return Forecast(left=left, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "left_s"),
    [
        (forecast(), 20.0),
        (forecast(attempts_per_report=1.25), 25.0),
        (forecast(attempts_per_report=0.5), 10.0),
        (forecast(held_s=7.0), 27.0),
        (forecast(attempts_per_s=0.0), math.inf),
        (forecast(0, attempts_per_s=0.0, held_s=7.0), 0.0),
    ],
)
def test_what_is_left_takes_its_attempts_at_the_learned_rate(one: Forecast, left_s: float) -> None:
    assert one.left_s == left_s


@pytest.mark.parametrize(
    ("time_left_s", "fit", "words"),
    [
        (None, None, None),
        (20.0, Fit.FITS, "fits"),
        (19.0, Fit.FITS_FASTER, "fits at 5.3/s"),
        (10.0, Fit.FITS_FASTER, "fits at 10/s"),
        (9.9, Fit.DOES_NOT_FIT, "does not fit"),
        (0.0, Fit.DOES_NOT_FIT, "does not fit"),
    ],
)
def test_it_fits_or_would_at_a_rate_that_is_allowed_or_does_not(
    time_left_s: float | None, fit: Fit | None, words: str | None
) -> None:
    one = forecast(time_left_s=time_left_s)
    assert (one.fit, said_fit(one)) == (fit, words)


def test_nothing_left_fits_into_no_time() -> None:
    assert said_fit(forecast(0, time_left_s=0.0)) == "fits"


@given(
    left=st.integers(0, 10**6),
    per_s=st.floats(0, 1000),
    share=st.floats(0.01, 9),
    held_s=st.floats(0, 300),
    time_left_s=st.floats(0, 1e6),
)
def test_at_the_rate_that_is_needed_it_just_fits(
    left: int, per_s: float, share: float, held_s: float, time_left_s: float
) -> None:
    one = forecast(left, attempts_per_s=per_s, attempts_per_report=share, held_s=held_s, time_left_s=time_left_s)
    needed = one.needed_per_s
    assert needed is not None
    if one.fit is not Fit.FITS and 0 < needed < math.inf:
        at_it = forecast(left, attempts_per_s=needed, attempts_per_report=share, held_s=held_s)
        assert at_it.left_s == pytest.approx(time_left_s)
        assert needed > per_s or one.left_s == pytest.approx(time_left_s)


def test_the_document_has_no_infinity() -> None:
    assert forecast(attempts_per_s=0.0, time_left_s=0.0).to_dict() == {
        "left": 100,
        "left_s": None,
        "attempts_per_s": 0.0,
        "attempts_per_report": 1.0,
        "time_left_s": 0.0,
        "fit": "does_not_fit",
        "needed_per_s": None,
    }


@pytest.mark.parametrize(
    ("per_s", "words"),
    [
        (13.02, "14/s"),
        (14.0, "14/s"),
        (5.21, "5.3/s"),
        (5.0, "5/s"),
        (0.5, "30/min"),
        (0.03, "1.8/min"),
        (0.001, "4/h"),
    ],
)
def test_a_rate_is_rounded_up_to_what_a_person_types(per_s: float, words: str) -> None:
    assert said_rate(per_s) == words


def course(*points: tuple[float, int, int, int]) -> Course:
    learned = Course(0.0)
    for now_s, done, answered, in_flight in points:
        learned.update(now_s, done=done, answered=answered, in_flight=in_flight)
    return learned


def test_nothing_is_learned_from_nothing() -> None:
    learned = course((0.0, 0, 0, 0), (5.0, 0, 0, 0))
    assert (learned.attempts_per_s, learned.attempts_per_report) == (0.0, 1.0)


def test_the_wait_for_the_first_attempt_does_not_count() -> None:
    assert course((0.0, 0, 0, 0), (30.0, 0, 0, 2), (31.0, 0, 0, 7)).attempts_per_s == 5.0


def test_attempts_in_flight_have_left() -> None:
    assert course((1.0, 0, 0, 1), (3.0, 4, 4, 5)).attempts_per_s == 4.0


def test_retries_make_a_report_cost_more_attempts_and_unchanged_ones_fewer() -> None:
    assert course((1.0, 1000, 1200, 0)).attempts_per_report == pytest.approx(1.2, rel=0.01)
    assert course((1.0, 1000, 200, 0)).attempts_per_report == pytest.approx(0.2, rel=0.05)


def test_the_luck_of_the_first_reports_counts_for_less() -> None:
    assert course((1.0, 2, 10, 0)).attempts_per_report == pytest.approx(1 + 8 / 12)


def test_a_slow_start_is_forgotten_in_the_later_half() -> None:
    slow = [(float(at), at, at, 0) for at in range(1, 51)]
    fast = [(50.0 + at, 50 + 9 * at, 50 + 9 * at, 0) for at in range(1, 51)]
    assert course(*slow, *fast).attempts_per_s == pytest.approx(9.0, rel=0.05)


@given(st.lists(st.tuples(st.floats(0.01, 60), st.integers(0, 50)), min_size=1, max_size=3 * MOST_MARKS))
def test_however_long_a_run_lasts_little_is_kept_and_a_rate_is_within_what_was_seen(
    steps: list[tuple[float, int]],
) -> None:
    learned, now_s, left = Course(0.0), 0.0, 1
    for step_s, attempts in steps:
        now_s, left = now_s + step_s, left + attempts
        learned.update(now_s, done=0, answered=left, in_flight=0)
    assert len(learned._marks) <= MOST_MARKS + 1
    assert 0 <= learned.attempts_per_s <= max(attempts / step_s for step_s, attempts in steps) + 1e-9
