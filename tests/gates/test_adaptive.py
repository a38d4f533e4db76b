"""The adaptive gate in virtual time: never above its ceiling, no burst, no more in flight than the rate needs."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkpause.breaker import BreakerPolicy
from bulkpause.gates import PACE, AdaptiveGate, BreakerGate, HoldGate
from bulkpause.models import Notice, Quota, Reply, Status
from bulkpause.pacing import PacePolicy
from bulkpause.ports import Gate
from bulkpause.retry import RetryPolicy
from bulkpause.sandbox import limiter, parse_rate_limit
from tests.gates.services import CONFIRMED, FAILED, Connecting, Judge, Run, Service, Stalling, most_within, refused, run
from tests.virtual_time import VirtualClock

PATIENT = RetryPolicy(max_tries=1000, deadline_s=1e9)


def adaptive(per_s: float, *, start_per_s: float = 25.0) -> Callable[..., Sequence[Gate]]:
    """The hold and the adaptive gate, as a run has them."""

    def gates(clock: VirtualClock, notify: Callable[[Notice], None]) -> Sequence[Gate]:
        pace = AdaptiveGate(PacePolicy(ceiling_per_s=per_s, start_per_s=start_per_s), clock=clock, notify=notify)
        return HoldGate(cap_s=1e9, clock=clock, notify=notify, yields=lambda: pace.yields), pace

    return gates


def limited(text: str, *, asked_s: float | None = 1.0) -> Judge:
    """A service with the sandbox's limiter."""
    gate = limiter(parse_rate_limit(text))
    return lambda at_s: CONFIRMED if gate.admit(now_s=at_s).admitted else refused(asked_s)


def drive(judge: Judge, *, reports: int = 1000, per_s: float = 1000.0, latency_s: float = 0.05) -> Run:
    return run(Service(judge, latency_s), adaptive(per_s), reports=reports, per_s=per_s, retry=PATIENT)


def test_a_hidden_limit_is_found_and_kept_to() -> None:
    done = drive(limited("100/s"))
    assert done.count(Status.SUCCEEDED) == 1000
    assert done.service.arrivals_s[-1] < 1.25 * 10  # the search for it takes a second or two
    assert len(done.service.arrivals_s) - 1000 <= 40


def test_each_change_of_the_rate_is_a_notice_with_its_reason() -> None:
    changes = [notice.fields for notice in drive(limited("100/s")).events("rate_changed")]
    assert {change["reason"] for change in changes} >= {"content", "refused", "measured"}
    rates = [change["per_s"] for change in changes]
    assert [change["was_per_s"] for change in changes] == [25.0, *rates[:-1]]


def test_a_low_ceiling_is_the_rate_from_the_start() -> None:
    done = drive(lambda _: CONFIRMED, reports=50, per_s=5.0)
    assert done.events("rate_changed") == []
    assert done.service.arrivals_s[-1] == pytest.approx(49 / 4.95, rel=0.02)


def test_before_the_first_reply_only_a_few_are_in_flight() -> None:
    silent = Service(lambda _: CONFIRMED, latency_s=5.0)
    run(silent, adaptive(1000), reports=4)
    assert silent.most_flying == 4
    slow = Service(lambda _: CONFIRMED, latency_s=5.0)
    run(slow, adaptive(1000), reports=32)
    assert most_within(slow.arrivals_s, 4.9) >= 4
    assert sum(at_s < 4.9 for at_s in slow.arrivals_s) == 4


def test_no_more_fly_than_the_rate_needs() -> None:
    done = run(Service(limited("20/s"), 0.1), adaptive(1000), reports=200, concurrency=500, per_s=1000, retry=PATIENT)
    assert done.service.most_flying <= 30


def test_after_a_hold_the_gate_reopens_as_a_ramp() -> None:
    answered = iter([CONFIRMED] * 400 + [refused(20.0)] + [CONFIRMED] * 10_000)
    done = drive(lambda _: next(answered), reports=900, per_s=200.0)
    [began] = [
        at_s
        for at_s, last_s in zip(done.service.arrivals_s[1:], done.service.arrivals_s, strict=False)
        if at_s - last_s > 10
    ]
    after = [at_s - began for at_s in done.service.arrivals_s if at_s >= began]
    assert sum(at_s < 0.1 for at_s in after) <= 8
    assert sum(at_s < 30.0 for at_s in after) >= 450


def test_a_short_retry_after_holds_only_the_report_that_was_refused() -> None:
    answered = iter([CONFIRMED] * 200 + [refused(1.0)] + [CONFIRMED] * 10_000)
    done = drive(lambda _: next(answered), reports=600, per_s=100.0)
    assert done.events("hold") == []
    gaps = [after - before for before, after in zip(done.service.arrivals_s, done.service.arrivals_s[1:], strict=False)]
    assert max(gaps) < 0.5


def test_refusals_that_go_on_hold_everybody() -> None:
    answered = iter([CONFIRMED] * 200 + [refused(1.0)] * 12 + [CONFIRMED] * 10_000)
    assert drive(lambda _: next(answered), reports=400, per_s=100.0).events("hold") != []


def test_errors_behind_the_gateway_do_not_slow_the_run() -> None:
    chance = random.Random(3)  # noqa: S311
    gate = limiter(parse_rate_limit("100/s"))

    def judge(at_s: float) -> Reply:
        if not gate.admit(now_s=at_s).admitted:
            return refused(1.0)
        return FAILED if chance.random() < 0.15 else CONFIRMED

    done = drive(judge, reports=1000)
    assert done.count(Status.SUCCEEDED) == 1000
    nearly_all = int(0.95 * len(done.service.arrivals_s))  # the very last wait for their backoff
    assert done.service.arrivals_s[nearly_all] < 1.2 * nearly_all / 100


LIMITS = st.builds(
    "{}/{}s{}{}".format,
    st.integers(2, 200),  # one a minute, refused calls charged and no Retry-After: who asks each minute is never let in
    st.sampled_from([0.5, 1, 2, 60]),
    st.sampled_from(["", ":sliding", ":token-bucket", ":token-bucket:burst=3"]),
    st.just(""),
)


@settings(max_examples=40, deadline=None)
@given(
    limit=LIMITS,
    per_s=st.sampled_from([0.5, 5.0, 37.0, 100.0, 400.0]),
    start_per_s=st.sampled_from([1.0, 25.0, 1000.0]),
    asked_s=st.sampled_from([None, 0.3, 1.0, 7.0]),
    latency_s=st.sampled_from([0.001, 0.05, 0.8]),
    seed=st.integers(0, 99),
)
def test_whatever_the_service_allows_the_ceiling_holds_in_every_window_and_every_report_ends(
    limit: str, per_s: float, start_per_s: float, asked_s: float | None, latency_s: float, seed: int
) -> None:
    service = Service(limited(limit, asked_s=asked_s), latency_s)
    gates = adaptive(per_s, start_per_s=start_per_s)
    done = run(service, gates, reports=60, per_s=per_s, retry=PATIENT, seed=seed)
    assert done.count(Status.SUCCEEDED) == 60, "nobody waits in vain"
    for seconds in (1.0, 10.0, 60.0):
        assert most_within(service.arrivals_s, seconds) <= per_s * seconds + max(1.5, 0.01 * per_s)


@pytest.mark.parametrize("concurrency", [8, 32])
def test_a_service_that_stands_still_for_a_while_is_soon_asked_at_speed_again(concurrency: int) -> None:
    service = Stalling(lambda _: CONFIRMED, stalls=(10.0, 20.0))
    done = run(service, adaptive(100), reports=3000, concurrency=concurrency, per_s=100.0)
    assert done.count(Status.SUCCEEDED) == 3000
    assert service.arrivals_s[-1] < 30 / PACE + 10 + 40


def test_one_slow_reply_does_not_stop_a_low_rate() -> None:
    service = Stalling(lambda _: CONFIRMED, stalls=(60.0, 70.0))
    run(service, adaptive(0.5), reports=60, per_s=0.5)
    assert service.arrivals_s[-1] < 130


def test_a_request_that_hangs_keeps_nobody_from_asking_whether_a_refusal_is_over() -> None:
    service = Stalling(limited("100/s"), stalls=(0.5, 0.52), until_s=30.5)
    run(service, adaptive(1000), reports=1000, retry=PATIENT)
    assert sum(at_s < 15 for at_s in service.arrivals_s) > 900


def test_an_idle_time_at_the_start_does_not_keep_the_rate_from_rising() -> None:
    service = Service(lambda at_s: FAILED if at_s < 20 else CONFIRMED)
    gates = adaptive(100)

    def breaking(clock: VirtualClock, notify: Callable[[Notice], None]) -> Sequence[Gate]:
        return BreakerGate(BreakerPolicy(), clock=clock, notify=notify), *gates(clock, notify)

    run(service, breaking, reports=1000, per_s=100.0)
    assert service.arrivals_s[-1] < 45


@pytest.mark.parametrize("quota", [Quota(100, 0), Quota(2, 0)])
def test_a_quota_that_always_says_that_nothing_is_left_is_not_believed_for_long(quota: Quota) -> None:
    done = drive(lambda _: CONFIRMED._replace(quota=quota), reports=300, per_s=100.0)
    assert done.service.arrivals_s[-1] < 30


def test_no_report_is_begun_any_more_and_yet_the_gate_hears_of_each_that_departed() -> None:
    """A time limit closes the run while one attempt is not on the wire yet and another waits to be retried."""
    replies = iter([refused(1.0)] + [CONFIRMED] * 10)
    service = Connecting(lambda _: next(replies))
    done = run(service, adaptive(100), reports=3, per_s=100.0, close_after_s=0.5)
    assert done.count(Status.SUCCEEDED) == 3
