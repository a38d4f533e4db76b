"""Who watches how reports end, and what his halt does to a run."""

from __future__ import annotations

import random

import pytest

from bulkpause.auth import TokenGate
from bulkpause.guards import Guard
from bulkpause.models import Halt, HaltReason, Notice, Outcome, Reject, Reply, ReportId, Status, Verdict, Wire
from bulkpause.ports import FakeApi, FakeFeed, FakeRecord
from bulkpause.settings import GuardList, Settings
from bulkpause.watch import Watch
from tests.auth.fakes import Desk
from tests.engine.scenario import Turnstile, by_row, engine, entry
from tests.virtual_time import VirtualClock, run_virtually

DENIED = Reply(Verdict.FORBIDDEN, 403, 403, message="Forbidden")
CONFIRMED = Reply(Verdict.CONFIRMED, 200, 200)


def a_watch(*guards: Guard) -> Watch:
    return Watch(guards, now=VirtualClock().now, rng=random.Random(1), clean=str)  # noqa: S311


def answering(replies: dict[int, Reply], otherwise: Reply, *, after_s: float = 0.25) -> FakeApi:
    """A service that answers after a while, by the number of the row."""

    async def answer(report_id: ReportId, number: int, wire: Wire) -> Reply:
        wire.sent += 1
        await VirtualClock().sleep(after_s)
        return replies.get(int(report_id[-12:]), otherwise)

    return FakeApi(answer)


def test_it_is_told_of_every_report_that_was_in_a_workers_hands_and_of_no_other() -> None:
    told: list[Outcome] = []
    feed = FakeFeed([entry(1), Reject(2, "?", "no id"), entry(3), entry(4)])

    def look_on(outcome: Outcome) -> None:
        told.append(outcome)

    known = {entry(3).report_id: "Paused"}
    run_virtually(engine(answering({}, CONFIRMED)).run(feed, before=known.get, watch=look_on))
    assert by_row(told) == {1: Status.SUCCEEDED, 4: Status.SUCCEEDED}


def test_its_halt_lets_land_what_flies_and_skips_the_rest() -> None:
    record = FakeRecord()
    halt = Halt(HaltReason.GUARD, "enough", ("why", "what"))
    api = answering({}, CONFIRMED)
    run = engine(api, Turnstile(every_s=0.1), record=record, concurrency=4)
    feed = FakeFeed([entry(row) for row in range(1, 10)])
    run_virtually(run.run(feed, watch=lambda outcome: halt if outcome.row == 2 else None))
    # The second answer comes at 0.45 s, when the third and the fourth are under way.
    assert by_row(record.outcomes) == {row: Status.SUCCEEDED if row <= 4 else Status.SKIPPED for row in range(1, 10)}
    assert run.halted == halt
    assert record.notices == [Notice("halted", {"reason": "guard", "message": "enough", "causes": ["why", "what"]})]


@pytest.mark.parametrize("concurrency", [8, 32])
def test_a_start_that_is_denied_everything_halts_with_the_fourth_answer(concurrency: int) -> None:
    record, api = FakeRecord(), answering({}, DENIED)
    run = engine(api, Turnstile(every_s=0.2), record=record, concurrency=concurrency)
    feed = FakeFeed([entry(row) for row in range(1, 500)])
    run_virtually(run.run(feed, watch=a_watch(*Settings().halt.when).observe))
    assert run.halted is not None
    assert run.halted.message.startswith("4 of the first 4 ended denied, more than the 3 that the guard")
    assert len(api.calls) == 5  # at 5/s the fifth leaves at 1.0 s, the fourth answer comes at 1.05 s


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_start_whose_fresh_tokens_are_refused_as_well_halts_within_ten_requests(concurrency: int) -> None:
    async def main() -> tuple[int, Halt | None]:
        tokens = Desk().tokens

        async def refuse(report_id: ReportId, number: int, wire: Wire) -> Reply:
            used = await tokens.token()
            wire.sent += 1
            await VirtualClock().sleep(0.25)
            tokens.reject(used)
            return Reply(Verdict.UNAUTHORISED, 401, 401)

        api = FakeApi(refuse)
        run = engine(api, TokenGate(tokens), Turnstile(every_s=0.01), concurrency=concurrency)
        feed = FakeFeed([entry(row) for row in range(1, 500)])
        await run.run(feed, watch=a_watch(*Settings().halt.when).observe)
        return len(api.calls), run.halted

    sent, halt = run_virtually(main())
    assert halt is not None
    assert halt.reason is HaltReason.NOT_AUTHORISED
    assert sent <= 10


@pytest.mark.parametrize(
    "denied",
    [
        pytest.param({1, 2, 3}, id="the first three"),
        pytest.param({row for row in range(1, 500) if row % 3}, id="two of three"),
        pytest.param(set(range(100, 199)), id="ninety-nine in a row"),
    ],
)
def test_the_default_guards_let_a_run_go_on_that_is_denied_some(denied: set[int]) -> None:
    record = FakeRecord()
    run = engine(answering(dict.fromkeys(denied, DENIED), CONFIRMED), record=record, concurrency=1)
    feed = FakeFeed([entry(row) for row in range(1, 400)])
    run_virtually(run.run(feed, watch=a_watch(*Settings().halt.when).observe))
    assert run.halted is None
    assert len(record.outcomes) == 399


def test_the_default_guards_halt_a_run_that_is_denied_a_hundred_times_in_a_row() -> None:
    record = FakeRecord()
    run = engine(answering(dict.fromkeys(range(1, 51), CONFIRMED), DENIED), record=record, concurrency=1)
    feed = FakeFeed([entry(row) for row in range(1, 400)])
    run_virtually(run.run(feed, watch=a_watch(*Settings().halt.when).observe))
    assert by_row(record.outcomes)[150] is Status.DENIED
    assert by_row(record.outcomes)[151] is Status.SKIPPED


def test_what_lands_after_the_halt_is_not_why_it_halted() -> None:
    run = engine(answering({}, DENIED), record=FakeRecord(), concurrency=4)
    watch = a_watch(*GuardList.parse("403>1, 403>2"))
    run_virtually(run.run(FakeFeed([entry(row) for row in range(1, 10)]), watch=watch.observe))
    assert run.halted is not None
    assert run.halted.message.startswith("2 ended with 403, more than the 1 that the guard '403>1' allows. ")
