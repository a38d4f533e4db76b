"""The tenant's reports at one moment: looked up by id, and kept for people and programs."""

from __future__ import annotations

import csv
import stat
import sys
from pathlib import Path

import pytest

from bulkpause.models import UNLISTED
from bulkpause.tenant.snapshot import COLUMNS, Snapshot
from tests.tenant.made import listed, report_id

SNAPSHOT = Snapshot([listed(1, "Active"), listed(2, None), listed(1, "Paused", "2026-11-24T10:00:00Z")])


def test_a_report_that_is_listed_twice_is_as_it_was_last() -> None:
    assert len(SNAPSHOT) == 2
    assert SNAPSHOT.find(report_id(1)) == listed(1, "Paused", "2026-11-24T10:00:00Z")
    assert SNAPSHOT.find(report_id(3)) is None


@pytest.mark.parametrize(("number", "before"), [(1, "Paused"), (2, None), (3, UNLISTED)])
def test_before_is_the_status_or_that_the_list_lacks_the_report(number: int, before: str | None) -> None:
    assert SNAPSHOT.before(report_id(number)) == before


def test_the_file_has_one_row_for_each_report(tmp_path: Path) -> None:
    file = tmp_path / "snapshot.csv"
    SNAPSHOT.write(file)
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows == [
        list(COLUMNS),
        [report_id(1), "Paused", "2026-11-24T10:00:00Z", "Report 1", "ana@example"],
        [report_id(2), "", "", "Report 2", "ana@example"],
    ]


def test_no_spreadsheet_takes_a_name_for_a_formula(tmp_path: Path) -> None:
    Snapshot([listed(1)._replace(name='=HYPERLINK("x")\n,2', user="@sum")]).write(tmp_path / "snapshot.csv")
    with (tmp_path / "snapshot.csv").open(encoding="utf-8", newline="") as stream:
        row = list(csv.reader(stream))[1]
    assert row[3:] == ['\'=HYPERLINK("x") ,2', "'@sum"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    SNAPSHOT.write(tmp_path / "snapshot.csv")
    assert stat.S_IMODE((tmp_path / "snapshot.csv").stat().st_mode) == 0o600


def test_a_place_that_cannot_be_written_raises(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file or directory"):
        SNAPSHOT.write(tmp_path / "missing" / "snapshot.csv")
