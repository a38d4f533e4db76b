"""What ledger lines say of attempts and outcomes, both ways: values to fields when written, back when read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bulkpause.models import Attempt, Entry, Operation, Outcome, Reply, Status, Verdict

_STATUSES: Final = {status.value: status for status in Status}
_VERDICTS: Final = {verdict.value: verdict for verdict in Verdict}

Fields = Mapping[str, Any]


def intent_fields(
    entry: Entry, number: int, *, request_id: str, correlation_id: str, before: str | None
) -> dict[str, Any]:
    """The fields of `attempt_started`."""
    return {
        "report_id": entry.report_id,
        "row": entry.row,
        "attempt": number,
        "request_id": request_id,
        "correlation_id": correlation_id,
        "before": before,
    }


def retry_fields(entry: Entry, attempt: Attempt, *, delay_s: float) -> dict[str, Any]:
    """The fields of `retry_scheduled`."""
    reply = attempt.reply
    return {
        "report_id": entry.report_id,
        "attempt": attempt.number,
        "verdict": reply.verdict.value,
        "status_code": reply.status_code,
        "http_status": reply.http_status,
        "message": reply.message,
        "error": reply.error,
        "sent": attempt.sent,
        "elapsed_ms": attempt.elapsed_ms,
        "retry_in_ms": round(delay_s * 1000),
    }


def to_attempt(fields: Fields, *, request_id: str, correlation_id: str) -> Attempt:
    """The attempt that a `retry_scheduled` line is about. Raises KeyError or TypeError for what is none."""
    reply = Reply(
        _VERDICTS[fields["verdict"]],
        fields["http_status"],
        fields["status_code"],
        message=fields["message"],
        error=fields["error"],
    )
    return Attempt(fields["attempt"], request_id, correlation_id, fields["sent"], fields["elapsed_ms"], reply)


def outcome_fields(outcome: Outcome, *, operation: Operation) -> dict[str, Any]:
    """The fields of `outcome` and of `resolved`."""
    return {
        "report_id": outcome.report_id,
        "operation": operation.value,
        "status": outcome.status.value,
        "status_code": outcome.status_code,
        "http_status": outcome.http_status,
        "report_status": outcome.report_status,
        "message": outcome.message,
        "tries": outcome.tries,
        "sent": outcome.sent,
        "error": outcome.error,
        "elapsed_ms": outcome.elapsed_ms,
        "attempt_ms": outcome.attempt_ms,
        "request_id": outcome.request_id,
        "correlation_id": outcome.correlation_id,
        "row": outcome.row,
        "before": outcome.before,
        "modified_time": outcome.modified_time,
        "interrupted": outcome.interrupted,
    }


def to_outcome(fields: Fields) -> Outcome:
    """The outcome that an `outcome` or `resolved` line holds. Raises KeyError or TypeError for what is none."""
    row = fields["row"]
    if not isinstance(row, int) or row < 1:
        raise TypeError(f"row {row!r}")
    return Outcome(
        _STATUSES[fields["status"]],
        row,
        fields["report_id"],
        fields["status_code"],
        fields["http_status"],
        fields["report_status"],
        fields["message"],
        fields["error"],
        fields["tries"],
        fields["sent"],
        fields["elapsed_ms"],
        fields["attempt_ms"],
        fields["request_id"],
        fields["correlation_id"],
        fields.get("before"),
        fields.get("modified_time"),
        fields.get("interrupted", False),
    )
