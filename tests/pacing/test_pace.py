"""What the rate becomes: a pure function of what the service has answered."""

from __future__ import annotations

import pytest

from bulkpause.pacing import Pace, PacePolicy, Reason, Tally, after_acceptance, after_refusal, after_silence, started
from bulkpause.pacing.state import Limit, Refusals

POLICY = PacePolicy(ceiling_per_s=500.0)


def tally(*, let_in_per_s: float = 0.0, until_s: float = 10.0, departed: int = 1000, latency_s: float = 0.05) -> Tally:
    """A tally of ten even seconds until `until_s`; `departed` have left since the pace was last changed."""
    found = Tally()
    for number in range(int(10 * let_in_per_s)):
        at_s = until_s - 10 + (number + 1) / let_in_per_s
        found.depart(at_s)
        found.answer(now_s=at_s + latency_s, latency_s=latency_s)
    found.departed = departed
    return found


def slowed_to(latency_s: float) -> Tally:
    """A tally whose replies took ten times as long in the last two seconds, 50 of them a second."""
    found = tally(let_in_per_s=50, until_s=8)
    for number in range(100):
        found.depart(8 + number / 50)
        found.answer(now_s=8 + number / 50, latency_s=latency_s)
    return found


def known(
    per_s: float, *, at_s: float = 0.0, rest_units: float = 1.0, step: float = 0.0, peak_per_s: float = 0.0
) -> Pace:
    """A pace at the usual part of a limit of `per_s`."""
    limit = Limit(per_s, 1.0, rest_units, POLICY.step)
    return Pace(
        POLICY.kept * per_s, Reason.MEASURED, at_s, at_s, limit=limit, cut_s=at_s, step=step, peak_per_s=peak_per_s
    )


def refused(pace: Pace, *, at_s: float, let_in_per_s: float) -> Pace:
    """The pace after a refusal of what left at `at_s`, 50 ms before."""
    seen = tally(let_in_per_s=let_in_per_s, until_s=at_s)
    return after_refusal(POLICY, pace, seen, departed_s=at_s, now_s=at_s + 0.05)


def accepted(pace: Pace, seen: Tally, *, at_s: float) -> Pace:
    """The pace after an acceptance of what left at `at_s`, 50 ms before."""
    return after_acceptance(POLICY, pace, seen, departed_s=at_s, now_s=at_s + 0.05)


@pytest.mark.parametrize(("ceiling_per_s", "per_s"), [(500.0, 25.0), (5.0, 5.0)])
def test_a_run_begins_low_and_never_above_what_was_agreed(ceiling_per_s: float, per_s: float) -> None:
    assert started(PacePolicy(ceiling_per_s=ceiling_per_s), now_s=3.0).per_s == per_s


def test_while_nothing_is_refused_the_rate_grows_with_each_round_trip() -> None:
    pace = accepted(started(POLICY, now_s=0.0), tally(let_in_per_s=25), at_s=0.2)
    assert pace.per_s == pytest.approx(25 * POLICY.growth)
    assert pace.reason is Reason.CONTENT


def test_a_reply_to_what_left_before_the_latest_step_says_nothing_of_it() -> None:
    pace = started(POLICY, now_s=0.0)._replace(since_s=5.0)
    assert accepted(pace, tally(let_in_per_s=25), at_s=4.9) is pace


def test_the_rate_does_not_grow_while_it_is_not_the_rate_that_holds_the_run_up() -> None:
    pace = started(POLICY, now_s=0.0)
    assert accepted(pace, tally(let_in_per_s=5, departed=2), at_s=0.5) is pace


def test_the_rate_stops_growing_at_what_was_agreed() -> None:
    pace = started(POLICY, now_s=0.0)._replace(per_s=480.0)
    assert accepted(pace, tally(let_in_per_s=300), at_s=0.2).per_s == 500.0


def test_a_refusal_tells_where_the_limit_is() -> None:
    pace = refused(started(POLICY, now_s=0.0)._replace(per_s=200.0), at_s=9.95, let_in_per_s=100)
    assert pace.limit is not None
    assert pace.limit.per_s == pytest.approx(100, rel=0.02)
    assert pace.per_s == pytest.approx(98.5, rel=0.02)
    assert pace.reason is Reason.REFUSED


def test_a_refusal_of_what_left_before_the_cut_is_no_news() -> None:
    pace = refused(started(POLICY, now_s=0.0)._replace(per_s=200.0), at_s=9.95, let_in_per_s=100)
    assert after_refusal(POLICY, pace, tally(), departed_s=9.99, now_s=10.04) is pace


def test_while_the_service_refuses_it_is_asked_again_ever_more_rarely() -> None:
    pace = refused(started(POLICY, now_s=0.0)._replace(per_s=200.0), at_s=9.95, let_in_per_s=100)
    waits = [pace.resume_s - pace.cut_s]
    for _ in range(6):
        pace = refused(pace, at_s=pace.resume_s, let_in_per_s=0)
        waits.append(pace.resume_s - pace.cut_s)
    assert waits == pytest.approx([0.1, 0.16, 0.256, 0.41, 0.655, 1.0, 1.0], abs=0.01)
    assert pace.per_s == pytest.approx(98.5, rel=0.02), "one fall of refusals is one cut"


def test_a_service_that_refuses_from_the_first_request_on_leaves_a_tenth_of_the_rate() -> None:
    assert refused(started(POLICY, now_s=0.0), at_s=0.0, let_in_per_s=0).per_s == pytest.approx(2.5 * POLICY.kept)


def test_a_limit_found_again_is_left_alone_for_twice_as_long() -> None:
    pace = known(100, step=0.01)._replace(per_s=102.0)
    pace = refused(pace, at_s=9.95, let_in_per_s=100)
    pace = accepted(pace, tally(let_in_per_s=100), at_s=pace.resume_s)
    assert pace.limit is not None
    assert (pace.limit.rest_units, pace.limit.first_step) == (2.0, POLICY.step)
    assert pace.per_s == pytest.approx(98.5, rel=0.02)


def test_a_limit_that_is_another_one_now_is_probed_soon_and_boldly() -> None:
    pace = known(100, rest_units=16.0)._replace(per_s=97.5)
    pace = refused(pace, at_s=9.95, let_in_per_s=40)
    pace = accepted(pace, tally(let_in_per_s=40), at_s=pace.resume_s)
    assert pace.limit is not None
    assert pace.limit.per_s == pytest.approx(40, rel=0.03)
    assert (pace.limit.rest_units, pace.limit.first_step) == (POLICY.rest_units, POLICY.bold_step)


def test_a_limit_that_was_higher_once_is_probed_twice_as_boldly() -> None:
    pace = refused(known(100, peak_per_s=100.0), at_s=9.95, let_in_per_s=40)
    pace = accepted(pace, tally(let_in_per_s=40), at_s=pace.resume_s)
    assert pace.limit is not None
    assert pace.limit.first_step == 2 * POLICY.bold_step


def test_after_its_rest_the_rate_tries_more_each_step_twice_the_last() -> None:
    pace, rates = known(100), []
    for second in range(1, 8):
        pace = accepted(pace, tally(let_in_per_s=100), at_s=1.1 * second)
        rates.append(round(pace.per_s, 1))
    assert rates == [99.5, 100.5, 102.5, 106.6, 115.1, 133.6, 176.3]


def test_a_rate_on_its_way_up_stops_at_a_limit_that_was_known_and_goes_on_gently() -> None:
    pace = known(40, step=0.32, peak_per_s=100.0)._replace(per_s=75.0)
    pace = accepted(pace, tally(let_in_per_s=70), at_s=1.1)
    assert pace.per_s == pytest.approx(98.5)
    assert pace.step == POLICY.step


def test_a_period_of_a_minute_is_found_by_how_long_refusals_last() -> None:
    seen = Tally()
    for number in range(10):
        seen.depart(0.1 * number)
    pace = after_refusal(POLICY, started(POLICY, now_s=0.0), seen, departed_s=1.0, now_s=1.05)
    seen.depart(60.05)
    pace = after_acceptance(POLICY, pace, seen, departed_s=60.05, now_s=60.1)
    assert pace.limit is not None
    assert pace.limit.unit_s == pytest.approx(60.1)
    assert pace.limit.per_s == pytest.approx(10 / 60, rel=0.12)


def test_a_long_refusal_with_nothing_to_measure_by_begins_the_search_anew() -> None:
    pace = refused(started(POLICY, now_s=0.0), at_s=0.0, let_in_per_s=0)
    pace = accepted(pace, tally(), at_s=30.0)
    assert (pace.limit, pace.refusals, pace.per_s) == (None, None, 12.5)


def test_after_a_silence_the_rate_begins_gently_and_climbs_back() -> None:
    pace = after_silence(POLICY, known(200), now_s=30.0)
    assert pace.per_s == pytest.approx(197 / 4)
    assert pace.reason is Reason.REOPENED
    for step in range(1, 11):
        pace = accepted(pace, tally(let_in_per_s=100), at_s=30 + 0.1 * step)
    assert pace.per_s == pytest.approx(197)
    assert pace.goal_per_s is None


def test_a_rate_that_is_low_has_nothing_to_begin_gently_from() -> None:
    pace = known(10)
    assert after_silence(POLICY, pace, now_s=30.0) == pace._replace(since_s=30.0)


def test_replies_that_take_several_times_longer_than_usual_lower_the_rate_to_what_comes_back() -> None:
    seen = slowed_to(0.5)
    assert seen.is_slow
    pace = accepted(started(POLICY, now_s=0.0)._replace(per_s=100.0), seen, at_s=9.95)
    assert pace.per_s == pytest.approx(48, rel=0.03)
    assert pace.reason is Reason.SLOW


def test_a_latency_that_stays_becomes_the_usual_one() -> None:
    seen = slowed_to(0.5)
    seen.get_used()
    assert not seen.is_slow


def test_what_is_in_flight_counts_as_let_in_and_what_was_refused_does_not() -> None:
    seen = tally(let_in_per_s=100, until_s=10.0)
    for number in range(1, 11):
        seen.depart(10.0 + number / 100)
    assert seen.let_in_per_s(1.0, until_s=10.1) == pytest.approx(100, abs=1)
    for number in range(1, 11):
        seen.refuse(10.0 + number / 100)
    assert seen.let_in_per_s(1.0, until_s=10.1) == pytest.approx(90, abs=1)


def test_more_than_is_remembered_is_the_mean_of_what_is() -> None:
    assert tally(let_in_per_s=1000).let_in_per_s(60.0, until_s=10.0) == pytest.approx(1000, rel=0.01)


def test_a_quota_that_is_known_is_gone_by_without_a_try() -> None:
    pace = after_acceptance(
        POLICY,
        started(POLICY, now_s=0.0),
        tally(let_in_per_s=25),
        departed_s=0.2,
        now_s=0.25,
        has_quota=True,
        quota_per_s=100.0,
    )
    assert (pace.per_s, pace.reason) == (99.0, Reason.QUOTA)


def test_refusals_that_begin_within_a_unit_of_the_last_are_no_measure() -> None:
    pace = known(100, at_s=9.5)._replace(hasty=0)
    pace = refused(pace, at_s=9.9, let_in_per_s=30)
    assert pace.limit is not None
    assert pace.limit.per_s == pytest.approx(98.5)
    assert isinstance(pace.refusals, Refusals)
