"""The seeded reports and what pause and resume do to them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.models import Operation, ReportId
from bulkpause.sandbox.reports import (
    Report,
    Reports,
    applied,
    parse_report_id,
    seeded_ids,
    seeded_reports,
    stamp,
    to_item,
)

AT = datetime(2026, 11, 22, 3, 0, 59, 999_999, tzinfo=UTC)
ID = ReportId("12645e1b-1178-4117-b36b-d8db2ede27a5")


@given(st.integers(), st.integers(0, 30), st.integers(0, 30))
def test_a_longer_list_of_ids_starts_with_the_shorter_one(seed: int, count: int, more: int) -> None:
    shorter, longer = list(seeded_ids(count, seed=seed)), list(seeded_ids(count + more, seed=seed))
    assert longer[:count] == shorter
    assert len(set(longer)) == count + more
    assert all(str(UUID(report_id)) == report_id and UUID(report_id).version == 4 for report_id in longer)


def test_another_seed_makes_other_ids() -> None:
    assert not set(seeded_ids(50, seed=1)) & set(seeded_ids(50, seed=2))


def test_statuses_come_in_the_shares_asked_for() -> None:
    reports = seeded_reports(5000, seed=3, paused_percent=20, inactive_percent=10)
    counts = Counter(report.report_status for report in reports)
    assert counts["Paused"] == pytest.approx(1000, abs=120)
    assert counts["Inactive"] == pytest.approx(500, abs=90)
    assert sum(counts.values()) == 5000


def test_all_reports_are_active_unless_asked() -> None:
    assert {report.report_status for report in seeded_reports(50, seed=3)} == {"Active"}


@pytest.mark.parametrize(
    ("before", "operation", "after", "touched"),
    [
        ("Active", Operation.PAUSE, "Paused", True),
        ("Paused", Operation.PAUSE, "Paused", False),
        ("Paused", Operation.RESUME, "Active", True),
        ("Active", Operation.RESUME, "Active", False),
    ],
)
def test_an_operation_sets_the_state_and_the_time_only_when_something_changes(
    before: str, operation: Operation, after: str, *, touched: bool
) -> None:
    report = applied(Report(ID, 0, before), operation, at=AT)
    assert report is not None
    assert report.report_status == after
    assert report.modified_time == ("2026-11-22T03:00:59Z" if touched else None)


@pytest.mark.parametrize("operation", list(Operation))
def test_an_inactive_report_can_be_neither_paused_nor_resumed(operation: Operation) -> None:
    assert applied(Report(ID, 0, "Inactive"), operation, at=AT) is None


def test_two_changes_of_a_report_never_bear_the_same_time() -> None:
    report: Report | None = Report(ID, 0)
    times = []
    for operation, late_s in ((Operation.PAUSE, 0), (Operation.RESUME, 0), (Operation.PAUSE, 0), (Operation.RESUME, 9)):
        assert report is not None
        report = applied(report, operation, at=AT + timedelta(seconds=late_s))
        assert report is not None
        times.append(report.modified_time)
    assert times == [f"2026-11-22T03:0{time}Z" for time in ("0:59", "1:00", "1:01", "1:08")]


def test_times_are_written_in_utc() -> None:
    assert stamp(AT.astimezone(timezone(timedelta(hours=5, minutes=30)))) == "2026-11-22T03:00:59Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ID, ID),
        (ID.upper(), ID),
        (ID.replace("-", ""), None),
        (f"{{{ID}}}", None),
        (f"{ID}\n", None),
        (f" {ID}", None),
        (f"{ID};{ID}", None),
        ("", None),
        ("\u0661" + ID[1:], None),
    ],
)
def test_only_a_dashed_uuid_is_a_report_id(text: str, expected: str | None) -> None:
    assert parse_report_id(text) == expected


def test_filters_are_joined_by_and() -> None:
    reports = Reports(seeded_reports(100, seed=1))
    everything = list(reports)
    chosen = everything[17]
    assert reports.select() == everything
    assert len(reports) == 100
    assert reports.select(report_ids=frozenset({chosen.report_id})) == [chosen]
    assert reports.select(query_id=chosen.query_id.upper()) == everything[10:20]
    assert reports.select(query_id=chosen.query_id, name=chosen.name.upper()) == [chosen]
    assert reports.select(query_id=everything[0].query_id, report_ids=frozenset({chosen.report_id})) == []


@pytest.mark.parametrize("adopt", [False, True])
def test_an_unknown_id_is_a_report_only_where_reports_are_adopted(*, adopt: bool) -> None:
    reports = Reports([], adopt=adopt)
    assert reports.find(ID) == (Report(ID, 0) if adopt else None)
    assert len(reports) == adopt


def test_an_item_has_the_fields_of_the_documentation() -> None:
    item = to_item(Report(ID, 7, "Paused", "2026-11-22T03:00:00Z"))
    assert " ".join(item) == (
        "reportId reportName description queryId query user createdTime modifiedTime executeNow startTime reportStatus "
        "recurrenceInterval recurrenceCount callbackUrl callbackMethod format"
    )
    assert (item["reportId"], item["reportStatus"], item["modifiedTime"]) == (ID, "Paused", "2026-11-22T03:00:00Z")
