"""`failed.csv`: the reports of a run that are not known to be in the wanted state, ready to be its next source."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

from bulkpause import audit
from bulkpause.models import Status

COLUMNS: Final = ("report_id", "status", "status_code", "reason", "row")


def write_failed(audit_file: Path, target: Path) -> int:
    """Write one row per report that did not succeed, never-sent ones included, and return how many.

    Raises OSError if the ledger cannot be read or the file not be written, ValueError if a line of it is damaged.
    """
    written = 0
    target.touch(mode=0o600)
    with target.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(COLUMNS)
        for line in audit.read(audit_file):
            if line["event"] != "outcome" or line["report_id"] is None or Status(line["status"]).is_good:
                continue
            reason = line["message"] or line["error"] or ""
            rows.writerow([line["report_id"], line["status"], line["status_code"], _harmless(reason), line["row"]])
            written += 1
    return written


def _harmless(text: str) -> str:
    """`text` on one line, and such that no spreadsheet takes it for a formula."""
    text = " ".join(text.split())
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
