"""Runs, outcomes and reports made by hand, for what is said about them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bulkpause.models import Operation, Outcome, ReportId, Status
from bulkpause.runs.identity import Run
from bulkpause.runs.report import RunReport
from bulkpause.settings import Settings
from bulkpause.summary import RunSummary

AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
DIRECTORY = Path("runs", "20261122-030000-0b5c2c")


def report_id(number: int) -> ReportId:
    """A canonical id that shows its number."""
    return ReportId(f"00000000-0000-4000-8000-{number:012d}")


def a_run(directory: Path = DIRECTORY, *, audit: Path | None = None, **more: Any) -> Run:
    """A run that pauses, unless told otherwise."""
    given = {
        "run_id": directory.name,
        "operation": Operation.PAUSE,
        "directory": directory,
        "audit_file": audit or directory / "audit.jsonl",
        "source_name": "reports.csv",
        "target": Settings().api.base_url,
        "rate_per_s": 5.0,
    }
    return Run(**{**given, **more})


def outcomes(status: Status, code: int | None = None, *, count: int = 1, **more: Any) -> list[Outcome]:
    """So many outcomes that ended alike; what was sent took 40 ms."""
    sent = status not in {Status.SKIPPED, Status.INVALID}
    given: dict[str, Any] = {"tries": int(sent), "sent": int(sent), "attempt_ms": 40.0 if sent else None}
    ids = [None if status is Status.INVALID else report_id(number) for number in range(1, count + 1)]
    return [
        Outcome(status, row=row, report_id=its_id, status_code=code, **{**given, **more})
        for row, its_id in enumerate(ids, 2)
    ]


def a_report(*groups: list[Outcome], run: Run | None = None, wall_s: float = 4.0, **more: Any) -> RunReport:
    """The report of a run that ended, after `wall_s`, in these outcomes."""
    summary = RunSummary()
    for row, outcome in enumerate((outcome for group in groups for outcome in group), 2):
        summary.add(outcome._replace(row=row))
    ended: dict[str, Any] = {"crash": None, "source_has_ended": True, **more}
    return RunReport(
        run=run or a_run(),
        started_at=AT,
        finished_at=AT + timedelta(seconds=wall_s),
        wall_s=wall_s,
        summary=summary,
        **ended,
    )
