"""What a run claims, held against what the service says when it is read back. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from bulkpause.models import UNLISTED, Halt, Operation, Outcome, Report, ReportId, Status, Verdict

Find = Callable[[ReportId], Report | None]
"""The report as the service lists it; None for one that it does not list."""


class Finding(StrEnum):
    """What reading a report back says of the claim that it is in the wanted state, or of a doubt about it."""

    CONVERGED = "converged"
    """It is so."""
    LATE = "late"
    """It was not so at first, and is so now."""
    CONTRADICTED = "contradicted"
    """It is not so."""
    MISSING = "missing"
    """The tenant's list does not have it."""
    UNREADABLE = "unreadable"
    """The service did not say: the list could not be read, or shows no status of it."""
    RESOLVED = "resolved"
    """It was in doubt, and the doubt is settled, one way or the other."""


MISMATCHES: Final = frozenset({Finding.CONTRADICTED, Finding.MISSING})


@dataclass(slots=True)
class Verification:
    """What came of reading a run's reports back."""

    counts: Counter[Finding] = field(default_factory=Counter)
    requests: int = 0
    error: str | None = None
    """Why the reports could not be read, if they could not."""
    verdict: Verdict = Verdict.CONFIRMED
    """What the last reply meant then."""
    halt: Halt | None = None
    """Why asking again cannot help, if it cannot."""
    stop_signal: int | None = None
    """What ended the look, if a signal did."""

    @property
    def is_mismatch(self) -> bool:
        """Whether the service contradicts the run."""
        return any(self.counts[finding] for finding in MISMATCHES)

    @property
    def is_in_doubt(self) -> bool:
        """Whether the service did not say of every report how it is."""
        return self.counts[Finding.UNREADABLE] > 0

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            **{finding.value: self.counts[finding] for finding in Finding},
            "requests": self.requests,
            "error": self.error,
        }


def is_claimed(outcome: Outcome) -> bool:
    """Whether a look at the report can say more than the outcome: it is claimed to be so, or in doubt."""
    return outcome.report_id is not None and (outcome.status.is_good or outcome.status is Status.UNKNOWN)


def judge(outcome: Outcome, find: Find, *, operation: Operation) -> Finding:
    """What one look says of one claimed outcome; for one in doubt, whether the report is in the wanted state."""
    report = None if outcome.report_id is None else find(outcome.report_id)
    if report is None:  # what the list never had, it cannot miss
        return Finding.UNREADABLE if outcome.before == UNLISTED else Finding.MISSING
    if report.report_status is None:
        return Finding.UNREADABLE
    return Finding.CONVERGED if report.report_status == operation.wanted else Finding.CONTRADICTED


def resolved(outcome: Outcome, find: Find, *, operation: Operation) -> Outcome | None:
    """The outcome of a report that was in doubt, now that it was read; None while the service does not say.

    One that is in the wanted state has succeeded, unless it was so before the run. One that is not, has had its tries
    without effect, and is owed more of them if a stop or a crash cut them short; one that is listed no longer, is not
    found.
    """
    report = None if outcome.report_id is None else find(outcome.report_id)
    known = outcome._replace(error=None)
    if report is None and outcome.before in {None, UNLISTED}:
        return None
    if report is None:
        gone = "read back: the tenant's list does not have the report"
        return known._replace(status=Status.NOT_FOUND, message=gone, interrupted=False)
    if report.report_status is None:
        return None
    said = known._replace(
        report_status=report.report_status, message=f"read back: the report is {report.report_status}"
    )
    if report.report_status != operation.wanted:
        return said._replace(status=Status.EXHAUSTED)
    was_so = outcome.before == operation.wanted
    status = Status.UNCHANGED if was_so else Status.SUCCEEDED
    # What was contradicted meanwhile is so again by another hand: the time stays the run's, so that an undo sees that.
    at = outcome.modified_time if is_contradicted(outcome) else report.modified_time
    return said._replace(status=status, modified_time=at, interrupted=False)


def contradicted(outcome: Outcome, report: Report) -> Outcome:
    """The outcome of a report that is not as was said: in doubt, so that a continuation owes it another try."""
    said = f"contradicted: read back, the report is {report.report_status}"
    mark = Finding.CONTRADICTED.value
    return outcome._replace(status=Status.UNKNOWN, report_status=report.report_status, message=said, error=mark)


def is_contradicted(outcome: Outcome) -> bool:
    """Whether an earlier look has contradicted it, so that the next says the same until the report is as was said."""
    return outcome.status is Status.UNKNOWN and outcome.error == Finding.CONTRADICTED


def first_look(outcomes: Iterable[Outcome], find: Find, *, operation: Operation) -> tuple[int, list[Outcome]]:
    """How many claims hold, and the outcomes that need a second look: claims that do not, and all that are in doubt."""
    converged, rest = 0, []
    for outcome in filter(is_claimed, outcomes):
        if outcome.status.is_good and judge(outcome, find, operation=operation) is Finding.CONVERGED:
            converged += 1
        else:
            rest.append(outcome)
    return converged, rest
