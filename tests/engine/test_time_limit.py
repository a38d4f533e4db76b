"""The end of a run's time: what may still leave, what ends early, and what is said of the rest; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkpause.curfew import Curfew
from bulkpause.gates import HoldGate, RateGate
from bulkpause.limits import Reserve, Window
from bulkpause.models import HaltReason, Operation, Outcome, Reply, ReportId, Status, Verdict, Wire
from bulkpause.ports import FakeFeed
from bulkpause.retry import RetryPolicy
from tests.engine.scenario import Answer, Feed, Ledger, Service, Turnstile, by_row, engine, entry
from tests.virtual_time import EPOCH, JumpingClock, VirtualClock, run_virtually

RESERVE = Reserve(first_s=4.0, retry_s=2.0)
TEN_SECONDS = Window(time_limit_s=10.0)
QUICK = Answer(reply_s=0.1)
FAULT = Answer(Verdict.FAULT, reply_s=0.1)


@dataclass
class Watched(Service):
    """A Service that remembers when each attempt left."""

    departures: list[tuple[float, str]] = field(default_factory=list)

    async def send(
        self, operation: Operation, report_id: ReportId, *, request_id: str, correlation_id: str, wire: Wire
    ) -> Reply:
        """Note it, and treat it as the script says."""
        self.departures.append((asyncio.get_running_loop().time(), report_id))
        return await super().send(operation, report_id, request_id=request_id, correlation_id=correlation_id, wire=wire)


@dataclass
class Ended:
    """What a run came to."""

    outcomes: list[Outcome]
    at_s: float
    departures: list[tuple[float, str]]
    halted: str | None
    notices: list[str]

    @property
    def firsts(self) -> list[float]:
        """When each report's first attempt left."""
        seen: dict[str, float] = {}
        for at_s, report_id in self.departures:
            seen.setdefault(report_id, at_s)
        return list(seen.values())


def run_until_late(
    *script: Answer,
    window: Window = TEN_SECONDS,
    rows: int = 100,
    every_s: float = 0.5,
    jumps: Mapping[float, float] | None = None,
    feed: FakeFeed | None = None,
    concurrency: int = 2,
    retry: RetryPolicy | None = None,
) -> Ended:
    """A run with a slot every `every_s` in a window that keeps four and two seconds free at its end."""

    async def main() -> Ended:
        clock = JumpingClock(jumps or {})
        ledger = Ledger(concurrency=concurrency)
        service = Watched(script, ledger)
        hold = HoldGate(cap_s=300, clock=VirtualClock(), notify=ledger.notice)
        curfew = Curfew(window, reserve_for=lambda _: RESERVE, clock=clock, zone=UTC, named="run.time_limit 10s")
        run = service.watched = engine(
            service,
            hold,
            Turnstile(every_s=every_s),
            record=ledger,
            concurrency=concurrency,
            retry=retry or RetryPolicy(max_tries=9, backoff_base_s=0.0),
            curfew=curfew,
        )
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(curfew.watch(run, held_s=hold.held_s))
            await run.run(feed or FakeFeed([entry(row) for row in range(1, rows + 1)]))
            ended_s = asyncio.get_running_loop().time()
            watch.cancel()
        halted = None if run.halted is None else run.halted.message
        assert run.halted is None or run.halted.reason is HaltReason.TIME_LIMIT
        return Ended(ledger.outcomes, ended_s, service.departures, halted, [one.event for one in ledger.notices])

    return run_virtually(main())


def test_no_report_is_begun_in_the_time_kept_free_and_the_rest_is_skipped() -> None:
    ended = run_until_late(QUICK)

    assert ended.departures[-1][0] == pytest.approx(5.5)
    assert ended.at_s == pytest.approx(6.0)
    assert list(by_row(ended.outcomes).values()).count(Status.SKIPPED) == 100 - len(ended.departures)
    assert len(ended.outcomes) == 100
    assert ended.halted is not None
    assert ended.halted.startswith(
        "too late to begin anything before 2026-01-01 00:00:10+00:00 (run.time_limit 10s), as an attempt"
    )
    assert ended.notices == ["halted"]


def test_what_was_begun_is_retried_as_long_as_its_timeout_fits() -> None:
    patient = RetryPolicy(max_tries=99, backoff_base_s=0.0)
    ended = run_until_late(*[QUICK] * 22, *[FAULT] * 99, every_s=0.25, retry=patient)

    assert ended.firsts[-1] <= 6.0
    assert 7.5 <= ended.departures[-1][0] <= 8.0
    assert ended.at_s <= 8.11
    assert all(outcome.interrupted for outcome in ended.outcomes if outcome.status is Status.EXHAUSTED)


def test_a_run_that_is_done_in_time_is_not_halted() -> None:
    ended = run_until_late(QUICK, rows=11)

    assert (ended.halted, ended.notices) == (None, [])
    assert set(by_row(ended.outcomes).values()) == {Status.SUCCEEDED}


def test_a_retry_that_heals_after_the_last_report_was_begun_is_no_halt() -> None:
    ended = run_until_late(*[QUICK] * 10, FAULT, FAULT, FAULT, QUICK, rows=11)

    assert ended.at_s > 6.0
    assert (ended.halted, set(by_row(ended.outcomes).values())) == (None, {Status.SUCCEEDED})


def test_a_backoff_into_the_time_kept_free_is_not_waited_out() -> None:
    asked = Answer(Verdict.UNREADABLE, reply_s=0.1)
    ended = run_until_late(
        asked, rows=1, retry=RetryPolicy(max_tries=3, backoff_base_s=1e9, backoff_cap_s=1e9, deadline_s=1e12)
    )

    assert ended.at_s == pytest.approx(0.6)
    (outcome,) = ended.outcomes
    assert (outcome.status, outcome.interrupted) == (Status.UNKNOWN, True)
    assert ended.halted is not None


def test_a_hold_that_outlasts_the_time_ends_the_run_at_once() -> None:
    ended = run_until_late(Answer(Verdict.THROTTLED, reply_s=0.1, retry_after_s=60.0), rows=5)

    assert ended.at_s < 2.0
    assert ended.halted is not None
    assert ended.halted.startswith("too late to begin anything before 2026-01-01 00:00:10+00:00 (run.time_limit 10s)")
    assert len(ended.outcomes) == 5


def test_a_hold_that_leaves_time_for_retries_only_begins_no_report_behind_it() -> None:
    ended = run_until_late(*[QUICK] * 3, Answer(Verdict.THROTTLED, reply_s=0.1, retry_after_s=5.0), *[QUICK] * 99)

    statuses = by_row(ended.outcomes)
    assert statuses[4] is Status.SUCCEEDED
    assert 7.0 <= ended.departures[-1][0] <= 8.0
    assert ended.firsts[-1] < 3.0


def test_a_source_that_goes_on_is_ended_by_the_limit() -> None:
    ended = run_until_late(QUICK, feed=Feed([entry(1)], end="silence"))

    assert ended.at_s == pytest.approx(6.0)
    assert by_row(ended.outcomes) == {1: Status.SUCCEEDED}
    assert ended.halted is not None


def test_a_limit_that_has_come_before_the_run_lets_nothing_leave() -> None:
    ended = run_until_late(QUICK, window=Window(time_limit_s=3.0), rows=5)

    assert (ended.departures, set(by_row(ended.outcomes).values())) == ([], {Status.SKIPPED})
    assert ended.at_s == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
def test_a_time_limit_does_not_mind_a_jump_of_the_wall_clock(jump_s: float) -> None:
    ended = run_until_late(QUICK, jumps={3.0: jump_s})

    assert ended.departures[-1][0] == pytest.approx(5.5)


def test_a_moment_is_read_off_the_wall_clock_wherever_that_is_set() -> None:
    window = Window(until=EPOCH + timedelta(seconds=10))
    early = run_until_late(QUICK, window=window, jumps={3.2: 4.0})
    late = run_until_late(QUICK, window=window, jumps={3.2: -4.1})

    assert early.departures[-1][0] == pytest.approx(3.0)
    assert late.departures[-1][0] == pytest.approx(10.0)


def test_an_attempt_that_a_standing_process_delayed_does_not_leave_too_late() -> None:
    class StoppedClock(VirtualClock):
        """Its process is stopped for an hour after three seconds; loop time does not move in a virtual loop."""

        def sleepless_s(self) -> float:
            return self.monotonic_s() + (3600.0 if self.monotonic_s() >= 3.0 else 0.0)

    async def main() -> list[tuple[float, str]]:
        ledger = Ledger(concurrency=2)
        service = Watched([QUICK], ledger)
        curfew = Curfew(TEN_SECONDS, reserve_for=lambda _: RESERVE, clock=StoppedClock(), zone=UTC, named="")
        run = service.watched = engine(service, Turnstile(every_s=0.5), record=ledger, curfew=curfew)
        await run.run(FakeFeed([entry(row) for row in range(1, 20)]))  # nobody watches
        return service.departures

    assert run_virtually(main())[-1][0] < 3.0


def test_without_a_limit_nobody_watches_and_everything_may_leave() -> None:
    async def main() -> None:
        curfew = Curfew(Window(), reserve_for=lambda _: RESERVE, clock=VirtualClock(), zone=UTC, named="")
        await curfew.watch(engine(Service([QUICK], Ledger())), held_s=lambda: 0.0)
        assert curfew(is_first=True, in_s=1e12) is None
        assert (curfew.ends_at(), curfew.beginning_s()) == (None, None)

    run_virtually(main())


@settings(max_examples=60, deadline=None)
@given(
    limit_s=st.floats(0.5, 40.0),
    guard_s=st.floats(0.0, 5.0),
    every_s=st.sampled_from([0.0, 0.1, 0.7]),
    concurrency=st.integers(1, 6),
    script=st.lists(
        st.builds(
            Answer,
            verdict=st.sampled_from([Verdict.CONFIRMED, Verdict.FAULT, Verdict.THROTTLED, Verdict.UNANSWERED]),
            reply_s=st.floats(0.01, 2.0),
            retry_after_s=st.sampled_from([None, None, 0.5, 8.0]),
        ),
        min_size=1,
        max_size=8,
    ),
)
def test_whatever_happens_nothing_flies_at_the_limit_less_the_guard_and_every_row_has_its_outcome(
    limit_s: float, guard_s: float, every_s: float, concurrency: int, script: list[Answer]
) -> None:
    window = Window(time_limit_s=limit_s, guard_s=guard_s)
    ended = run_until_late(
        *script,
        window=window,
        every_s=every_s,
        concurrency=concurrency,
        rows=60,
        retry=RetryPolicy(max_tries=4, backoff_base_s=0.5),
    )

    over_s = limit_s - guard_s
    assert len(by_row(ended.outcomes)) == 60
    assert all(at_s <= max(0.0, over_s - RESERVE.first_s) + 1e-6 for at_s in ended.firsts)
    assert all(at_s <= max(0.0, over_s - RESERVE.retry_s) + 1e-6 for at_s, _ in ended.departures)
    assert ended.at_s <= max(0.0, over_s) + 1e-6
    undone = [one for one in ended.outcomes if one.status is Status.SKIPPED or one.interrupted]
    if "budget_spent" not in ended.notices:  # that leaves something undone as well
        assert bool(undone) == (ended.halted is not None)
    assert undone or ended.halted is None


def test_a_wall_clock_that_jumps_disturbs_neither_rate_nor_deadline_nor_elapsed_time() -> None:
    async def main(jumps: Mapping[float, float]) -> tuple[list[float], list[float]]:
        clock = JumpingClock(jumps)
        ledger = Ledger(concurrency=4)
        service = Watched([QUICK, FAULT], ledger)
        hold = HoldGate(cap_s=300, clock=clock, notify=ledger.notice)
        run = service.watched = engine(service, hold, RateGate(per_s=5), record=ledger, concurrency=4)
        await run.run(FakeFeed([entry(row) for row in range(1, 40)]))
        return [at_s for at_s, _ in service.departures], [one.elapsed_ms for one in ledger.outcomes]

    still = run_virtually(main({}))
    assert run_virtually(main({2.0: 3600.0, 4.0: -7200.0})) == still
