"""What ledger lines say of attempts and outcomes, both ways: values to fields when written, back when read. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from operator import itemgetter
from types import NoneType
from typing import Any, Final

from bulkpause.ids import ID_PATTERN
from bulkpause.models import Attempt, Entry, Halt, HaltReason, Operation, Outcome, Reply, ReportId, Status, Verdict

ID_LENGTH: Final = 36

MOST: Final = 1 << 27
"""No row and no count of a ledger is above: the totals keep a place for each row up to the highest."""

_STATUSES: Final = {status.value: status for status in Status}
_VERDICTS: Final = {verdict.value: verdict for verdict in Verdict}

_REPORT_ID: Final = re.compile(ID_PATTERN)
_NUMBERS: Final[frozenset[type]] = frozenset({int, float})
_MAYBE_NUMBER: Final[frozenset[type]] = frozenset({int, float, NoneType})
_MAYBE_WHOLE: Final[frozenset[type]] = frozenset({int, NoneType})
_MAYBE_TEXT: Final[frozenset[type]] = frozenset({str, NoneType})

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
    attempt = Attempt(
        to_count(fields["attempt"]),
        request_id,
        correlation_id,
        to_count(fields["sent"]),
        fields["elapsed_ms"],
        reply,
    )
    if not (
        {type(reply.http_status), type(reply.status_code)} <= _MAYBE_WHOLE
        and {type(reply.message), type(reply.error)} <= _MAYBE_TEXT
        and type(attempt.elapsed_ms) in _NUMBERS
    ):
        raise TypeError("no attempt")
    return attempt


def halt_fields(halt: Halt) -> dict[str, Any]:
    """The fields of `halted`."""
    return {"reason": halt.reason.value, "message": halt.message, "causes": list(halt.causes)}


def to_halt(fields: Fields) -> Halt:
    """The halt that a `halted` line is about. Raises LookupError, TypeError or ValueError for what is none."""
    causes = fields.get("causes", [])  # earlier lines have none
    if type(causes) is not list or not all(type(cause) is str for cause in causes):
        raise TypeError("no causes")
    return Halt(HaltReason(fields["reason"]), str(fields["message"]), tuple(causes))


def to_count(value: Any) -> int:
    """`value`, if it can be a count. Raises TypeError otherwise."""
    if type(value) is not int or not 0 <= value <= MOST:
        raise TypeError(f"{value!r} is no count")
    return value


def to_row(value: Any) -> int:
    """`value`, if it can be the row of a source. Raises TypeError otherwise."""
    if value == 0:
        raise TypeError("rows begin at 1")
    return to_count(value)


def to_report_id(value: Any) -> ReportId:
    """`value`, if it is a canonical report id: what a ledger says may become a request. Raises TypeError otherwise."""
    if _REPORT_ID.fullmatch(value) is None:
        raise TypeError(f"{value!r} is no report id")
    return ReportId(value)


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
    try:
        values = _OUTCOME(fields)
    except KeyError:
        values = _OUTCOME({**_LATER_FIELDS, **fields})
    if not _has_types(tuple(map(type, values))):
        raise TypeError("no outcome")
    one = Outcome._make((_STATUSES[values[0]], *values[1:]))
    if one.report_id is not None:
        to_report_id(one.report_id)
    if not (0 < one.row <= MOST and 0 <= one.tries <= MOST and 0 <= one.sent <= MOST):
        raise TypeError("no outcome")
    return one


_OUTCOME: Final = itemgetter(*Outcome._fields)
_LATER_FIELDS: Final = {"before": None, "modified_time": None, "interrupted": False}
"""What lines had to do without that were written before these fields were."""


@lru_cache(maxsize=1000)
def _has_types(types: tuple[type, ...]) -> bool:
    """Whether an outcome may be made of these: what is not would break the totals half way.

    Asked for every row of a ledger, which has a handful of kinds, again and again.
    """
    return all(its in allowed for its, allowed in zip(types, _ALLOWED, strict=True))


_TYPES: Final[Mapping[str, frozenset[type]]] = {
    "status": frozenset({str}),
    "row": frozenset({int}),
    "tries": frozenset({int}),
    "sent": frozenset({int}),
    "status_code": _MAYBE_WHOLE,
    "http_status": _MAYBE_WHOLE,
    "elapsed_ms": _NUMBERS,
    "attempt_ms": _MAYBE_NUMBER,
    "interrupted": frozenset({bool}),
}
"""What is not named is a text or nothing."""
_ALLOWED: Final = tuple(_TYPES.get(name, _MAYBE_TEXT) for name in Outcome._fields)
