"""The tenant's reports as they were at one moment: what a run knows of them before it touches any."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from bulkpause.ids import harmless
from bulkpause.models import UNLISTED, Report, ReportId

COLUMNS: Final = ("report_id", "report_status", "modified_time", "name", "user")


class Snapshot:
    """The reports of one complete list, by id."""

    def __init__(self, reports: Iterable[Report]) -> None:
        self._reports = {report.report_id: report for report in reports}

    def __len__(self) -> int:
        return len(self._reports)

    def find(self, report_id: ReportId) -> Report | None:
        """The report; None if the list does not have it."""
        return self._reports.get(report_id)

    def before(self, report_id: ReportId) -> str | None:
        """Its report_status, UNLISTED if the list does not have it; None if the list shows none."""
        report = self._reports.get(report_id)
        return UNLISTED if report is None else report.report_status

    def write(self, path: Path) -> None:
        """One CSV row per report, for the owner alone, which no spreadsheet takes for formulas. Raises OSError."""
        path.touch(mode=0o600)
        with path.open("w", encoding="utf-8", newline="") as stream:
            rows = csv.writer(stream)
            rows.writerow(COLUMNS)
            for one in self._reports.values():
                told = map(harmless, (one.report_status, one.modified_time, one.name, one.user))
                rows.writerow([one.report_id, *told])
