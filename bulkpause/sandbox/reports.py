"""The tenant's scheduled reports: seeded, and changed by nothing but pause and resume, whoever asks for it."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from bulkpause.models import Operation, ReportId

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_QUERY: Final = "SELECT * FROM CustomersAndTenants TIMESPAN LAST_6_MONTHS"
_REGIONS: Final = ("Nordics", "Benelux", "Iberia", "DACH", "UK and Ireland", "France", "Italy", "Poland")
_SUBJECTS: Final = ("Azure usage", "Seat growth", "Renewals", "Referrals", "Training", "Benefits", "Licence usage")
_USERS: Final = ("insights@sandbox.example", "ana.reyes@sandbox.example", "li.wei@sandbox.example")
_CADENCES: Final = {24: "daily", 168: "weekly", 720: "monthly"}


@dataclass(frozen=True, slots=True)
class Report:
    """One scheduled report; the fields a pause never touches are derived from its number."""

    report_id: ReportId
    number: int
    report_status: str = "Active"
    modified_time: str | None = None

    @property
    def name(self) -> str:
        """A name as people give them; several reports may share one."""
        cadence = list(_CADENCES.values())[self.number % 3]
        return f"{_SUBJECTS[self.number % 7]} {_REGIONS[self.number % 8]} {cadence}"

    @property
    def user(self) -> str:
        """Whose it is: three people have made the reports in turn."""
        return _USERS[self.number % len(_USERS)]

    @property
    def query_id(self) -> str:
        """Ten reports share a query."""
        return str(UUID(int=0x5EED0000_0000_4000_8000_000000000000 + self.number // 10))


class Reports:
    """All reports of the tenant, in order of creation."""

    def __init__(self, reports: Iterable[Report], *, adopt: bool = False, lag_s: float = 0.0) -> None:
        """With `adopt`, a report asked for by an unknown id comes into being, Active; lists are `lag_s` late."""
        self._reports = {report.report_id: report for report in reports}
        self._adopt = adopt
        self._lag_s = lag_s
        self._earlier: dict[ReportId, list[tuple[float, Report]]] = {}
        """What a report was until when, for lists that are late."""

    def __iter__(self) -> Iterator[Report]:
        return iter(tuple(self._reports.values()))

    def __len__(self) -> int:
        return len(self._reports)

    def find(self, report_id: ReportId) -> Report | None:
        """The report, or None for an id the tenant does not have."""
        report = self._reports.get(report_id)
        if report is None and self._adopt:
            report = self._reports[report_id] = Report(report_id, len(self._reports))
        return report

    def begin(self, report_id: ReportId, *, report_status: str, modified_time: str | None) -> None:
        """Let the report be so from the beginning, if the tenant has it or may adopt it."""
        if (report := self.find(report_id)) is not None:
            self._reports[report_id] = replace(report, report_status=report_status, modified_time=modified_time)

    def put(self, report: Report, *, now_s: float) -> None:
        """Keep the report's new state, and for late lists the one it replaces."""
        if self._lag_s:
            self._earlier.setdefault(report.report_id, []).append((now_s, self._reports[report.report_id]))
        self._reports[report.report_id] = report

    def select(
        self,
        *,
        report_ids: frozenset[ReportId] | None = None,
        name: str | None = None,
        query_id: str | None = None,
        now_s: float = math.inf,
    ) -> list[Report]:
        """The reports that pass every filter given, as a list at `now_s` shows them; without it, as they are."""
        return [
            self._as_listed(report, now_s)
            for report in self._reports.values()
            if (report_ids is None or report.report_id in report_ids)
            and (name is None or report.name.casefold() == name.casefold())
            and (query_id is None or report.query_id == query_id.lower())
        ]

    def _as_listed(self, report: Report, now_s: float) -> Report:
        earlier = self._earlier.get(report.report_id, ())
        return next((before for until_s, before in earlier if until_s > now_s - self._lag_s), report)


def parse_report_id(text: str) -> ReportId | None:
    """The canonical id, in whatever case it came; None for anything but a dashed UUID."""
    return ReportId(text.lower()) if _UUID.fullmatch(text) else None


def seeded_ids(count: int, *, seed: int) -> Iterator[ReportId]:
    """`count` random UUIDs, the same ones for the same seed; a longer list starts with the shorter one."""
    rng = random.Random(f"reports:{seed}")  # noqa: S311 - look random, keep no secret
    for _ in range(count):
        yield ReportId(str(UUID(int=rng.getrandbits(128), version=4)))


def seeded_reports(
    count: int, *, seed: int, paused_percent: float = 0.0, inactive_percent: float = 0.0
) -> Iterator[Report]:
    """`count` reports, of which about the given shares are Paused and Inactive already."""
    rng = random.Random(f"statuses:{seed}")  # noqa: S311 - look random, keep no secret
    for number, report_id in enumerate(seeded_ids(count, seed=seed)):
        percentile = rng.random() * 100
        status = (
            "Inactive"
            if percentile < inactive_percent
            else "Paused"
            if percentile < inactive_percent + paused_percent
            else "Active"
        )
        yield Report(report_id, number, status)


def applied(report: Report, operation: Operation, *, at: datetime) -> Report | None:
    """The report after the operation, itself if it was so already, None if it is Inactive and cannot be scheduled."""
    if report.report_status == "Inactive":
        return None
    if report.report_status == operation.wanted:
        return report
    return replace(report, report_status=operation.wanted, modified_time=_next_stamp(report.modified_time, at=at))


def _next_stamp(before: str | None, *, at: datetime) -> str:
    """`at`, or the next second that is free: two changes of a report must differ in a time of whole seconds."""
    if before is None or stamp(at) > before:
        return stamp(at)
    return stamp(datetime.fromisoformat(before) + timedelta(seconds=1))


def stamp(at: datetime) -> str:
    """`yyyy-MM-ddTHH:mm:ssZ`, as the API writes times (api.md section 3)."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_item(report: Report) -> Mapping[str, object]:
    """The report as an item of the envelope, camelCase (api.md section 3)."""
    return {
        "reportId": report.report_id,
        "reportName": report.name,
        "description": f"Number {report.number} of the sandbox",
        "queryId": report.query_id,
        "query": _QUERY,
        "user": report.user,
        "createdTime": "2026-01-05T06:15:00Z",
        "modifiedTime": report.modified_time,
        "executeNow": False,
        "startTime": "2026-01-06T00:00:00Z",
        "reportStatus": report.report_status,
        "recurrenceInterval": list(_CADENCES)[report.number % 3],
        "recurrenceCount": None,
        "callbackUrl": None,
        "callbackMethod": None,
        "format": "csv",
    }
