"""What is known of the reports from before the run: it spares requests, and is in every outcome."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bulkpause.engine import Engine
from bulkpause.models import UNLISTED, Outcome, Reply, ReportId, Status, Verdict, Wire
from bulkpause.ports import FakeApi, FakeFeed, FakeRecord
from bulkpause.retry import RetryPolicy
from tests.engine.scenario import by_row, engine, entry
from tests.virtual_time import run_virtually


def outcomes_of(before: dict[int, str], *, force: bool = False) -> tuple[list[Outcome], FakeApi, FakeRecord]:
    """A run that pauses three reports, of which some are known."""
    api, record = FakeApi(), FakeRecord()
    known = {entry(row).report_id: status for row, status in before.items()}
    feed = FakeFeed([entry(row) for row in (1, 2, 3)])
    run_virtually(engine(api, record=record, force=force).run(feed, before=known.get))
    return sorted(record.outcomes, key=lambda outcome: outcome.row), api, record


def test_a_report_in_the_wanted_state_ends_unchanged_without_an_intent_or_a_request() -> None:
    outcomes, api, record = outcomes_of({2: "Paused"})
    assert outcomes[1] == Outcome(
        Status.UNCHANGED, row=2, report_id=entry(2).report_id, report_status="Paused", before="Paused"
    )
    assert {call[0] for call in api.calls} == {entry(1).report_id, entry(3).report_id}
    assert {report_id for report_id, _ in record.intents} == {entry(1).report_id, entry(3).report_id}


@pytest.mark.parametrize("before", ["Active", "Inactive", UNLISTED, "paused"])
def test_a_report_in_any_other_state_is_sent_and_its_outcome_says_what_it_was(before: str) -> None:
    outcomes, api, _ = outcomes_of({1: before})
    assert len(api.calls) == 3
    assert [outcome.before for outcome in outcomes] == [before, None, None]
    assert by_row(outcomes) == dict.fromkeys((1, 2, 3), Status.SUCCEEDED)


def test_force_sends_what_is_in_the_wanted_state_already() -> None:
    outcomes, api, _ = outcomes_of({1: "Paused"}, force=True)
    assert len(api.calls) == 3
    assert (outcomes[0].status, outcomes[0].before) == (Status.SUCCEEDED, "Paused")


def test_the_intent_says_what_the_report_was() -> None:
    seen: list[str | None] = []

    class Watching(FakeRecord):
        async def intent(self, *_: object, before: str | None, **__: object) -> None:
            seen.append(before)

    known = {entry(1).report_id: "Active"}
    run_virtually(engine(FakeApi(), record=Watching()).run(FakeFeed([entry(1), entry(2)]), before=known.get))
    assert seen == ["Active", None]


def test_what_is_known_to_be_done_ends_so_even_in_a_run_that_is_stopped() -> None:
    record = FakeRecord()

    async def main() -> None:
        run = engine(FakeApi(), record=record)
        run.stop()
        await run.run(FakeFeed([entry(1), entry(2)]), before={entry(1).report_id: "Paused"}.get)

    run_virtually(main())
    assert by_row(record.outcomes) == {1: Status.UNCHANGED, 2: Status.SKIPPED}


@pytest.mark.parametrize(
    ("act", "deadline_s", "max_tries", "interrupted"),
    [
        pytest.param(Engine.stop, 900.0, 9, True, id="stopped before the next try"),
        pytest.param(Engine.cancel, 900.0, 9, True, id="cancelled before the next try"),
        pytest.param(None, 900.0, 2, False, id="out of tries"),
        pytest.param(None, 5.0, 9, False, id="beyond its deadline"),
    ],
)
def test_an_outcome_is_interrupted_only_if_a_stop_came_before_the_rules_had_ended_it(
    act: Callable[[Engine], None] | None, deadline_s: float, max_tries: int, interrupted: bool
) -> None:
    record = FakeRecord()

    async def faulty(report_id: ReportId, number: int, wire: Wire) -> Reply:
        wire.sent += 1
        if number == 2 and act is not None:
            act(run)
        return Reply(Verdict.FAULT, 500, 500)

    policy = RetryPolicy(max_tries=max_tries, deadline_s=deadline_s, backoff_base_s=4.0, backoff_cap_s=4.0)
    run = engine(FakeApi(faulty), record=record, retry=policy)
    run_virtually(run.run(FakeFeed([entry(1)])))
    (outcome,) = record.outcomes
    assert (outcome.status, outcome.interrupted) == (Status.EXHAUSTED, interrupted)
