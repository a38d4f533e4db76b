"""A service that breaks: left alone, asked by single attempts, given up on in the end."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from bulkpause.breaker import Breaker, BreakerPolicy, after_failure
from bulkpause.gates import AdaptiveGate, BreakerGate, HoldGate, ReachGate
from bulkpause.models import HaltReason, Notice, Reply, Status, Verdict
from bulkpause.pacing import PacePolicy
from bulkpause.ports import Gate
from tests.gates.services import CONFIRMED, FAILED, SILENT, Judge, Service, Unreachable, refused, run
from tests.virtual_time import VirtualClock


def guarded(
    *, give_up_after_s: float = 300.0, per_s: float = 100.0, start_per_s: float = 25.0
) -> Callable[..., Sequence[Gate]]:
    """The gates of a run that decide on when to leave."""

    def gates(clock: VirtualClock, notify: Callable[[Notice], None]) -> Sequence[Gate]:
        pace = AdaptiveGate(PacePolicy(ceiling_per_s=per_s, start_per_s=start_per_s), clock=clock, notify=notify)
        hold = HoldGate(cap_s=300.0, clock=clock, notify=notify, yields=lambda: pace.yields)
        return hold, BreakerGate(BreakerPolicy(give_up_after_s=give_up_after_s), clock=clock, notify=notify), pace

    return gates


def outage(begin_s: float, end_s: float, failing: Reply = FAILED) -> Judge:
    return lambda at_s: failing if begin_s <= at_s < end_s else CONFIRMED


@pytest.mark.parametrize("failing", [FAILED, Reply(Verdict.FAULT, 503, 503), Reply(Verdict.UNREADABLE, 200, 200)])
@pytest.mark.parametrize("latency_s", [0.05, 0.2])
def test_an_outage_of_forty_seconds_costs_no_report_and_few_requests(failing: Reply, latency_s: float) -> None:
    done = run(Service(outage(8, 48, failing), latency_s), guarded(), reports=2000, per_s=100)
    assert done.count(Status.SUCCEEDED) == 2000
    assert len(done.service.arrivals_s) - 2000 <= 30


def test_an_open_breaker_lets_single_attempts_ask_at_growing_intervals() -> None:
    done = run(Service(outage(5, 60)), guarded(), reports=1000, per_s=100)
    [opened] = done.events("breaker_opened")
    assert opened.fields["failures"] == 6
    asked = [at_s for at_s in done.service.arrivals_s if 6 < at_s < 60]
    gaps = [round(after - before) for before, after in pairwise(asked)]
    assert gaps == [2, 4, 8, 15, 15]
    [closed] = done.events("breaker_closed")
    assert closed.fields["asked"] == 7


def test_a_closed_breaker_reopens_the_run_as_a_ramp() -> None:
    done = run(Service(outage(8, 20)), guarded(), reports=2000, per_s=100)
    began = next(at_s for at_s in done.service.arrivals_s if at_s > 20)
    assert sum(began <= at_s < began + 0.2 for at_s in done.service.arrivals_s) <= 8


def test_a_service_that_fails_for_too_long_ends_the_run_resumable() -> None:
    done = run(Service(outage(8, 1e9)), guarded(), reports=1000, per_s=100)
    halt = done.engine.halted
    assert halt is not None
    assert halt.reason is HaltReason.UNREACHABLE
    assert "fails everything for longer than halt.give_up_after_s = 300" in halt.message
    assert "HTTP 500: Internal error" in halt.message
    assert 300 <= done.service.arrivals_s[-1] - 8 <= 302
    assert done.count(Status.SKIPPED) > 0
    assert all(outcome.interrupted for outcome in done.outcomes if outcome.status is Status.EXHAUSTED)


@pytest.mark.parametrize("failing", [FAILED, SILENT])
@pytest.mark.parametrize("give_up_after_s", [10.0, 300.0])
def test_a_service_that_fails_everything_sees_hardly_more_than_a_request_per_report(
    failing: Reply, give_up_after_s: float
) -> None:
    done = run(Service(lambda _: failing), guarded(give_up_after_s=give_up_after_s), reports=2000, per_s=100)
    assert done.engine.halted is not None
    assert len(done.service.ids) <= 1.2 * len(set(done.service.ids))


def test_a_service_that_refuses_everything_is_throttled_out() -> None:
    done = run(Service(lambda _: refused(1.0)), guarded(give_up_after_s=120), reports=500, per_s=100)
    assert done.engine.halted is not None
    assert done.engine.halted.reason is HaltReason.THROTTLED_OUT
    assert len(done.service.ids) <= 1.2 * len(set(done.service.ids))


def test_reports_that_fail_each_for_itself_open_nothing() -> None:
    verdicts = [Verdict.NOT_FOUND, Verdict.FORBIDDEN, Verdict.REJECTED, Verdict.CONTRADICTED]
    replies = iter([Reply(verdicts[number % 4], 404, 404) for number in range(100)])
    done = run(Service(lambda _: next(replies)), guarded(), reports=100, per_s=100)
    assert done.events("breaker_opened") == []


def test_a_service_that_fails_now_and_then_opens_nothing() -> None:
    answers = iter([FAILED, FAILED, CONFIRMED] * 1000)
    done = run(Service(lambda _: next(answers)), guarded(), reports=200, per_s=100)
    assert done.events("breaker_opened") == []


def test_one_failure_after_a_long_idle_time_ends_nothing() -> None:
    answers = iter([CONFIRMED] * 2 + [FAILED] + [CONFIRMED] * 10)
    done = run(Service(lambda _: next(answers)), guarded(per_s=1 / 200), reports=4, per_s=1 / 400)
    assert done.engine.halted is None
    assert done.events("halted") == []


def test_a_moment_of_bad_luck_at_a_high_rate_opens_nothing() -> None:
    answers = iter([FAILED] * 8 + [CONFIRMED] * 1000)
    done = run(Service(lambda _: next(answers), 0.004), guarded(per_s=1000, start_per_s=1000), reports=300, per_s=1000)
    assert done.events("breaker_opened") == []


def test_a_service_out_of_reach_ends_the_run_within_seconds_and_says_what_to_check() -> None:
    def gates(clock: VirtualClock, notify: Callable[[Notice], None]) -> Sequence[Gate]:
        return ReachGate(max_tries=6, deadline_s=900.0, clock=clock), *guarded()(clock, notify)

    done = run(Unreachable(lambda _: SILENT, 0.001), gates, reports=1000, per_s=100)
    assert done.engine.halted is not None
    assert done.engine.halted.message.endswith("Check the network, proxy and api.base_url.")
    assert done.count(Status.SKIPPED) == 1000
    assert done.service.arrivals_s[-1] < 20


def test_a_few_reports_out_of_reach_end_the_run_by_their_tries() -> None:
    def gates(clock: VirtualClock, notify: Callable[[Notice], None]) -> Sequence[Gate]:
        return ReachGate(max_tries=6, deadline_s=900.0, clock=clock), *guarded()(clock, notify)

    done = run(Unreachable(lambda _: SILENT, 0.001), gates, reports=3, per_s=100)
    assert done.engine.halted is not None
    assert done.engine.halted.reason is HaltReason.UNREACHABLE


def test_a_service_that_fails_half_of_all_requests_by_chance_opens_hardly_ever() -> None:
    chance = random.Random(5)  # noqa: S311
    done = run(Service(lambda _: FAILED if chance.random() < 0.5 else CONFIRMED), guarded(), reports=1000, per_s=100)
    assert len(done.events("breaker_opened")) <= 5  # the first ones know nothing of the share yet
    assert done.count(Status.SUCCEEDED) >= 980


@pytest.mark.parametrize(
    ("share", "needed"), [(0.0, 6), (0.1, 6), (0.3, 7), (0.5, 11), (0.7, 22), (0.9, 30), (1.0, 30)]
)
def test_so_many_failures_in_a_row_are_no_chance(share: float, needed: int) -> None:
    breaker, policy = Breaker(share=share), BreakerPolicy()
    for number in range(1, 40):
        breaker = after_failure(policy, breaker, departed_s=number, now_s=number + 0.5)
        if not breaker.is_closed:
            break
    assert number == needed
