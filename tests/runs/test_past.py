"""Runs that were, told from their ledgers alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkpause.errors import SourceError
from bulkpause.models import Status
from bulkpause.runs.finding import RunFolder
from bulkpause.runs.past import differences, outcomes_of, read_run, report_of, sealed_summary
from bulkpause.runs.report import write_summary
from tests.cli.made import report_id
from tests.ledger_lines import RUN_ID, Lines


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """The directory of a run without a ledger."""
    (tmp_path / RUN_ID).mkdir()
    return RunFolder(tmp_path / RUN_ID)


@pytest.fixture
def lines() -> Lines:
    """The ledger of a run with one success and one failure."""
    made = Lines()
    made.start()
    for number, status in ((1, Status.SUCCEEDED), (2, Status.DENIED)):
        made.intent(number)
        made.outcome(number, status)
    made.add("source_read", read=2, accepted=2, duplicate=0, invalid=0, manifest_sha256="abc")
    return made


def write(folder: RunFolder, lines: Lines, torn: bytes = b"") -> RunFolder:
    folder.audit_file.write_bytes(lines.raw() + torn)
    return folder


def test_a_run_without_a_ledger_has_sent_nothing_unless_that_was_moved(folder: RunFolder) -> None:
    with pytest.raises(SourceError) as refused:
        read_run(folder)
    assert str(refused.value) == (
        f"run {RUN_ID} has no audit log at {folder.audit_file}. If it was not moved, nothing was sent: "
        "give the source to a new run."
    )


def test_a_ledger_that_cannot_be_read_is_said(folder: RunFolder) -> None:
    folder.audit_file.mkdir()
    with pytest.raises(SourceError, match=r"audit\.jsonl: cannot be read: Is a directory\."):
        read_run(folder)


@pytest.mark.parametrize("text", [b"", b"\n", b"no ledger\n", b'{"seq":1,"event":"hold"}\n', b'{"seq":1,"event":"run'])
def test_a_file_without_a_first_line_is_no_ledger_of_a_run(folder: RunFolder, text: bytes) -> None:
    folder.audit_file.write_bytes(text)
    with pytest.raises(SourceError, match="no audit log of a run, its first line is missing"):
        read_run(folder)


def test_the_ledger_of_two_operations_is_refused(folder: RunFolder, lines: Lines) -> None:
    lines[4]["operation"] = "resume"
    with pytest.raises(SourceError, match="names pause and resume; the audit log of one run does not"):
        read_run(write(folder, lines))


def test_a_first_line_that_does_not_say_what_the_run_was_is_refused(folder: RunFolder, lines: Lines) -> None:
    del lines[0]["target"]
    with pytest.raises(SourceError, match="its run_started line does not say what the run was"):
        read_run(write(folder, lines))


def test_a_run_is_what_its_latest_part_says(folder: RunFolder, lines: Lines) -> None:
    lines.start("run_continued", rate_limit_per_s=7.0, flags=["--rate", "7/s"])
    past = read_run(write(folder, lines, torn=b'{"se'))
    assert (past.run.rate_per_s, past.run.flags, past.run.directory) == (7.0, ("--rate", "7/s"), folder.directory)
    assert (past.tail.seq, past.tail.cut_bytes) == (len(lines), 4)


def test_the_next_line_counts_on_from_the_last_one_of_the_run(folder: RunFolder, lines: Lines) -> None:
    write(folder, lines, torn=b'{"seq":77,"run_id":"another","event":"hold"}\n')
    assert read_run(folder).tail.seq == len(lines)


@pytest.mark.parametrize(
    ("ends", "state", "reason"),
    [
        ([("run_finished", {"state": "finished"})], "finished", None),
        (
            [("halted", {"reason": "unreachable", "message": "nobody"}), ("run_finished", {"state": "halted"})],
            "halted",
            {"reason": "unreachable", "message": "nobody"},
        ),
        (
            [("stop_requested", {"signal": 2}), ("run_finished", {"state": "interrupted"})],
            "interrupted",
            {"reason": "signal", "message": "SIGINT"},
        ),
        (
            [("stop_requested", {"signal": 99}), ("run_finished", {"state": "interrupted"})],
            "interrupted",
            {"reason": "signal", "message": "signal 99"},
        ),
        (
            [("run_finished", {"state": "broken", "stopped_by": {"reason": "error", "message": "KeyError"}})],
            "broken",
            {"reason": "error", "message": "KeyError"},
        ),
        ([], "interrupted", {"reason": "killed", "message": "the audit log has no last line"}),
        (
            [("stop_requested", {"signal": 15})],
            "interrupted",
            {"reason": "killed", "message": "the audit log has no last line"},
        ),
    ],
)
def test_the_state_of_a_run_is_told_by_how_its_ledger_ends(
    folder: RunFolder, lines: Lines, ends: list[tuple[str, dict[str, Any]]], state: str, reason: Any
) -> None:
    for event, fields in ends:
        if event == "run_finished":
            lines.finish(**fields)
        else:
            lines.add(event, **fields)
    report = report_of(read_run(write(folder, lines)))
    assert (report.state, report.to_dict()["stopped_by"]) == (state, reason)
    assert report.source_has_ended is True
    assert (report.wall_s, report.summary.by_status) == (len(lines) - 1.0, {Status.SUCCEEDED: 1, Status.DENIED: 1})


def test_a_continued_run_is_told_by_its_last_part_and_as_long_as_all_of_them(folder: RunFolder, lines: Lines) -> None:
    lines.add("halted", reason="unreachable", message="nobody")
    lines.finish("halted")
    lines.start("run_continued")
    lines.finish()
    report = report_of(read_run(write(folder, lines)))
    assert (report.state, report.halt, report.wall_s) == ("finished", None, 8.0)
    assert (report.started_at.second, report.finished_at.second) == (1, 10)


def finished(folder: RunFolder, lines: Lines) -> dict[str, Any]:
    """The summary of a run that came to its end, on the disk as the run wrote it."""
    lines.finish()
    report = report_of(read_run(write(folder, lines)))
    write_summary(report)
    document: dict[str, Any] = orjson.loads(folder.summary_file.read_bytes())
    return document


def test_a_summary_that_nobody_has_touched_is_as_the_ledger_says(folder: RunFolder, lines: Lines) -> None:
    finished(folder, lines)
    assert differences(report_of(read_run(folder))) == []


def test_a_run_without_a_summary_contradicts_nothing(folder: RunFolder, lines: Lines) -> None:
    assert differences(report_of(read_run(write(folder, lines)))) == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("by_status", {"succeeded": 2}, "{'succeeded': 2}, the audit log {'succeeded': 1, 'denied': 1}."),
        ("sent", 9, "9, the audit log 2."),
        ("state", "halted", "'halted', the audit log 'finished'."),
        ("tenant_id", "fabrikam", "'fabrikam', the audit log 'contoso'."),
        ("audit_head", "f" * 64, f"'{'f' * 64}', the audit log '{'0' * 64}'."),
    ],
)
def test_an_edited_summary_is_named_with_what_the_ledger_says(
    folder: RunFolder, lines: Lines, name: str, value: Any, said: str
) -> None:
    folder.summary_file.write_bytes(orjson.dumps({**finished(folder, lines), name: value}))
    assert differences(report_of(read_run(folder))) == [f"summary.json says {name} {said}"]


@pytest.mark.parametrize(("text", "said"), [(b"{", "cannot be read."), (b"[]", "is no summary.")])
def test_a_summary_that_is_none_is_named(folder: RunFolder, lines: Lines, text: bytes, said: str) -> None:
    finished(folder, lines)
    folder.summary_file.write_bytes(text)
    assert differences(report_of(read_run(folder))) == [f"{folder.summary_file} {said}"]
    assert sealed_summary(folder) is None


def test_the_summary_of_the_part_before_is_no_contradiction_of_a_killed_continuation(
    folder: RunFolder, lines: Lines
) -> None:
    finished(folder, lines)
    lines.start("run_continued")
    lines.outcome(2)
    report = report_of(read_run(write(folder, lines)))
    assert (report.state, differences(report)) == ("interrupted", [])


def test_a_summary_of_another_ledger_is_a_contradiction_even_of_a_killed_run(folder: RunFolder, lines: Lines) -> None:
    folder.summary_file.write_bytes(orjson.dumps({**finished(folder, lines), "audit_head": "f" * 64}))
    lines.start("run_continued")
    assert differences(report_of(read_run(write(folder, lines)))) != []


def test_a_summary_is_believed_at_a_glance_if_the_last_line_is_the_one_it_speaks_of(
    folder: RunFolder, lines: Lines
) -> None:
    document = finished(folder, lines)
    assert sealed_summary(folder) == document
    lines.start("run_continued")
    write(folder, lines)
    assert sealed_summary(folder) is None


def test_of_every_row_one_outcome_counts_the_unfinished_ones_included(folder: RunFolder, lines: Lines) -> None:
    lines.outcome(3, Status.UNKNOWN)
    lines.intent(2)
    lines.intent(3)
    lines.retry(3, verdict="unanswered", sent=0, status_code=None, message=None, error="cannot connect")
    lines.intent(4)
    found = {
        outcome.report_id: (outcome.status, outcome.error) for outcome in outcomes_of(read_run(write(folder, lines)))
    }
    assert {one: status for one, (status, _) in found.items()} == {
        report_id(1): Status.SUCCEEDED,
        report_id(2): Status.UNKNOWN,
        report_id(3): Status.UNKNOWN,
        report_id(4): Status.UNKNOWN,
    }
    assert found[report_id(3)][1] is None, "nothing left for it since"
