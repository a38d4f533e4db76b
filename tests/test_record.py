"""What the engine's record makes of outcomes, retries and notices."""

from __future__ import annotations

import pytest

from bulkpause.errors import AuditError
from bulkpause.models import Attempt, Entry, Notice, Outcome, Reply, ReportId, Status, Verdict
from tests.recording import Recording

ID = ReportId("0b5c2c1e-7a31-4d0e-9c54-5f2d1f6b8a90")
FAILED = Attempt(2, "request", "correlation", 1, 12.346, Reply(Verdict.THROTTLED, 429, 429, message="slow down"))


@pytest.fixture
def recording() -> Recording:
    return Recording()


async def test_an_intent_is_on_the_disk_when_it_returns(recording: Recording) -> None:
    await recording.record.intent(Entry(ID, 2), 1, request_id="r", correlation_id="c", before="Active")
    fields = {"report_id": ID, "row": 2, "attempt": 1, "request_id": "r", "correlation_id": "c", "before": "Active"}
    assert recording.audit.lines == [("attempt_started", fields)]
    assert recording.audit.durable_up_to == 1


async def test_an_intent_that_cannot_be_written_raises(recording: Recording) -> None:
    recording.audit.broken = True
    with pytest.raises(AuditError):
        await recording.record.intent(Entry(ID, 2), 1, request_id="r", correlation_id="c", before="Active")


def test_a_retried_attempt_is_written_counted_and_said(recording: Recording) -> None:
    recording.record.retried(Entry(ID, 2), FAILED, delay_s=0.25)
    ((event, fields),) = recording.audit.lines
    assert event == "retry_scheduled"
    assert fields == {
        "report_id": ID,
        "attempt": 2,
        "verdict": "throttled",
        "status_code": 429,
        "http_status": 429,
        "message": "slow down",
        "error": None,
        "sent": 1,
        "elapsed_ms": 12.346,
        "retry_in_ms": 250,
    }
    assert recording.summary.throttled == 1
    assert recording.log.said == [("info", "attempt.failed", dict(fields))]


@pytest.mark.parametrize(("status", "level"), [(Status.SUCCEEDED, "debug"), (Status.DENIED, "info")])
def test_an_outcome_is_written_counted_and_said_louder_if_it_is_bad(
    recording: Recording, status: Status, level: str
) -> None:
    recording.record.outcome(Outcome(status, row=7, report_id=ID, status_code=200, tries=2, sent=3, elapsed_ms=1.235))
    ((event, fields),) = recording.audit.lines
    assert event == "outcome"
    assert (fields["operation"], fields["status"], fields["row"]) == ("pause", status.value, 7)
    assert (fields["tries"], fields["sent"], fields["elapsed_ms"], fields["attempt_ms"]) == (2, 3, 1.235, None)
    assert recording.summary.by_status == {status: 1}
    assert recording.log.said == [(level, "report.ended", dict(fields))]


def test_an_outcome_that_the_ledger_refuses_is_counted_all_the_same(recording: Recording) -> None:
    recording.audit.broken = True
    with pytest.raises(AuditError):
        recording.record.outcome(Outcome(Status.UNKNOWN, row=7, report_id=ID))
    assert recording.summary.by_status == {Status.UNKNOWN: 1}


@pytest.mark.parametrize(("event", "level"), [("hold", "warning"), ("halted", "warning"), ("token_refreshed", "info")])
def test_a_notice_is_written_counted_and_said_as_loud_as_it_matters(
    recording: Recording, event: str, level: str
) -> None:
    recording.record.notice(Notice(event, {"hold_s": 2.0}))
    assert recording.audit.lines == [(event, {"hold_s": 2.0})]
    assert recording.summary.holds + recording.summary.token_refreshes == (event != "halted")
    assert recording.log.said == [(level, f"run.{event}", {"hold_s": 2.0})]


def test_the_certificate_is_written_counted_and_said(recording: Recording) -> None:
    for at_s in (7.0, 7.5, 9.0):
        recording.record.departed(at_s)
    recording.record.certify(rate_per_s=5.0)
    certificate = {"requests": 3, "fullest_1_s": 2, "fullest_10_s": 3, "fullest_60_s": 3}
    assert recording.audit.lines == [("rate_certified", {**certificate, "rate_limit_per_s": 5.0, "exceeded": False})]
    assert recording.summary.certificate.requests == 3
    assert recording.log.said[0][:2] == ("info", "run.rate_certified")


def test_a_certificate_that_the_ledger_refuses_is_not_counted(recording: Recording) -> None:
    recording.audit.broken = True
    with pytest.raises(AuditError):
        recording.record.certify(rate_per_s=5.0)
    assert recording.summary.to_dict()["rate_windows"] is None


def test_words_of_the_far_side_lose_their_secrets_before_anything_keeps_them(recording: Recording) -> None:
    reply = Reply(Verdict.FAULT, 500, 500, message="echo: planted", error="Bearer abc")
    recording.record.retried(Entry(ID, 2), FAILED._replace(reply=reply), delay_s=0.0)
    recording.record.outcome(Outcome(Status.REJECTED, row=2, report_id=ID, message="planted", error="sig=abc"))
    recording.record.notice(Notice("token_renewal_failed", {"error": "command said planted", "retry_in_s": 5.0}))
    kept = repr((recording.audit.lines, recording.summary.to_dict(), recording.log.said))
    assert "****" in kept
    assert [secret for secret in ("planted", "abc") if secret in kept] == []


async def test_a_lost_line_is_told_on_every_check(recording: Recording) -> None:
    recording.record.check()
    await recording.record.durable()
    recording.audit.broken = True
    with pytest.raises(AuditError):
        recording.record.check()
    with pytest.raises(AuditError):
        await recording.record.durable()


def test_a_row_that_was_not_reached_again_keeps_its_outcome_and_costs_no_line(recording: Recording) -> None:
    recording.record.outcome(Outcome(Status.DENIED, row=2, report_id=ID, status_code=403, tries=1, sent=1))
    recording.record.outcome(Outcome(Status.SKIPPED, row=2, report_id=ID))
    assert [fields["status"] for _, fields in recording.audit.lines] == ["denied"]
    assert (recording.summary.by_status, recording.record.ended) == ({Status.DENIED: 1}, 1)


@pytest.mark.parametrize(("status", "code"), [(Status.UNKNOWN, None), (Status.DENIED, 403)])
def test_a_row_for_which_nothing_left_this_time_is_as_it_was_before(
    recording: Recording, status: Status, code: int | None
) -> None:
    recording.record.outcome(Outcome(status, row=2, report_id=ID, status_code=code, tries=1, sent=1, interrupted=True))
    recording.record.outcome(Outcome(Status.SKIPPED, row=2, report_id=ID, error="cannot connect", tries=3))
    _, fields = recording.audit.lines[-1]
    assert (fields["status"], fields["status_code"], fields["error"]) == (status.value, code, "cannot connect")
    assert (fields["tries"], fields["sent"], fields["interrupted"]) == (3, 0, True)
    assert (recording.summary.by_status, recording.summary.attempts) == ({status: 1}, 4)


def test_a_doubt_that_a_look_has_settled_is_written_counted_and_said(recording: Recording) -> None:
    recording.record.outcome(Outcome(Status.UNKNOWN, row=2, report_id=ID, tries=1, sent=1))
    recording.record.resolved(Outcome(Status.SUCCEEDED, row=2, report_id=ID, tries=1, sent=1))
    assert [event for event, _ in recording.audit.lines] == ["outcome", "resolved"]
    assert (recording.summary.by_status, recording.summary.sent) == ({Status.SUCCEEDED: 1}, 1)
    assert recording.log.said[-1][:2] == ("info", "report.resolved")


def test_a_settled_doubt_that_the_ledger_refuses_is_counted_all_the_same(recording: Recording) -> None:
    recording.audit.broken = True
    with pytest.raises(AuditError):
        recording.record.resolved(Outcome(Status.SUCCEEDED, row=2, report_id=ID))
    assert recording.summary.by_status == {Status.SUCCEEDED: 1}
