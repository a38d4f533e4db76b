"""The script of `make demo`: which sample report meets which fault, and how the run over the sample must end. Pure."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bulkpause.models import ReportId, Status
from bulkpause.sandbox.faults import Fault
from bulkpause.sandbox.grammar import parse_fault
from bulkpause.sandbox.reports import seeded_ids, seeded_reports

DEMO_SEED: Final = 2026
DEMO_REPORTS: Final = 59
DEMO_MAX_TRIES: Final = 5
"""The script counts on as many: a report that always answers 500 gets that many PUTs."""
_OWNERS: Final = ("Ana Reyes", "Li Wei", "Priya Nair", "Tom Becker", "O'Hara, Sinead")
_DUPLICATE_OF, _DUPLICATE_ROW = 4, 37
_INVALID_ROWS: Final = {20: "TBD - ask Ana", 45: "0b5c2c1e-7a31-4d0e-9c54"}


@dataclass(frozen=True, slots=True)
class Scene:
    """A report of the sample that does not simply succeed: its place, its fault, its end after how many PUTs."""

    place: int
    fault: str
    status: Status
    status_code: int
    puts: int


DEMO_SCRIPT: Final = (
    Scene(1, "500", Status.EXHAUSTED, 500, DEMO_MAX_TRIES),  # early, so that its waits overlap the others' work
    Scene(6, "500*1", Status.SUCCEEDED, 200, 2),
    Scene(9, "404", Status.NOT_FOUND, 404, 1),
    Scene(11, "500*2", Status.SUCCEEDED, 200, 3),
    Scene(14, "403", Status.DENIED, 403, 1),
    Scene(19, "500*1", Status.SUCCEEDED, 200, 2),
    Scene(24, "429:3*1", Status.SUCCEEDED, 200, 2),  # holds everybody
    Scene(26, "503*1", Status.SUCCEEDED, 200, 2),
    Scene(30, "404", Status.NOT_FOUND, 404, 1),
    Scene(33, "500*1", Status.SUCCEEDED, 200, 2),
    Scene(41, "403", Status.DENIED, 403, 1),
    Scene(48, "404", Status.NOT_FOUND, 404, 1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoExpectation:
    """The counts of a run over the sample, keyed as in the summary."""

    read: int
    accepted: int
    duplicate: int
    invalid: int
    by_status_code: Mapping[str, int]
    by_status: Mapping[str, int]
    puts: int
    """With `DEMO_MAX_TRIES` tries."""


def demo_faults() -> tuple[Fault, ...]:
    """The script as fault rules."""
    report_ids = demo_ids()
    return tuple(parse_fault(f"{scene.fault}@id={report_ids[scene.place]}") for scene in DEMO_SCRIPT)


def demo_ids() -> tuple[ReportId, ...]:
    """The distinct report ids of the sample, in its order."""
    return tuple(seeded_ids(DEMO_REPORTS, seed=DEMO_SEED))


def demo_expectation() -> DemoExpectation:
    """How the run must end, derived from the script."""
    plain = DEMO_REPORTS - len(DEMO_SCRIPT)
    invalid = len(_INVALID_ROWS)
    by_status = Counter({Status.SUCCEEDED.value: plain, Status.INVALID.value: invalid})
    by_status.update(scene.status.value for scene in DEMO_SCRIPT)
    by_status_code = Counter({"200": plain, "none": invalid})
    by_status_code.update(str(scene.status_code) for scene in DEMO_SCRIPT)
    return DemoExpectation(
        read=DEMO_REPORTS + 1 + invalid,
        accepted=DEMO_REPORTS,
        duplicate=1,
        invalid=invalid,
        by_status_code=dict(by_status_code),
        by_status=dict(by_status),
        puts=plain + sum(scene.puts for scene in DEMO_SCRIPT),
    )


def sample_csv() -> str:
    """The text of configs/sample-reports.csv."""
    reports = list(seeded_reports(DEMO_REPORTS, seed=DEMO_SEED))
    rows = [[report.report_id, report.name, _OWNERS[report.number % 5]] for report in reports]
    again = reports[_DUPLICATE_OF]
    rows.insert(_DUPLICATE_ROW, [again.report_id.upper(), again.name, "Tom Becker"])
    for row, text in sorted(_INVALID_ROWS.items()):
        rows.insert(row, [text, "New report", "Ana Reyes"])
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([["ReportId", "ReportName", "Owner"], *rows])
    return out.getvalue()
