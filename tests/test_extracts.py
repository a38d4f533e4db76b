"""`failed.csv` and `left-alone.csv`, written from a ledger."""

from __future__ import annotations

import csv
import stat
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkpause.events import outcome_fields
from bulkpause.models import Operation, Outcome, ReportId, Status
from bulkpause.replay import Replay
from bulkpause.runs.extracts import LEFT_ALONE_COLUMNS, OUTCOME_COLUMNS, write_failed, write_left_alone
from bulkpause.sources import open_source

ID = "0b5c2c1e-7a31-4d0e-9c54-5f2d1f6b8a90"


def written(folder: Path, *lines: dict[str, Any], torn: bytes = b"") -> list[dict[str, str]]:
    """The rows of the failed.csv of a ledger with these lines."""
    blank = outcome_fields(Outcome(Status.SKIPPED, 1, ReportId(ID)), operation=Operation.PAUSE)
    replay = Replay()
    ledger = folder / "audit.jsonl"
    with ledger.open("wb") as stream:
        for seq, line in enumerate(lines, 1):
            whole = {"seq": seq, "event": "outcome", **blank, "row": seq + 1, **line}
            replay.add(whole)
            stream.write(orjson.dumps(whole) + b"\n")
        stream.write(torn)
    count = write_failed(ledger, folder / "failed.csv", replay.summary.ends)
    with (folder / "failed.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert count == len(rows)
    return rows


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.INVALID])
def test_all_that_is_not_known_to_be_as_wanted_is_listed(tmp_path: Path, status: Status) -> None:
    assert len(written(tmp_path, {"status": status.value})) == (0 if status.is_good else 1)


def test_a_row_without_an_id_cannot_be_done_again(tmp_path: Path) -> None:
    assert written(tmp_path, {"status": "invalid", "report_id": None}) == []


def test_a_row_says_what_became_of_the_report_and_where_it_stood(tmp_path: Path) -> None:
    rows = written(tmp_path, {"status": "denied", "status_code": 403, "message": "no permission", "row": 7})
    assert rows == [dict(zip(OUTCOME_COLUMNS, (ID, "denied", "403", "no permission", "7"), strict=True))]


def test_the_error_is_the_reason_where_there_is_no_message(tmp_path: Path) -> None:
    assert written(tmp_path, {"status": "unknown", "error": "lost"})[0]["reason"] == "lost"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\n=1"])
def test_no_spreadsheet_takes_a_reason_for_a_formula(tmp_path: Path, text: str) -> None:
    assert written(tmp_path, {"status": "rejected", "message": text})[0]["reason"] == f"'{text.strip()}"


def test_a_reason_stays_on_one_line(tmp_path: Path) -> None:
    written(tmp_path, {"status": "rejected", "message": 'two\r\nlines, "quoted"'})
    assert len((tmp_path / "failed.csv").read_bytes().splitlines()) == 2


def test_other_events_and_a_torn_last_line_are_passed_over(tmp_path: Path) -> None:
    lines = {"event": "attempt_started"}, {"status": "skipped"}
    assert len(written(tmp_path, *lines, torn=b'{"event":"outc')) == 1


def test_it_is_the_next_source_as_it_stands(tmp_path: Path) -> None:
    written(tmp_path, {"status": "denied", "message": "b"}, {"status": "skipped", "report_id": ID.replace("0b", "0c")})
    with open_source(str(tmp_path / "failed.csv"), form=None, column=None, stdin=None) as source:
        assert [row.report_id for batch in source for row in batch if hasattr(row, "report_id")] == [
            ID,
            ID.replace("0b", "0c"),
        ]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    written(tmp_path)
    assert stat.S_IMODE((tmp_path / "failed.csv").stat().st_mode) == 0o600


def test_a_ledger_that_cannot_be_read_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_failed(tmp_path / "none.jsonl", tmp_path / "failed.csv", Replay().summary.ends)


def test_of_a_report_that_ended_twice_the_later_end_counts(tmp_path: Path) -> None:
    lines = {"status": "unknown", "row": 2}, {"status": "succeeded", "row": 2}, {"status": "denied", "row": 3}
    assert [row["status"] for row in written(tmp_path, *lines)] == ["denied"]


def test_what_an_undo_left_alone_is_listed_with_the_reason(tmp_path: Path) -> None:
    ledger = tmp_path / "audit.jsonl"
    fields = dict.fromkeys(LEFT_ALONE_COLUMNS) | {"report_id": ID, "why": "changed_since", "name": "=cmd"}
    lines = {"seq": 1, "event": "run_started"}, {"seq": 2, "event": "left_alone", **fields}
    ledger.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    assert write_left_alone(ledger, tmp_path / "left-alone.csv") == 1
    with (tmp_path / "left-alone.csv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["report_id"], row["why"], row["name"]) == (ID, "changed_since", "'=cmd")
