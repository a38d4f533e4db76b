"""What undoing a run comes to: only what that run changed, and never what somebody else has changed since. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from bulkpause.models import UNLISTED, Entry, Operation, Outcome, Report, ReportId, Status
from bulkpause.tenant.verify import Find, is_contradicted

SECONDS: Final = len("2026-01-05T06:15:00")
"""How much of a modified time is compared: the service writes whole seconds, and a copy of it may have more."""


class Why(StrEnum):
    """Why a report is left alone."""

    CHANGED_SINCE = "changed_since"
    """Somebody else has changed it after the run."""
    WAS_SO_BEFORE = "was_so_before"
    """It was in the run's wanted state before the run, which changed nothing."""
    IN_DOUBT = "in_doubt"
    """The run may have changed it, and nothing says whether it did."""
    MISSING = "missing"
    """The tenant's list does not have it any more."""


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A report that an undo does not touch, and what an operator needs to decide about it."""

    why: Why
    report_id: ReportId
    row: int
    said: str
    """In words: what it is now, and what the run left."""
    report_status: str | None = None
    modified_time: str | None = None
    name: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The fields of its ledger line."""
        return {
            "report_id": self.report_id,
            "why": self.why.value,
            "said": self.said,
            "report_status": self.report_status,
            "modified_time": self.modified_time,
            "name": self.name,
            "row": self.row,
        }


@dataclass(slots=True)
class UndoPlan:
    """Whom an undo sends a request, and whom it leaves alone."""

    entries: list[Entry] = field(default_factory=list)
    left_alone: list[LeftAlone] = field(default_factory=list)

    @property
    def counts(self) -> Counter[Why]:
        """Reports left alone, by reason."""
        return Counter(one.why for one in self.left_alone)


def plan_from_ledger(outcomes: Iterable[Outcome], *, operation: Operation) -> UndoPlan:
    """The plan without a look at the service: what the ledger of a run of `operation` says that it changed."""
    plan = UndoPlan()
    for outcome in outcomes:
        if outcome.report_id is None:
            continue
        entry = Entry(outcome.report_id, outcome.row)
        if outcome.status is Status.UNKNOWN:
            plan.left_alone.append(_left(Why.IN_DOUBT, entry, None, "the run does not know whether it changed it"))
        elif outcome.status is Status.SUCCEEDED and outcome.before == operation.wanted:
            plan.left_alone.append(_was_so(entry, outcome, None))
        elif outcome.status is Status.SUCCEEDED:
            plan.entries.append(entry)
    return plan


def plan_from_look(
    outcomes: Iterable[Outcome], find: Find, *, operation: Operation, by_status: bool = False
) -> UndoPlan:
    """The plan of undoing a run of `operation`, given its outcomes and what the service lists now.

    With `by_status` a report counts as changed by somebody else only if its status says so, not its modified time.
    """
    plan = UndoPlan()
    for outcome in outcomes:
        if outcome.report_id is None:
            continue
        entry = Entry(outcome.report_id, outcome.row)
        found = _judge(entry, outcome, find(entry.report_id), operation=operation, by_status=by_status)
        if isinstance(found, LeftAlone):
            plan.left_alone.append(found)
        elif found:
            plan.entries.append(entry)
    return plan


def _judge(
    entry: Entry, outcome: Outcome, report: Report | None, *, operation: Operation, by_status: bool
) -> LeftAlone | bool:
    """Left alone for a reason worth a word; True if it is to be undone, False if there is nothing to undo."""
    has_changed = outcome.status in {Status.SUCCEEDED, Status.UNKNOWN}
    if not (has_changed or outcome.status is Status.UNCHANGED):
        return False
    if report is None:
        return _left(Why.MISSING, entry, None, "the tenant's list does not have it") if has_changed else False
    if report.report_status is None:
        return _left(Why.IN_DOUBT, entry, report, "the tenant's list does not say how it is") if has_changed else False
    is_so = report.report_status == operation.wanted
    if outcome.status is Status.UNKNOWN and not is_contradicted(outcome):
        return _judge_doubt(entry, outcome, report, is_so=is_so, operation=operation)
    if not is_so:
        now = f"it is {report.report_status}, the run left it {operation.wanted}"
        return _left(Why.CHANGED_SINCE, entry, report, now)
    if outcome.status is Status.UNCHANGED:
        return False
    if outcome.before == operation.wanted:
        return _was_so(entry, outcome, report)
    if not by_status and _has_moved(report, outcome):
        when = f"it was changed at {report.modified_time}, the run left it at {outcome.modified_time}"
        return _left(Why.CHANGED_SINCE, entry, report, when)
    return True


def _judge_doubt(
    entry: Entry, outcome: Outcome, report: Report, *, is_so: bool, operation: Operation
) -> LeftAlone | bool:
    """A report in doubt was changed by the run if it is in the wanted state now and was not before."""
    if not is_so:
        return False
    if outcome.before == operation.wanted:
        return _was_so(entry, outcome, report)
    if outcome.before in {None, UNLISTED}:
        return _left(Why.IN_DOUBT, entry, report, f"it is {operation.wanted}, and nothing says what it was before")
    return True


def _has_moved(report: Report, outcome: Outcome) -> bool:
    """Whether it was changed at another time than by the run; False where one of the two is not known."""
    now, then = report.modified_time, outcome.modified_time
    return now is not None and then is not None and now[:SECONDS] != then[:SECONDS]


def _was_so(entry: Entry, outcome: Outcome, report: Report | None) -> LeftAlone:
    return _left(Why.WAS_SO_BEFORE, entry, report, f"it was {outcome.before} before the run")


def _left(why: Why, entry: Entry, report: Report | None, said: str) -> LeftAlone:
    status, modified, name = (
        (None, None, None) if report is None else (report.report_status, report.modified_time, report.name)
    )
    return LeftAlone(why, entry.report_id, entry.row, said, status, modified, name)
