"""CSV files out of a ledger, each good as the source of a run: what is left to do, what an undo left alone."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from bulkpause import audit
from bulkpause.ids import harmless
from bulkpause.models import Outcome
from bulkpause.replay import latest_outcomes
from bulkpause.summary.ends import Ends

OUTCOME_COLUMNS: Final = ("report_id", "status", "status_code", "reason", "row")
LEFT_ALONE_COLUMNS: Final = ("report_id", "why", "said", "report_status", "modified_time", "name")


def write_failed(audit_file: Path, target: Path, ends: Ends) -> int:
    """Write one row per report that is not in the wanted state, never-sent ones included, and return how many.

    Raises OSError if the ledger cannot be read or the file not be written.
    """
    outcomes = latest_outcomes(audit.read(audit_file), ends)
    return _write(
        target,
        OUTCOME_COLUMNS,
        (outcome_row(one) for one in outcomes if one.report_id is not None and not one.status.is_good),
    )


def write_left_alone(audit_file: Path, target: Path) -> int:
    """Write one row per report that an undo did not touch, and return how many. Raises OSError as above."""
    lines = (line for line in audit.read(audit_file) if line["event"] == "left_alone")
    return _write(
        target, LEFT_ALONE_COLUMNS, ([harmless(line.get(name)) for name in LEFT_ALONE_COLUMNS] for line in lines)
    )


def outcome_row(outcome: Outcome) -> Sequence[Any]:
    """The cells of OUTCOME_COLUMNS."""
    reason = outcome.message or outcome.error
    return [outcome.report_id, outcome.status.value, outcome.status_code, harmless(reason), outcome.row]


def _write(target: Path, columns: Sequence[str], found: Iterable[Sequence[Any]]) -> int:
    written = 0
    target.touch(mode=0o600)
    with target.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(columns)
        for row in found:
            rows.writerow(row)
            written += 1
    return written
