"""Everything that happens in a run: counted in the summary, written to the ledger, said in the log."""

from __future__ import annotations

from typing import Final

from bulkpause.audit import AuditLog
from bulkpause.events import intent_fields, outcome_fields, retry_fields
from bulkpause.logs import Log
from bulkpause.models import Attempt, Entry, Notice, Operation, Outcome, Status
from bulkpause.redaction import Redactor
from bulkpause.summary import FullestWindows, RunSummary

LOUD_EVENTS: Final = frozenset(
    {
        "hold",
        "halted",
        "token_renewal_failed",
        "snapshot_failed",
        "breaker_opened",
        "breaker_closed",
        "budget_spent",
    }
)

OUR_WORDS: Final = frozenset({"tenant_id", "report_id", "manifest_sha256", "reason", "finding", "status", "why"})
"""Fields of notices that hold ids and closed words, never text of the far side: read again, so never struck out."""


class RunRecord:
    """The engine's Record. Words of the far side lose their secrets before anything keeps them.

    `ended`, `failed` and `answered` count what is recorded here; the summary may hold earlier parts of the run as well.
    """

    def __init__(
        self, *, operation: Operation, audit: AuditLog, summary: RunSummary, log: Log, redactor: Redactor
    ) -> None:
        self._operation = operation
        self._audit = audit
        self._summary = summary
        self._log = log
        self._redactor = redactor
        self._harmless: tuple[str | None, str | None] = (None, None)
        """The latest words without secrets: a service says the same of success every time."""
        self._intents: set[int] = set()
        """Rows with an intent that no outcome has followed yet."""
        self._windows = FullestWindows()
        self._repeated: set[int] = set()
        """Rows that failed here just as they had in an earlier part of the run."""
        self.ended = 0
        self.failed = 0
        self.answered = 0
        """Attempts that have come to an end, retried ones included."""

    @property
    def throttled(self) -> int:
        """Attempts that were answered 429, in all parts of the run."""
        return self._summary.throttled

    async def intent(
        self, entry: Entry, number: int, *, request_id: str, correlation_id: str, before: str | None
    ) -> None:
        """Name the report on the disk before its attempt may leave."""
        fields = intent_fields(entry, number, request_id=request_id, correlation_id=correlation_id, before=before)
        self._audit.write("attempt_started", fields)
        self._intents.add(entry.row)
        await self._audit.durable()

    def retried(self, entry: Entry, attempt: Attempt, *, delay_s: float) -> None:
        """Why another attempt follows, and when."""
        reply = attempt.reply
        reply = reply._replace(message=self._clean(reply.message), error=self._clean(reply.error))
        fields = retry_fields(entry, attempt._replace(reply=reply), delay_s=delay_s)
        self._audit.write("retry_scheduled", fields)
        self._summary.add_retried(attempt)
        self.answered += 1
        self._log.info("attempt.failed", **fields)

    def outcome(self, outcome: Outcome) -> None:
        """How one row ended. It is counted even when the ledger refuses it, so that the summary adds up.

        A row that an earlier part of the run has ended, and for which nothing left in this one, is as it was.
        """
        if outcome.status not in {Status.INVALID, Status.SKIPPED}:
            self.ended += 1
            self.failed += not outcome.status.is_good
            self.answered += outcome.attempt_ms is not None
        earlier = self._summary.ends.get(outcome.row)
        is_alike = earlier is not None and (earlier.status, earlier.status_code) == (
            outcome.status,
            outcome.status_code,
        )
        if is_alike and not outcome.status.is_good:
            self._repeated.add(outcome.row)
        has_intent = outcome.row in self._intents
        self._intents.discard(outcome.row)
        if outcome.status is Status.SKIPPED and earlier is not None:
            if not outcome.tries:
                if has_intent:
                    self._audit.write("attempt_withdrawn", {"report_id": outcome.report_id, "row": outcome.row})
                return
            outcome = outcome._replace(
                status=earlier.status,
                status_code=earlier.status_code,
                interrupted=outcome.interrupted or earlier.interrupted,
            )
        outcome = self._harmlessly(outcome)
        fields = outcome_fields(outcome, operation=self._operation)
        seq = 0
        try:
            seq = self._audit.write("outcome", fields)
        finally:
            self._summary.add(outcome, seq=seq)
        say = self._log.debug if outcome.status.is_good else self._log.info
        say("report.ended", **fields)

    def is_news(self, outcome: Outcome) -> bool:
        """Whether the row that has just ended so had not ended just so in an earlier part of the run."""
        return outcome.row not in self._repeated

    def resolved(self, outcome: Outcome) -> None:
        """A look at the report has settled what became of it, in place of its earlier outcome."""
        fields = outcome_fields(outcome, operation=self._operation)
        seq = 0
        try:
            seq = self._audit.write("resolved", fields)
        finally:
            self._summary.resolve(outcome, seq=seq)
        self._log.info("report.resolved", **fields)

    def notice(self, notice: Notice) -> None:
        """A notable decision."""
        fields = {
            name: value if name in OUR_WORDS else self._redactor.value(value, name=name)
            for name, value in notice.fields.items()
        }
        self._audit.write(notice.event, fields)
        self._summary.add_event(notice.event, fields)
        say = self._log.warning if notice.event in LOUD_EVENTS else self._log.info
        say(f"run.{notice.event}", **fields)

    def departed(self, at_s: float) -> None:
        """A request has left, at `at_s` seconds of a monotonic clock; counted for the certificate alone."""
        self._windows.add(at_s)

    def certify(self, *, rate_per_s: float) -> None:
        """Write down how full the fullest windows were, against the agreed rate."""
        self.notice(Notice("rate_certified", self._windows.certificate(rate_per_s=rate_per_s)))

    def check(self) -> None:
        """Raise AuditError if the ledger has failed."""
        self._audit.check()

    async def durable(self) -> None:
        """Wait until all that was recorded is on the disk."""
        await self._audit.durable()

    def _harmlessly(self, outcome: Outcome) -> Outcome:
        if (outcome.message, outcome.error) == self._harmless:
            return outcome
        message, error = self._clean(outcome.message), self._clean(outcome.error)
        if (message, error) == (outcome.message, outcome.error):
            self._harmless = message, error
            return outcome
        return outcome._replace(message=message, error=error)

    def _clean(self, text: str | None) -> str | None:
        return None if text is None else self._redactor.text(text)
