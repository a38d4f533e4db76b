"""Everything that happens in a run: counted in the summary, written to the ledger, said in the log."""

from __future__ import annotations

from typing import Any, Final

from bulkpause.audit import AuditLog
from bulkpause.logs import Log, Redactor
from bulkpause.models import Attempt, Entry, Notice, Operation, Outcome
from bulkpause.summary import RunSummary

LOUD_EVENTS: Final = frozenset({"hold", "halted", "token_renewal_failed"})


class RunRecord:
    """The engine's Record. Words of the far side lose their secrets before anything keeps them."""

    def __init__(
        self, *, operation: Operation, audit: AuditLog, summary: RunSummary, log: Log, redactor: Redactor
    ) -> None:
        self._operation = operation.value
        self._audit = audit
        self._summary = summary
        self._log = log
        self._redactor = redactor
        self._harmless: tuple[str | None, str | None] = (None, None)
        """The latest words without secrets: a service says the same of success every time."""

    async def intent(self, entry: Entry, number: int, *, request_id: str, correlation_id: str) -> None:
        """Name the report on the disk before its attempt may leave."""
        self._audit.write(
            "attempt_started",
            {
                "report_id": entry.report_id,
                "attempt": number,
                "request_id": request_id,
                "correlation_id": correlation_id,
            },
        )
        await self._audit.durable()

    def retried(self, entry: Entry, attempt: Attempt, *, delay_s: float) -> None:
        """Why another attempt follows, and when."""
        reply = attempt.reply
        fields: dict[str, Any] = {
            "report_id": entry.report_id,
            "attempt": attempt.number,
            "verdict": reply.verdict.value,
            "status_code": reply.status_code,
            "http_status": reply.http_status,
            "message": self._clean(reply.message),
            "error": self._clean(reply.error),
            "sent": attempt.sent,
            "elapsed_ms": round(attempt.elapsed_ms, 3),
            "retry_in_ms": round(delay_s * 1000),
        }
        self._audit.write("retry_scheduled", fields)
        self._summary.add_retried(attempt)
        self._log.info("attempt.failed", **fields)

    def outcome(self, outcome: Outcome) -> None:
        """How one row ended. It is counted even when the ledger refuses it, so that the summary adds up."""
        if (outcome.message, outcome.error) != self._harmless:
            message, error = self._clean(outcome.message), self._clean(outcome.error)
            if (message, error) == (outcome.message, outcome.error):
                self._harmless = message, error
            else:
                outcome = outcome._replace(message=message, error=error)
        self._summary.add(outcome)
        fields: dict[str, Any] = {
            "report_id": outcome.report_id,
            "operation": self._operation,
            "status": outcome.status.value,
            "status_code": outcome.status_code,
            "http_status": outcome.http_status,
            "report_status": outcome.report_status,
            "message": outcome.message,
            "tries": outcome.tries,
            "sent": outcome.sent,
            "error": outcome.error,
            "elapsed_ms": round(outcome.elapsed_ms, 3),
            "attempt_ms": None if outcome.attempt_ms is None else round(outcome.attempt_ms, 3),
            "request_id": outcome.request_id,
            "correlation_id": outcome.correlation_id,
            "row": outcome.row,
        }
        self._audit.write("outcome", fields)
        say = self._log.debug if outcome.status.is_good else self._log.info
        say("report.ended", **fields)

    def notice(self, notice: Notice) -> None:
        """A notable decision."""
        fields = self._redactor.value(notice.fields)
        self._audit.write(notice.event, fields)
        self._summary.add_event(notice.event)
        say = self._log.warning if notice.event in LOUD_EVENTS else self._log.info
        say(f"run.{notice.event}", **fields)

    def check(self) -> None:
        """Raise AuditError if the ledger has failed."""
        self._audit.check()

    async def durable(self) -> None:
        """Wait until all that was recorded is on the disk."""
        await self._audit.durable()

    def _clean(self, text: str | None) -> str | None:
        return None if text is None else self._redactor.text(text)
