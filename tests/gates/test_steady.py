"""The gates in virtual time: exact spacing, shared holds, and the end of a run that reaches nobody."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkpause.gates import PACE, HoldGate, RateGate, ReachGate
from bulkpause.models import Attempt, Halt, HaltReason, Notice, Reply, ReportId, Verdict
from tests.virtual_time import VirtualClock, run_virtually

REPORT = ReportId("0b9c7a52-8a5e-4f9b-9c1e-3d2f1a0b4c5d")
ALLOWANCE_S = 0.01
"""What the rate gate forgives a late timer."""


def attempt(
    verdict: Verdict = Verdict.CONFIRMED, *, number: int = 1, sent: int = 1, asked_s: float | None = None
) -> Attempt:
    code = 429 if verdict is Verdict.THROTTLED else 200
    reply = Reply(verdict, code, code, error="cannot connect", retry_after_s=asked_s)
    return Attempt(number, "r", "c", sent=sent, elapsed_ms=1.0, reply=reply)


def pacing(per_s: float) -> RateGate:
    """A gate that paces at `per_s`."""
    return RateGate(per_s=per_s / PACE)


def departures(per_s: float, arrivals: Sequence[float], *, resends: Sequence[int] = ()) -> list[float]:
    """When each of `arrivals` gets its slot at that pace, in turn; departure k is re-sent `resends[k]` times."""
    waiting: list[int] = []
    left: list[float] = []

    async def depart(gate: RateGate, who: int, at_s: float) -> None:
        await asyncio.sleep(at_s)
        waiting.append(who)
        await gate.admit()
        assert gate.is_open()
        assert waiting.pop(0) == who
        if len(left) < len(resends):
            gate.observe(REPORT, attempt(sent=1 + resends[len(left)]))
        left.append(asyncio.get_running_loop().time())

    async def main() -> None:
        gate = pacing(per_s)
        async with asyncio.TaskGroup() as group:
            for who, at_s in enumerate(arrivals):
                group.create_task(depart(gate, who, at_s))

    run_virtually(main())
    assert len(left) == len(arrivals)
    return left


def most_within(moments: Sequence[float], seconds: float) -> int:
    """The most of the sorted `moments` that any window of `seconds` holds."""
    return max(bisect_left(moments, moment + seconds) - index for index, moment in enumerate(moments))


@pytest.mark.parametrize("per_s", [0.1, 1 / 6, 5, 7, 50, 100, 150])
def test_departures_are_spaced_evenly_after_the_forgiven_ten_milliseconds(per_s: float) -> None:
    moments = departures(per_s, [0.0] * 40)
    gaps = [after - before for before, after in pairwise(moments)]
    assert moments[0] == pytest.approx(0, abs=1e-6)
    assert gaps[0] == pytest.approx(1 / per_s - min(ALLOWANCE_S, 0.5 / per_s), abs=1e-6)
    assert gaps[1:] == pytest.approx([1 / per_s] * 38, abs=1e-6)


@pytest.mark.parametrize(("per_s", "burst"), [(1000, 10), (10_000, 100)])
def test_a_high_rate_starts_with_ten_milliseconds_worth_and_then_keeps_its_pace(per_s: float, burst: int) -> None:
    moments = departures(per_s, [0.0] * 2500)
    assert bisect_right(moments, 1e-6) == burst
    assert (2500 - burst) / moments[-1] == pytest.approx(per_s, rel=0.001)
    assert most_within(moments, 0.1) <= 0.1 * per_s + burst


@pytest.mark.parametrize("per_s", [0.1, 1, 5, 33.3, 50, 100, 150])
@pytest.mark.parametrize("idle_s", [0, 60])
def test_no_sliding_second_holds_more_than_the_rate_and_one(per_s: float, idle_s: float) -> None:
    moments = departures(per_s, [0.0] * 5 + [idle_s] * 400)
    assert most_within(moments, 1.0) <= per_s + 1
    assert most_within([moment for moment in moments if moment >= idle_s], 0.5 / per_s) == 1


@pytest.mark.parametrize("per_s", [5, 50, 100])
def test_the_pace_is_one_percent_below_the_rate_so_that_jitter_does_not_fill_a_second_beyond_it(per_s: float) -> None:
    moments = departures(PACE * per_s, [0.0] * 1000)
    assert most_within(moments, 1.0) <= per_s
    assert 999 / moments[-1] == pytest.approx(0.99 * per_s, rel=0.001)


def test_many_waiters_leave_in_the_order_in_which_they_came() -> None:
    assert len(departures(50, [0.001 * (who // 4) for who in range(300)])) == 300


def test_a_newcomer_at_the_very_moment_of_a_slot_does_not_overtake() -> None:
    slots = departures(5, [0.0] * 10)
    assert departures(5, [0.0] * 6 + slots[1:5]) == pytest.approx(slots, abs=1e-6)


def test_a_silent_resend_takes_the_slot_of_the_next_attempt() -> None:
    moments = departures(5, [0.0] * 5, resends=[0, 2, 0, 1])
    gaps = [after - before for before, after in pairwise(moments)]
    assert gaps[1:] == pytest.approx([0.6, 0.2, 0.4], abs=1e-6)


def test_a_cancelled_waiter_leaves_its_slot_and_the_debt_to_the_next() -> None:
    async def main() -> float:
        gate = pacing(1)
        await gate.admit()
        gate.observe(REPORT, attempt(sent=3))
        for _ in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await gate.admit()
        await gate.admit()
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == pytest.approx(3 - ALLOWANCE_S, abs=1e-6)


def test_an_attempt_that_never_left_is_not_refunded() -> None:
    moments = departures(5, [0.0] * 4, resends=[-1, -1, -1])
    assert moments[-1] == pytest.approx(0.6 - ALLOWANCE_S, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    per_s=st.sampled_from([0.1, 1.0, 5.0, 7.3, 50.0, 150.0, 1000.0]),
    gaps=st.lists(st.floats(0, 3) | st.just(0.0), min_size=1, max_size=60),
    resends=st.lists(st.integers(0, 2), max_size=20),
)
def test_however_attempts_arrive_no_window_exceeds_the_rate_and_nobody_waits_in_vain(
    per_s: float, gaps: list[float], resends: list[int]
) -> None:
    arrivals = [sum(gaps[: index + 1]) for index in range(len(gaps))]
    moments = departures(per_s, arrivals, resends=resends)
    capacity = max(1.5, ALLOWANCE_S * per_s)
    for seconds in (0.1, 1.0, 10.0):
        assert most_within(moments, seconds) <= per_s * seconds + capacity
    slots = len(moments) + sum(resends[: len(moments) - 1])
    assert moments[-1] <= arrivals[-1] + slots / per_s + 1e-6


@dataclass
class Held:
    """A hold gate, what it said, and when each of its waiters got through."""

    cap_s: float = 300.0
    yields: bool = False
    notices: list[Notice] = field(default_factory=list)
    through: list[float] = field(default_factory=list)
    halts: list[Halt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate = HoldGate(
            cap_s=self.cap_s, clock=VirtualClock(), notify=self.notices.append, yields=lambda: self.yields
        )

    def play(self, events: Sequence[tuple[float, Attempt]], *, arrivals: Sequence[float] = ()) -> Held:
        """Show the gate an attempt at each moment of `events`; a waiter comes at each of `arrivals`."""

        async def observe(at_s: float, seen: Attempt) -> None:
            await asyncio.sleep(at_s)
            if halt := self.gate.observe(REPORT, seen):
                self.halts.append(halt)

        async def wait(at_s: float) -> None:
            await asyncio.sleep(at_s)
            await self.gate.admit()
            assert self.gate.is_open()
            assert self.gate.held_s() == 0
            self.through.append(asyncio.get_running_loop().time())

        async def main() -> None:
            async with asyncio.TaskGroup() as group:
                for at_s, seen in events:
                    group.create_task(observe(at_s, seen))
                for at_s in arrivals:
                    group.create_task(wait(at_s))

        run_virtually(main())
        return self

    def holds(self) -> list[object]:
        """The seconds that each notice tells of."""
        assert all(notice.event == "hold" for notice in self.notices)
        return [notice.fields["hold_s"] for notice in self.notices]


def throttled(asked_s: float | None = None) -> Attempt:
    return attempt(Verdict.THROTTLED, asked_s=asked_s)


def near(*moments: float) -> object:
    return pytest.approx(list(moments), abs=1e-6)


def test_an_open_gate_holds_nobody() -> None:
    assert Held().play([(0, attempt())], arrivals=[0, 1]).through == near(0, 1)


def test_one_retry_after_holds_every_worker_until_the_moment() -> None:
    held = Held().play([(1, throttled(30))], arrivals=[0, 1.5, 2, 30.9, 31.5])
    assert held.through == near(0, 31, 31, 31, 31.5)
    assert held.holds() == [30]


@pytest.mark.parametrize("verdict", [Verdict.THROTTLED, Verdict.FAULT, Verdict.REJECTED, Verdict.FORBIDDEN])
def test_whatever_asks_for_a_wait_gets_it(verdict: Verdict) -> None:
    assert Held().play([(0, attempt(verdict, asked_s=2.5))], arrivals=[1]).through == near(2.5)


def test_a_longer_hold_extends_the_wait_and_a_shorter_one_does_not_cut_it() -> None:
    held = Held().play([(0, throttled(10)), (5, throttled(60)), (6, throttled(1))], arrivals=[1, 7])
    assert held.through == near(65, 65)
    assert held.holds() == [10, 60]


def test_a_hold_that_grows_by_more_than_half_of_what_is_asked_is_told_again() -> None:
    assert Held().play([(0, throttled(10)), (4, throttled(10)), (8.9, throttled(10))]).holds() == [10]
    assert Held().play([(0, throttled(10)), (4, throttled(10)), (9.1, throttled(10))]).holds() == [10, 10]


def test_how_long_the_hold_lasts_can_be_read_meanwhile() -> None:
    async def main() -> None:
        gate = HoldGate(cap_s=60, clock=VirtualClock(), notify=lambda _: None)
        assert (gate.is_open(), gate.held_s()) == (True, 0.0)
        gate.observe(REPORT, throttled(10))
        await asyncio.sleep(4)
        assert not gate.is_open()
        assert gate.held_s() == pytest.approx(6, abs=1e-6)

    run_virtually(main())


def test_a_storm_gives_one_notice() -> None:
    storm = [(0.01 * number, throttled(30)) for number in range(64)]
    held = Held().play(storm, arrivals=[1])
    assert held.holds() == [30]
    assert held.notices[0].fields["status_code"] == 429
    assert held.through == near(30.63)


def test_the_next_storm_gives_its_own_notice() -> None:
    storms = [(0, throttled(5)), (0, throttled(5)), (6, attempt()), (6.5, throttled(5)), (6.5, throttled(5))]
    assert Held().play(storms).holds() == [5, 5]


def test_refused_again_right_after_a_hold_the_next_adds_the_doubling_to_what_is_asked_for() -> None:
    assert Held().play([(0, throttled(5)), (6, throttled(5)), (13, throttled(5)), (22, throttled())]).holds() == [
        5,
        6,
        8,
        8,
    ]


def test_a_short_wait_is_left_to_the_report_where_the_pace_gives_way() -> None:
    held = Held(yields=True).play([(0, throttled(2)), (0.1, throttled()), (0.2, throttled(2.1))])
    assert held.holds() == [2.1]


def test_a_wait_that_an_outage_asks_for_holds_everybody_however_short() -> None:
    assert Held(yields=True).play([(0, attempt(Verdict.FAULT, asked_s=1))]).holds() == [1]


@pytest.mark.parametrize(("asked_s", "halts"), [(300.0, False), (300.1, True), (1e18, True)])
def test_a_wait_beyond_the_cap_ends_the_run_instead_of_being_cut(asked_s: float, *, halts: bool) -> None:
    held = Held(cap_s=300).play([(0, throttled(asked_s))])
    assert bool(held.halts) is halts
    if halts:
        assert held.halts[0].reason is HaltReason.THROTTLED_OUT
        assert f"{asked_s:.0f} s, longer than retry.retry_after_cap_s (300 s)" in held.halts[0].message
        assert held.notices == []


def test_a_429_that_names_no_wait_doubles_the_hold_up_to_a_minute() -> None:
    moments = [0.0, 1, 3, 7, 15, 31, 63, 123]
    held = Held().play([(moment + 0.01 * number, throttled()) for number, moment in enumerate(moments)])
    assert held.holds() == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize("asked_s", [None, 0.0])
def test_a_wait_of_zero_is_as_good_as_none(asked_s: float | None) -> None:
    held = Held().play([(0, throttled(asked_s)), (2, throttled(asked_s))], arrivals=[0.5, 2.5])
    assert held.through == near(1, 4)


def test_replies_to_attempts_that_left_before_the_hold_neither_double_nor_reset_it() -> None:
    late = [(0.1, throttled()), (0.2, attempt()), (0.3, throttled())]
    assert Held().play([(0, throttled()), *late, (2, throttled())]).holds() == [1, 2]


@pytest.mark.parametrize("verdict", [verdict for verdict in Verdict if verdict is not Verdict.THROTTLED])
def test_any_other_answer_after_the_hold_starts_the_doubling_anew(verdict: Verdict) -> None:
    held = Held().play([(0, throttled()), (2, throttled()), (5, attempt(verdict)), (6, throttled())])
    assert held.holds() == [1, 2, 4 if verdict is Verdict.UNANSWERED else 1]


def reach(*attempts: Attempt, max_tries: int = 3, every_s: float = 0.0) -> Halt | None:
    """The last observation's answer, under a deadline of ten seconds."""

    async def observe_all() -> Halt | None:
        gate, halt = ReachGate(max_tries=max_tries, deadline_s=10.0, clock=VirtualClock()), None
        await gate.admit()
        for seen in attempts:
            await asyncio.sleep(every_s)
            assert gate.is_open()
            halt = gate.observe(REPORT, seen)
        return halt

    return run_virtually(observe_all())


def silence(number: int) -> Attempt:
    return attempt(Verdict.UNANSWERED, number=number, sent=0)


def test_a_service_that_never_answers_ends_the_run_once_one_report_has_spent_its_tries() -> None:
    assert reach(silence(1), silence(2), silence(1), silence(2)) is None
    halt = reach(silence(1), silence(2), silence(3))
    assert halt is not None
    assert halt.reason is HaltReason.UNREACHABLE
    assert halt.message.startswith("no answer from the service after 3 tries: cannot connect. Check the network")


@pytest.mark.parametrize(
    ("attempts", "halts"),
    [
        ([silence(1), silence(1), silence(1)], True),
        ([silence(1), silence(1)], False),
        ([silence(1)._replace(elapsed_ms=10_000)], True),
        ([silence(1), attempt(), silence(1)], False),
    ],
)
def test_a_service_silent_for_longer_than_a_deadline_ends_the_run(attempts: list[Attempt], halts: bool) -> None:
    assert (reach(*attempts, every_s=5.0) is not None) is halts


def test_one_allowed_try_is_called_one_try() -> None:
    halt = reach(silence(1), max_tries=1)
    assert halt is not None
    assert "after one try:" in halt.message


@pytest.mark.parametrize("verdict", [verdict for verdict in Verdict if verdict is not Verdict.UNANSWERED])
def test_any_answer_proves_that_the_service_can_be_reached(verdict: Verdict) -> None:
    assert reach(silence(1), attempt(verdict), silence(2), silence(3), silence(3)) is None
