"""An undo as a run of its own: its rows are pinned once it is known what the other run has left."""

from __future__ import annotations

from pathlib import Path

from bulkpause.manifest import read_manifest
from bulkpause.models import Entry, Operation, Outcome, Status
from bulkpause.runs.identity import Run
from bulkpause.tenant.snapshot import Snapshot
from bulkpause.work.undoing import BATCH, undoing
from tests.cli.made import a_run
from tests.recording import Recording
from tests.tenant.made import ended, listed, report_id


def undo_run(folder: Path) -> Run:
    return a_run(folder, operation=Operation.RESUME, undoes="20261124-100000-000000")


async def test_the_rows_are_those_that_the_look_bears_out_and_the_others_are_named(tmp_path: Path) -> None:
    outcomes = [ended(Status.SUCCEEDED, 1), ended(Status.SUCCEEDED, 2), ended(Status.UNCHANGED, 3)]
    snapshot, recording = Snapshot([listed(1), listed(2, "Active"), listed(3, "Active")]), Recording()
    work = undoing(undo_run(tmp_path), lambda: outcomes)
    rows = await work.rows(snapshot, recording.record)
    assert [row async for batch in rows.batches() for row in batch] == [Entry(report_id(1), 1)]
    assert rows.counts.accepted == 1
    assert [line["report_id"] for line in recording.events("left_alone")] == [report_id(2), report_id(3)]
    assert recording.audit.durable_up_to == 2
    assert [row for batch in read_manifest(tmp_path / "manifest.csv") for row in batch] == [Entry(report_id(1), 1)]


async def test_without_a_look_the_outcomes_alone_decide(tmp_path: Path) -> None:
    outcomes = [ended(Status.SUCCEEDED, 1), ended(Status.UNKNOWN, 2)]
    recording = Recording()
    rows = await undoing(undo_run(tmp_path), lambda: outcomes).rows(None, recording.record)
    assert [row async for batch in rows.batches() for row in batch] == [Entry(report_id(1), 1)]
    assert [line["why"] for line in recording.events("left_alone")] == ["in_doubt"]


async def test_by_status_is_heard(tmp_path: Path) -> None:
    outcomes = [ended(Status.SUCCEEDED, 1, modified_time="2026-11-24T10:00:00Z")]
    snapshot, recording = Snapshot([listed(1, "Paused", "2026-11-24T11:00:00Z")]), Recording()
    rows = await undoing(undo_run(tmp_path), lambda: outcomes, by_status=True).rows(snapshot, recording.record)
    assert [row async for batch in rows.batches() for row in batch] == [Entry(report_id(1), 1)]
    assert recording.events("left_alone") == []


async def test_many_rows_are_pinned_in_order(tmp_path: Path) -> None:
    outcomes: list[Outcome] = [ended(Status.SUCCEEDED, number) for number in range(1, 2 * BATCH + 2)]
    work = undoing(undo_run(tmp_path), lambda: outcomes)
    rows = await work.rows(None, Recording().record)
    assert [row.row async for batch in rows.batches() for row in batch] == list(range(1, 2 * BATCH + 2))
    assert work.manifest is not None
    assert work.manifest.is_whole


async def test_the_rows_are_pinned_in_the_order_of_the_source_however_they_ended(tmp_path: Path) -> None:
    outcomes = [ended(Status.SUCCEEDED, number) for number in (3, 1, 4, 2)]
    rows = await undoing(undo_run(tmp_path), lambda: outcomes).rows(None, Recording().record)
    assert [row.row async for batch in rows.batches() for row in batch] == [1, 2, 3, 4]


def test_the_opening_line_names_the_run_that_is_undone(tmp_path: Path) -> None:
    work = undoing(undo_run(tmp_path), list)
    assert (work.opening.event, work.opening.fields["undoes"]) == ("run_started", "20261124-100000-000000")
    assert work.opening.fields["operation"] == "resume"
