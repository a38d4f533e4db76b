"""The one path from row to outcome when nothing goes wrong but the service."""

from __future__ import annotations

import asyncio

import pytest

from bulkpause.models import Attempt, Halt, Outcome, Reject, Reply, ReportId, Status, Verdict, Wire
from bulkpause.ports import FakeApi, FakeFeed, FakeRecord, Gate
from bulkpause.retry import RetryPolicy
from tests.engine.scenario import Answer, Ledger, Service, Turnstile, by_row, engine, entry
from tests.virtual_time import run_virtually


class Barrier:
    """A gate that closes until `until_s` once the first `passes` attempts are in."""

    def __init__(self, *, until_s: float, passes: int = 0) -> None:
        self._until_s = until_s
        self._passes = passes

    async def admit(self) -> None:
        """Wait for the end."""
        if not self.is_open():
            await asyncio.sleep(self._until_s - asyncio.get_running_loop().time())

    def is_open(self) -> bool:
        """Whether it is over, or has not begun."""
        return self._passes > 0 or asyncio.get_running_loop().time() >= self._until_s

    def depart(self) -> None:
        """Let it go."""

    def observe(self, report_id: ReportId, attempt: Attempt) -> Halt | None:
        """Count down."""
        self._passes -= 1
        return None


def calls_of(*verdicts: Verdict, wire_sent: int = 1) -> tuple[FakeApi, FakeRecord]:
    """One report that is answered with `verdicts` in turn."""

    async def answer(report_id: ReportId, number: int, wire: Wire) -> Reply:
        wire.sent += wire_sent
        return Reply(verdicts[number - 1])

    api, record = FakeApi(answer), FakeRecord()
    policy = RetryPolicy(max_tries=9)
    run_virtually(_run(FakeFeed([entry(1)]), api, record=record, retry=policy))
    return api, record


async def _run(
    feed: FakeFeed, api: FakeApi, *gates: Gate, record: FakeRecord, retry: RetryPolicy | None = None
) -> None:
    await engine(api, *gates, record=record, retry=retry).run(feed)


def test_a_confirmed_report_succeeds_after_one_recorded_attempt() -> None:
    api, record = calls_of(Verdict.CONFIRMED)

    (call,) = api.calls
    (outcome,) = record.outcomes
    assert record.intents == [(entry(1).report_id, 1)]
    assert (outcome.report_id, outcome.row, outcome.status) == (call[0], 1, Status.SUCCEEDED)
    assert (outcome.request_id, outcome.correlation_id) == call[1:]
    assert (outcome.tries, outcome.sent) == (1, 1)


def test_a_row_without_an_id_is_invalid_and_never_sent() -> None:
    api, record = FakeApi(), FakeRecord()
    run_virtually(_run(FakeFeed([Reject(17, "../resume/x", "not a UUID")]), api, record=record))

    assert record.outcomes == [Outcome(Status.INVALID, row=17, message="not a UUID: ../resume/x")]
    assert api.calls == []


def test_the_request_id_is_kept_after_silence_and_renewed_after_any_answer() -> None:
    silence, fault, unreadable = Verdict.UNANSWERED, Verdict.FAULT, Verdict.UNREADABLE
    api, _ = calls_of(silence, silence, fault, silence, unreadable, Verdict.UNAUTHORISED, Verdict.CONFIRMED)

    request_ids = [call[1] for call in api.calls]
    first, second, third, fourth = request_ids[0], request_ids[3], request_ids[5], request_ids[6]
    assert request_ids == [first, first, first, second, second, third, fourth]
    assert len({first, second, third, fourth}) == 4


def test_the_correlation_id_is_new_for_every_attempt() -> None:
    api, _ = calls_of(Verdict.UNANSWERED, Verdict.FAULT, Verdict.UNANSWERED, Verdict.CONFIRMED)

    assert len({call[2] for call in api.calls}) == 4


def test_each_retry_is_recorded_and_numbered() -> None:
    _, record = calls_of(Verdict.FAULT, Verdict.THROTTLED, Verdict.NOT_FOUND)

    assert [number for _, number in record.intents] == [1, 2, 3]
    assert len(record.retries) == 2
    assert (record.outcomes[0].status, record.outcomes[0].tries) == (Status.NOT_FOUND, 3)


def test_silent_re_sends_are_summed_in_the_outcome() -> None:
    _, record = calls_of(Verdict.FAULT, Verdict.CONFIRMED, wire_sent=2)

    assert record.outcomes[0].sent == 4


def test_a_report_that_never_reached_the_wire_is_skipped_with_the_reason_of_its_last_try() -> None:
    async def refuse(report_id: ReportId, number: int, wire: Wire) -> Reply:
        return Reply(Verdict.UNANSWERED, error="connection refused")

    record = FakeRecord()
    run_virtually(_run(FakeFeed([entry(1)]), FakeApi(refuse), record=record))
    (outcome,) = record.outcomes
    assert (outcome.status, outcome.error, outcome.tries, outcome.sent) == (Status.SKIPPED, "connection refused", 3, 0)


def test_times_count_from_the_first_attempt_to_the_last_reply() -> None:
    async def answer(report_id: ReportId, number: int, wire: Wire) -> Reply:
        wire.sent += 1
        await asyncio.sleep(1.5)
        return Reply(Verdict.THROTTLED if number == 1 else Verdict.CONFIRMED, retry_after_s=10.0)

    record = FakeRecord()
    run_virtually(_run(FakeFeed([entry(1)]), FakeApi(answer), Turnstile(every_s=4.0), record=record))
    (outcome,) = record.outcomes
    wait_ms = record.retries[0][1] * 1000
    assert outcome.elapsed_ms == pytest.approx(1500 + wait_ms + 4000 + 1500)
    assert outcome.attempt_ms == pytest.approx(1500.0)


def test_all_workers_fly_at_once_and_no_more() -> None:
    async def main() -> Service:
        ledger = Ledger(concurrency=5)
        service = Service([Answer(reply_s=1.0)], ledger)
        run = service.watched = engine(service, record=ledger, concurrency=5)
        await run.run(FakeFeed([entry(row) for row in range(1, 21)]))
        assert asyncio.get_running_loop().time() == pytest.approx(4.0)
        return service

    assert run_virtually(main()).most_flying == 5


def test_intents_go_ahead_of_the_gates_only_as_far_as_the_lookahead() -> None:
    seen: list[int] = []

    async def main() -> None:
        record = FakeRecord()
        run = engine(FakeApi(), Turnstile(every_s=1.0), record=record, concurrency=8, lookahead=3)
        asyncio.get_running_loop().call_later(0.5, lambda: seen.append(len(record.intents)))
        await run.run(FakeFeed([entry(row) for row in range(1, 21)]))

    run_virtually(main())
    assert seen == [3]


def test_a_hold_that_begins_during_the_wait_for_a_slot_is_waited_for_and_a_new_slot_taken() -> None:
    left_s: list[float] = []

    async def answer(report_id: ReportId, number: int, wire: Wire) -> Reply:
        left_s.append(asyncio.get_running_loop().time())
        wire.sent += 1
        return Reply(Verdict.CONFIRMED)

    rate, record = Turnstile(every_s=1.0), FakeRecord()
    feed = FakeFeed([entry(1), entry(2)])
    run_virtually(_run(feed, FakeApi(answer), Barrier(until_s=10.0, passes=1), rate, record=record))

    # The second was waiting for its slot at 2 s when the hold began: it waits until 10 s, and for a slot after that.
    assert left_s == pytest.approx([1.0, 11.0])
    assert rate.calls == 3


def test_what_the_last_gate_lets_out_leaves_at_that_moment() -> None:
    left_s: list[float] = []

    async def answer(report_id: ReportId, number: int, wire: Wire) -> Reply:
        left_s.append(asyncio.get_running_loop().time())
        wire.sent += 1
        return Reply(Verdict.CONFIRMED)

    feed, record = FakeFeed([entry(row) for row in range(1, 6)]), FakeRecord()
    run_virtually(_run(feed, FakeApi(answer), Barrier(until_s=3.0), Turnstile(every_s=0.5), record=record))
    assert left_s == pytest.approx([3.5, 4.0, 4.5, 5.0, 5.5])


def test_the_deadline_counts_from_the_first_attempt() -> None:
    async def answer(report_id: ReportId, number: int, wire: Wire) -> Reply:
        wire.sent += 1
        await asyncio.sleep(50.0)
        return Reply(Verdict.FAULT, 503, 503, retry_after_s=20.0)

    api, record = FakeApi(answer), FakeRecord()
    run_virtually(_run(FakeFeed([entry(1)]), api, record=record, retry=RetryPolicy(deadline_s=60.0)))
    assert by_row(record.outcomes) == {1: Status.EXHAUSTED}
    assert len(record.intents) == 1


def test_a_wait_at_the_gates_beyond_the_deadline_ends_the_id_unsent() -> None:
    policy = RetryPolicy(max_tries=9, deadline_s=60.0, backoff_base_s=1.0)

    async def answer(report_id: ReportId, number: int, wire: Wire) -> Reply:
        wire.sent += 1
        return Reply(Verdict.FAULT, 503, 503)

    api, record = FakeApi(answer), FakeRecord()
    run_virtually(_run(FakeFeed([entry(1)]), api, Barrier(until_s=100.0, passes=1), record=record, retry=policy))
    assert by_row(record.outcomes) == {1: Status.EXHAUSTED}
    assert len(api.calls) == 1


def test_the_source_is_read_no_faster_than_it_is_recorded() -> None:
    class SlowDisk(FakeRecord):
        async def durable(self) -> None:
            await asyncio.sleep(1.0)

    async def main() -> float:
        rejects = [Reject(row, "x", "no id") for row in range(1, 4)]
        await engine(FakeApi(), record=SlowDisk()).run(FakeFeed(rejects))
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == pytest.approx(3.0)
