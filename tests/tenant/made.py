"""Reports and outcomes made by hand, for what is said of one after a look at the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bulkpause.models import Outcome, Report, ReportId, Status
from bulkpause.tenant.verify import Find

NEVER_LISTED = "not in the list"
"""Stands for the status of a report that a look does not show."""


def report_id(number: int) -> ReportId:
    """A canonical id that shows its number."""
    return ReportId(f"00000000-0000-4000-8000-{number:012d}")


def listed(number: int, status: str | None = "Paused", modified_time: str | None = None) -> Report:
    """The report of that number as a list shows it."""
    return Report(report_id(number), status, f"Report {number}", "query", "ana@example", modified_time)


def ended(status: Status, number: int = 1, **more: Any) -> Outcome:
    """How the report of that number ended, in the row of that number."""
    return Outcome(status, row=number, report_id=report_id(number), **more)


def look(*reports: Report) -> Find:
    """A list that has these reports."""
    return {report.report_id: report for report in reports}.get


def numbers(ids: Iterable[ReportId | None]) -> list[int]:
    """The numbers that ids show."""
    return [int(str(one)[-12:]) for one in ids]
