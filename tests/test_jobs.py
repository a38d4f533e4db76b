"""One id in a worker's hands: the one outcome that comes of what it has been through."""

from __future__ import annotations

import random
import re
import uuid

import pytest

from bulkpause.jobs import ABANDONED, Job, guid, invalid, skipped
from bulkpause.models import Attempt, Entry, Outcome, Reject, Reply, ReportId, Status, Verdict, Wire

ENTRY = Entry(ReportId("0b9c7a52-8a5e-4f9b-9c1e-3d2f1a0b4c5d"), row=7)
FAULT = Reply(Verdict.FAULT, 500, 503, report_status="Active", message="busy")
CONFIRMED = Reply(Verdict.CONFIRMED, 200, 200, "Paused", "done")
SILENCE = Reply(Verdict.UNANSWERED, error="connection closed before the reply")


def job(*replies: Reply, sent: int = 1, retried: int = 0, status: Status | None = None) -> Job:
    """Attempt n took n ms, all of them 250 ms."""
    made = Job(ENTRY)
    made.attempts = [Attempt(n, f"r{n}", f"c{n}", sent, float(n), reply) for n, reply in enumerate(replies, 1)]
    made.retried, made.status, made.elapsed_ms = retried, status, 250.0
    return made


def test_a_decided_outcome_tells_of_the_last_attempt_and_sums_the_wire() -> None:
    assert job(FAULT, CONFIRMED, sent=2, retried=1, status=Status.SUCCEEDED).outcome() == Outcome(
        Status.SUCCEEDED,
        row=7,
        report_id=ENTRY.report_id,
        status_code=200,
        http_status=200,
        report_status="Paused",
        message="done",
        tries=2,
        sent=4,
        elapsed_ms=250.0,
        attempt_ms=2.0,
        request_id="r2",
        correlation_id="c2",
    )


@pytest.mark.parametrize(
    ("replies", "sent", "status"),
    [
        ((FAULT,), 1, Status.EXHAUSTED),
        ((SILENCE,), 1, Status.UNKNOWN),
        ((FAULT, SILENCE), 1, Status.UNKNOWN),
        ((SILENCE, FAULT), 1, Status.UNKNOWN),
        ((SILENCE, SILENCE), 0, Status.SKIPPED),
        ((FAULT, ABANDONED), 1, Status.UNKNOWN),
    ],
)
def test_a_stop_before_the_rules_decide_ends_the_id_by_what_was_sent(
    replies: tuple[Reply, ...], sent: int, status: Status
) -> None:
    outcome = job(*replies, sent=sent).outcome()
    assert (outcome.status, outcome.tries, outcome.sent) == (status, len(replies), sent * len(replies))
    assert (outcome.status_code, outcome.error) == (replies[-1].status_code, replies[-1].error)


def test_an_id_stopped_before_its_first_attempt_is_skipped() -> None:
    assert job().outcome() == Outcome(Status.SKIPPED, row=7, report_id=ENTRY.report_id)


@pytest.mark.parametrize(
    ("replies", "retried", "attempt_ms"),
    [
        ((FAULT,), 0, 1.0),
        ((FAULT,), 1, None),
        ((FAULT, FAULT), 1, 2.0),
        ((FAULT, FAULT), 2, None),
        ((FAULT, ABANDONED), 1, None),
    ],
)
def test_an_attempt_that_was_recorded_as_retried_or_abandoned_is_not_measured_again(
    replies: tuple[Reply, ...], retried: int, attempt_ms: float | None
) -> None:
    assert job(*replies, retried=retried).outcome().attempt_ms == attempt_ms


@pytest.mark.parametrize(("wire", "left"), [(None, False), (Wire(), False), (Wire(1), True), (Wire(2), True)])
def test_an_id_has_left_once_its_attempt_is_on_the_wire(wire: Wire | None, *, left: bool) -> None:
    made = job()
    made.flying = wire
    assert made.has_left is left


def test_what_was_never_taken_up_is_skipped_and_what_is_no_id_invalid() -> None:
    assert skipped(ENTRY) == Outcome(Status.SKIPPED, row=7, report_id=ENTRY.report_id)
    reject = Reject(9, r"../resume\x00", "holds a NUL byte")
    assert invalid(reject) == Outcome(Status.INVALID, row=9, message=r"holds a NUL byte: ../resume\x00")


def test_guids_are_valid_random_uuids_and_repeat_under_a_seed() -> None:
    rng = random.Random(1)  # noqa: S311 - ids of requests
    made = [guid(rng) for _ in range(2000)]
    assert all(
        re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", one) for one in made
    )
    assert {(uuid.UUID(one).version, uuid.UUID(one).variant) for one in made} == {(4, uuid.RFC_4122)}
    assert len(set(made)) == len(made)
    assert guid(random.Random(1)) == made[0]  # noqa: S311 - the same
    assert {one[19] for one in made} == set("89ab")
