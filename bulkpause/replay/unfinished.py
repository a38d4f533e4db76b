"""A report that a crash left in doubt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from bulkpause.models import Attempt, Outcome, Reply, ReportId, Verdict
from bulkpause.retry import ended

BROKEN_OFF: Final = "the run broke off while this attempt was in flight"
WAITING: Final = "the run broke off before the next try"


@dataclass(slots=True)
class Unfinished:
    """A report with an intent and no outcome behind it: what its attempts came to, and whether one may still fly."""

    row: int
    request_id: str
    correlation_id: str
    attempts: list[Attempt] = field(default_factory=list)
    """Those that another one should have followed."""
    in_flight: bool = True
    before: str | None = None
    """Its report_status before the run, if that is known."""

    def outcome(self, report_id: ReportId) -> Outcome:
        """How the report ends if nobody goes on with it: `unknown` if its last request may have left."""
        attempts = self.attempts
        if self.in_flight:
            lost = Reply(Verdict.UNANSWERED, error=BROKEN_OFF)
            attempts = [*attempts, Attempt(len(attempts) + 1, self.request_id, self.correlation_id, 1, 0.0, lost)]
        last = attempts[-1].reply
        return Outcome(
            ended(attempts),
            row=self.row,
            report_id=report_id,
            status_code=last.status_code,
            http_status=last.http_status,
            message=last.message,
            error=last.error or WAITING,
            tries=len(attempts),
            sent=sum(attempt.sent for attempt in attempts),
            request_id=self.request_id,
            correlation_id=self.correlation_id,
            before=self.before,
            interrupted=True,
        )
