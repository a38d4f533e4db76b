"""Stop, cancel, halt and crash: what ends at once, what may land, and what is said of the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from bulkpause.engine import Engine
from bulkpause.errors import AuditError, AuthError
from bulkpause.models import HaltReason, Outcome, Reject, Status, Verdict
from bulkpause.ports import FakeFeed
from tests.engine.scenario import Answer, Bug, Feed, Ledger, Service, Turnstile, by_row, engine, entry
from tests.virtual_time import run_virtually

QUICK = Answer(reply_s=0.1)
SLOW = Answer(reply_s=100.0)
NEVER_LEAVES = Answer(connect_s=100.0)
FAULT = Answer(Verdict.FAULT, reply_s=0.1, retry_after_s=60.0)

Ending = tuple[list[Outcome], float, Engine, Service]


def run_until_ended(
    *script: Answer,
    rows: int = 1,
    gate: Turnstile | None = None,
    sync_s: float = 0.0,
    at: dict[float, Callable[[Engine], None]] | None = None,
    feed: Callable[[], Feed] | None = None,
    concurrency: int = 2,
) -> Ending:
    """The outcomes, when the run ended, and its parts; `at` says what is done to the engine and when."""

    async def main() -> Ending:
        loop = asyncio.get_running_loop()
        ledger = Ledger(concurrency=concurrency, sync_s=sync_s)
        service = Service(script, ledger)
        run = service.watched = engine(service, gate or Turnstile(), record=ledger, concurrency=concurrency)
        for moment_s, act in (at or {}).items():
            loop.call_later(moment_s, act, run)
        await run.run(feed() if feed else FakeFeed([entry(row) for row in range(1, rows + 1)]))
        return ledger.outcomes, round(loop.time(), 6), run, service

    return run_virtually(main())


@pytest.mark.parametrize(
    ("script", "gate", "sync_s", "status"),
    [
        pytest.param(QUICK, Turnstile(every_s=50.0), 0.0, Status.SKIPPED, id="at a gate"),
        pytest.param(QUICK, None, 50.0, Status.SKIPPED, id="for its intent"),
        pytest.param(FAULT, None, 0.0, Status.EXHAUSTED, id="in backoff"),
        pytest.param(NEVER_LEAVES, None, 0.0, Status.SKIPPED, id="for a connection or token"),
    ],
)
@pytest.mark.parametrize("act", [Engine.stop, Engine.cancel])
def test_who_waits_ends_at_once(
    script: Answer, gate: Turnstile | None, sync_s: float, status: Status, act: Callable[[Engine], None]
) -> None:
    outcomes, ended_s, _, _ = run_until_ended(script, rows=5, gate=gate, sync_s=sync_s, at={1.0: act}, concurrency=4)

    assert ended_s == 1.0
    assert by_row(outcomes)[1] is status
    assert len(outcomes) == 5


def test_a_gate_that_loses_the_cancellation_lets_nothing_out_after_a_stop() -> None:
    class Deaf(Turnstile):
        async def admit(self) -> None:
            with suppress(asyncio.CancelledError):  # as asyncio.wait_for before Python 3.12 does at times
                await asyncio.sleep(50.0)

    outcomes, ended_s, _, service = run_until_ended(QUICK, rows=5, gate=Deaf(), at={1.0: Engine.stop})

    assert (ended_s, service.calls) == (1.0, 0)
    assert set(by_row(outcomes).values()) == {Status.SKIPPED}


def test_what_becomes_ready_to_leave_in_the_moment_of_the_stop_does_not_leave() -> None:
    a_moment_later_s = 1.0 + 1e-10  # in the same pass of the loop, behind the connection
    outcomes, _, _, _ = run_until_ended(Answer(connect_s=1.0), at={a_moment_later_s: Engine.stop})

    assert (outcomes[0].status, outcomes[0].sent) == (Status.SKIPPED, 0)


def test_what_has_left_lands_after_a_stop() -> None:
    outcomes, ended_s, _, _ = run_until_ended(Answer(reply_s=20.0), rows=4, at={1.0: Engine.stop})

    assert by_row(outcomes) == {
        1: Status.SUCCEEDED,
        2: Status.SUCCEEDED,
        3: Status.SKIPPED,
        4: Status.SKIPPED,
    }
    assert ended_s == 20.0


def test_a_fault_that_lands_after_a_stop_is_not_retried() -> None:
    outcomes, ended_s, _, service = run_until_ended(Answer(Verdict.FAULT, reply_s=20.0), at={1.0: Engine.stop})

    assert (by_row(outcomes), ended_s, service.calls) == ({1: Status.EXHAUSTED}, 20.0, 1)
    assert outcomes[0].attempt_ms == pytest.approx(20_000.0)  # not recorded as retried, so it is news


def test_the_drain_ends_at_its_limit() -> None:
    outcomes, ended_s, _, _ = run_until_ended(SLOW, rows=3, at={1.0: Engine.stop})

    assert ended_s == 31.0
    assert by_row(outcomes) == {1: Status.UNKNOWN, 2: Status.UNKNOWN, 3: Status.SKIPPED}


def test_a_cancelled_attempt_that_left_is_unknown() -> None:
    outcomes, ended_s, _, _ = run_until_ended(SLOW, at={1.0: Engine.stop, 2.0: Engine.cancel})

    (outcome,) = outcomes
    assert ended_s == 2.0
    assert (outcome.status, outcome.tries, outcome.sent) == (Status.UNKNOWN, 1, 1)
    assert (outcome.error, outcome.attempt_ms) == ("abandoned in flight", None)
    assert outcome.elapsed_ms == pytest.approx(2000.0)
    assert outcome.request_id != outcome.correlation_id


def test_an_id_that_was_answered_before_keeps_that_answer_if_its_retry_never_left() -> None:
    fault = Answer(Verdict.FAULT, reply_s=0.1)
    outcomes, ended_s, _, _ = run_until_ended(fault, NEVER_LEAVES, at={50.0: Engine.cancel})

    (outcome,) = outcomes
    assert (outcome.status, outcome.tries, outcome.sent, outcome.status_code) == (Status.EXHAUSTED, 1, 1, 200)
    assert outcome.attempt_ms is None  # told when it was retried
    assert outcome.elapsed_ms == pytest.approx(100.0)  # the wait after the reply is not in it
    assert ended_s == 50.0


def test_stop_and_cancel_in_one_breath_abandon_all() -> None:
    def both(run: Engine) -> None:
        run.stop()
        run.cancel()
        run.stop()

    outcomes, ended_s, _, _ = run_until_ended(SLOW, NEVER_LEAVES, rows=9, at={1.0: both})

    assert (ended_s, len(outcomes)) == (1.0, 9)


def test_a_run_stopped_before_it_began_sends_nothing() -> None:
    async def main() -> tuple[list[Outcome], int]:
        ledger = Ledger()
        service = Service([QUICK], ledger)
        run = engine(service, record=ledger)
        run.stop()
        await run.run(Feed([entry(1), Reject(2, "x", "no id")], end="silence"))
        return ledger.outcomes, service.calls

    outcomes, calls = run_virtually(main())
    assert by_row(outcomes) == {1: Status.SKIPPED, 2: Status.INVALID}
    assert calls == 0


def test_a_source_that_never_ends_is_ended_by_a_stop() -> None:
    outcomes, ended_s, _, _ = run_until_ended(
        QUICK, feed=lambda: Feed([entry(1)], end="silence"), at={500.0: Engine.stop}
    )

    assert by_row(outcomes) == {1: Status.SUCCEEDED}
    assert ended_s == 500.0


@pytest.mark.parametrize(
    ("script", "gate"),
    [
        pytest.param((Answer(reply_s=4.0), Answer(None, AuthError, sent=0)), Turnstile(every_s=1.0), id="from send"),
        pytest.param((Answer(reply_s=4.0),), Turnstile(every_s=1.0, auth_error_at=2), id="from a gate"),
    ],
)
def test_no_token_halts_the_run_after_a_drain(script: tuple[Answer, ...], gate: Turnstile) -> None:
    outcomes, ended_s, run, _ = run_until_ended(*script, rows=4, gate=gate)

    assert by_row(outcomes) == {1: Status.SUCCEEDED, 2: Status.SKIPPED, 3: Status.SKIPPED, 4: Status.SKIPPED}
    assert ended_s == 5.0
    assert run.halted is not None
    assert run.halted.reason is HaltReason.NOT_AUTHORISED


def test_a_gates_halt_is_recorded_and_the_first_reason_counts() -> None:
    outcomes, _, run, _ = run_until_ended(
        QUICK, Answer(None, AuthError, reply_s=1.0), rows=3, gate=Turnstile(halt_at=1)
    )

    assert by_row(outcomes) == {1: Status.SUCCEEDED, 2: Status.UNKNOWN, 3: Status.SKIPPED}
    assert run.halted is not None
    assert (run.halted.reason, run.halted.message) == (HaltReason.THROTTLED_OUT, "later")
    assert [notice.event for notice in run._record.notices] == ["halted"]  # type: ignore[attr-defined]


def test_a_halt_during_a_drain_is_not_why_the_run_ended() -> None:
    _, _, run, _ = run_until_ended(Answer(reply_s=5.0), gate=Turnstile(halt_at=1), at={1.0: Engine.stop})

    assert run.halted is None


def test_an_unusable_source_halts_after_what_it_gave() -> None:
    feed = partial(Feed, [entry(1), entry(2), entry(3)], pause_s=1.0, end="source_error")
    outcomes, _, run, _ = run_until_ended(Answer(reply_s=5.0), feed=feed)

    assert by_row(outcomes) == {1: Status.SUCCEEDED, 2: Status.SUCCEEDED, 3: Status.SKIPPED}
    assert run.halted is not None
    assert (run.halted.reason, run.halted.message) == (HaltReason.SOURCE_FAILED, "line 7: an unclosed quote")


def test_a_cancelled_run_records_every_outcome_and_stays_cancelled() -> None:
    async def main() -> tuple[list[Outcome], bool]:
        ledger = Ledger(concurrency=2)
        service = Service([SLOW], ledger)
        run = service.watched = engine(service, record=ledger)
        feed = Feed([entry(row) for row in range(1, 31)], batch_size=30)
        task = asyncio.create_task(run.run(feed))
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return ledger.outcomes, feed.stopped_at_s == pytest.approx(1.0)

    outcomes, feed_was_stopped = run_virtually(main())
    assert by_row(outcomes) == {row: Status.UNKNOWN if row <= 2 else Status.SKIPPED for row in range(1, 31)}
    assert feed_was_stopped


@pytest.mark.parametrize("bug", [Bug, TimeoutError])
def test_a_bug_is_raised_and_nothing_leaves_after_it(bug: type[Exception]) -> None:
    async def main() -> tuple[dict[int, Status], Service]:
        ledger = Ledger(concurrency=3)
        service = Service([SLOW, NEVER_LEAVES, Answer(None, bug, reply_s=1.0)], ledger)
        run = service.watched = engine(service, record=ledger, concurrency=3)
        with pytest.raises(ExceptionGroup) as caught:
            await run.run(Feed([entry(row) for row in range(1, 20)], batch_size=19))
        assert [type(error) for error in caught.value.exceptions] == [bug]
        return by_row(ledger.outcomes), service

    statuses, service = run_virtually(main())
    assert service.calls == 3
    assert [statuses[row] for row in (1, 2, 3)] == [Status.UNKNOWN, Status.SKIPPED, Status.UNKNOWN]
    assert len(statuses) == 19


def test_a_crash_behind_a_confirmation_does_not_take_it_back() -> None:
    async def main() -> list[Outcome]:
        ledger = Ledger(concurrency=2)
        service = Service([QUICK], ledger)
        run = service.watched = engine(service, Turnstile(bug_at=1), record=ledger)
        with pytest.raises(ExceptionGroup):
            await run.run(FakeFeed([entry(1)]))
        return ledger.outcomes

    assert by_row(run_virtually(main())) == {1: Status.SUCCEEDED}


@pytest.mark.parametrize("fails_at", range(1, 9))
def test_a_record_that_fails_lets_nothing_more_leave_and_still_hears_every_outcome(fails_at: int) -> None:
    async def main() -> tuple[list[Outcome], Service]:
        ledger = Ledger(concurrency=2, fails_at=fails_at)
        service = Service([QUICK], ledger)
        run = service.watched = engine(service, record=ledger)
        with pytest.raises(ExceptionGroup) as caught:
            await run.run(Feed([Reject(1, "x", "no id"), *(entry(row) for row in range(2, 9))], batch_size=8))
        assert caught.value.subgroup(AuditError) is not None
        return ledger.outcomes, service

    outcomes, service = run_virtually(main())
    assert sorted(by_row(outcomes)) == list(range(1, 9))
    assert sum(outcome.sent for outcome in outcomes) == service.left.total()


def test_a_failed_write_that_nobody_waited_for_is_found_before_the_next_send() -> None:
    class FailsSilently(Ledger):
        def check(self) -> None:
            raise AuditError("disk full")

    async def main() -> Service:
        ledger = FailsSilently()
        service = Service([QUICK], ledger)
        with pytest.raises(ExceptionGroup):
            await engine(service, record=ledger).run(FakeFeed([entry(1)]))
        return service

    assert run_virtually(main()).calls == 0
