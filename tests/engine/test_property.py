"""Whatever happens at whatever moment, every row has one outcome and nothing leaves unrecorded."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from bulkpause.engine import Engine
from bulkpause.errors import AuditError, AuthError
from bulkpause.models import UNLISTED, Entry, Outcome, Reject, ReportId, Status, Verdict
from tests.engine.scenario import Answer, Bug, Feed, FeedEnd, Ledger, Service, Turnstile, engine, entry
from tests.virtual_time import run_virtually

MOMENTS = st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 3.3, 7.0])
DELAYS = st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0, 40.0])

answers = st.builds(
    Answer,
    verdict=st.sampled_from(Verdict) | st.just(Verdict.CONFIRMED),
    connect_s=DELAYS,
    reply_s=DELAYS,
    sent=st.sampled_from([1, 1, 1, 2]),
    retry_after_s=st.none() | DELAYS,
) | st.builds(Answer, verdict=st.just(Verdict.UNANSWERED), sent=st.sampled_from([0, 1]), reply_s=DELAYS)
crashes = st.builds(
    Answer,
    verdict=st.none(),
    raises=st.sampled_from([Bug, AuthError, TimeoutError]),
    sent=st.sampled_from([0, 1]),
    reply_s=DELAYS,
)


@dataclass
class Run:
    """What one scenario left behind."""

    engine: Engine
    before: dict[ReportId, str]
    force: bool
    feed: Feed
    ledger: Ledger
    service: Service
    crash: BaseException | None
    ended_s: float


@st.composite
def scenarios(draw: st.DrawFn) -> Run:
    rows = [
        Reject(row, "x", "no id") if draw(st.integers(0, 4)) == 0 else entry(row)
        for row in range(1, draw(st.integers(0, 14)) + 1)
    ]
    concurrency = draw(st.integers(1, 4))
    script = draw(st.lists(answers, min_size=1, max_size=8))
    if draw(st.integers(0, 3)) == 0:
        script.append(draw(crashes))
    feed_end: FeedEnd = draw(st.sampled_from(["eof", "eof", "eof", "source_error", "bug", "silence"]))
    actions = draw(st.lists(st.tuples(MOMENTS, st.sampled_from(["stop", "cancel", "kill"])), max_size=3))
    if feed_end == "silence":
        actions.append((300.0, "stop"))
    fails_at = draw(st.none() | st.none() | st.integers(1, 30))
    turnstile = Turnstile(every_s=draw(DELAYS))
    if draw(st.booleans()):
        setattr(turnstile, draw(st.sampled_from(["auth_error_at", "halt_at", "bug_at"])), draw(st.integers(1, 12)))
    sync_s, pause_s = draw(DELAYS), draw(DELAYS)
    batch_size, lookahead, is_stopped = draw(st.integers(1, 6)), draw(st.integers(1, 3)), draw(st.integers(0, 15)) == 0
    known = st.sampled_from([None, None, "Paused", "Active", "Inactive", UNLISTED])
    shown = {row.report_id: draw(known) for row in rows if isinstance(row, Entry)}
    before, force = {one: status for one, status in shown.items() if status is not None}, draw(st.integers(0, 4)) == 0

    async def main() -> Run:
        ledger = Ledger(concurrency=concurrency, sync_s=sync_s, fails_at=fails_at)
        service = Service(script, ledger)
        feed = Feed(rows, batch_size=batch_size, pause_s=pause_s, end=feed_end)
        run = engine(service, turnstile, record=ledger, concurrency=concurrency, lookahead=lookahead, force=force)
        service.watched = run
        if is_stopped:
            run.stop()
        loop = asyncio.get_running_loop()
        task = loop.create_task(run.run(feed, before=before.get))
        acts: dict[str, Callable[[], object]] = {"stop": run.stop, "cancel": run.cancel, "kill": task.cancel}
        for moment_s, action in actions:
            loop.call_later(moment_s, acts[action])
        await asyncio.wait([task])
        crash = asyncio.CancelledError() if task.cancelled() else task.exception()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert run.in_flight == 0
        assert run._drain_timer is None or run._drain_timer.cancelled()
        return Run(run, before, force, feed, ledger, service, crash, loop.time())

    return run_virtually(main())


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios())
def test_every_row_ends_once_and_nothing_leaves_unrecorded(run: Run) -> None:
    outcomes = run.ledger.outcomes
    assert Counter(outcome.row for outcome in outcomes) == Counter(row.row for row in run.feed.given)
    if run.crash is None:
        assert run.feed.given == run.feed.rows
    assert run.service.most_flying <= run.ledger.concurrency
    for outcome, row in zip(sorted(outcomes, key=lambda o: o.row), run.feed.given, strict=True):
        _check_against_truth(outcome, row, run)
    _check_the_end(run)
    event(f"ended by {type(run.crash).__name__ if run.crash else run.engine.halted and run.engine.halted.reason}")


def _check_against_truth(outcome: Outcome, row: Entry | Reject, run: Run) -> None:
    service = run.service
    if isinstance(row, Reject):
        assert (outcome.status, outcome.message, outcome.tries) == (Status.INVALID, "no id: x", 0)
        return
    assert outcome.report_id == row.report_id
    assert outcome.sent == service.left[row.report_id]
    before = run.before.get(row.report_id)
    assert outcome.before == before or outcome.status is Status.SKIPPED
    if outcome.status is Status.UNCHANGED:
        assert (before, run.force, outcome.tries) == ("Paused", False, 0)
        assert row.report_id not in run.ledger.durable_intents
        return
    assert before != "Paused" or run.force or outcome.status is Status.SKIPPED
    if outcome.sent == 0:
        assert outcome.status is Status.SKIPPED
    elif service.last[row.report_id] is None:
        assert outcome.status is Status.UNKNOWN
    else:
        assert (outcome.status is Status.SUCCEEDED) == (service.last[row.report_id] is Verdict.CONFIRMED)
        assert outcome.status is not Status.SKIPPED
    assert (outcome.tries > 0) >= (outcome.sent > 0)


def _check_the_end(run: Run) -> None:
    stopped_s = run.feed.stopped_at_s
    if stopped_s is not None and run.feed.end != "silence":
        assert run.ended_s <= stopped_s + 30.0 + 1e-6, "the drain was too long"
    match run.crash:
        case None:
            assert not run.ledger.failed
            assert run.engine.stopping == (stopped_s is not None)
        case asyncio.CancelledError():
            pass
        case BaseExceptionGroup():
            wanted = (AuditError,) if run.ledger.failed else (Bug, TimeoutError)
            assert run.crash.split((AuditError, Bug, TimeoutError))[1] is None
            assert run.crash.subgroup(wanted) is not None or run.crash.subgroup((Bug, TimeoutError)) is not None
        case _:
            pytest.fail(f"a bare {run.crash!r}")
