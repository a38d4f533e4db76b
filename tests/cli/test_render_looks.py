"""What an operator reads of a look at the tenant: before a run, behind it, and for an undo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from bulkpause.cli import plans, render
from bulkpause.models import UNLISTED, Operation, Status
from bulkpause.replay import Replay
from bulkpause.runs.past import PastRun
from bulkpause.runs.report import RunReport
from bulkpause.settings import Auth, Rate, Run, Settings
from bulkpause.tenant.verify import Finding, Verification
from bulkpause.work.undo import LeftAlone, Why
from tests.cli.made import DIRECTORY, a_report, a_run, outcomes, report_id
from tests.virtual_time import StandingClock

Capture = pytest.CaptureFixture[str]

UNDONE = "20261122-020000-000000"
UNDO = a_run(operation=Operation.RESUME, undoes=UNDONE)


def shown(capsys: Capture, report: RunReport) -> str:
    """What stdout gets."""
    render.show_report(report, as_json=False)
    return capsys.readouterr().out


def find(report: RunReport, finding: Finding, *, count: int, status: str | None) -> None:
    """Let so many reports be found so."""
    for number in range(1, count + 1):
        fields = {"finding": finding.value, "report_id": report_id(number), "report_status": status}
        report.summary.add_event("finding", fields)


def verify(report: RunReport, error: str | None = None, **counts: int) -> Verification:
    """Let that be what verifying came to."""
    found = Verification(Counter({Finding(kind): count for kind, count in counts.items()}), requests=2, error=error)
    report.summary.add_event("verified", {"counts": found.to_dict()})
    return found


def leave_alone(report: RunReport, why: Why, *, count: int, said: str) -> None:
    """Let an undo leave so many reports alone."""
    for number in range(1, count + 1):
        report.summary.add_event("left_alone", LeftAlone(why, report_id(number), number, said).to_dict())


def test_a_verified_run_tells_what_it_knew_before_and_what_is_otherwise_than_claimed(capsys: Capture) -> None:
    groups = (
        outcomes(Status.SUCCEEDED, 200, count=1193, before="Active"),
        outcomes(Status.UNKNOWN, 200, count=7, message="contradicted: read back, the report is Active"),
        outcomes(Status.SUCCEEDED, 200, count=2, before=UNLISTED),
        outcomes(Status.UNCHANGED, count=300, tries=0, sent=0, attempt_ms=None),
    )
    report = a_report(*groups, wall_s=200.0)
    report.summary.listed = 5000
    find(report, Finding.CONTRADICTED, count=7, status="Active")
    find(report, Finding.MISSING, count=1, status=None)
    verify(report, converged=1492, late=2, contradicted=7, missing=1)
    assert shown(capsys, report) == (
        "Paused 1,195 of 1,502 reports in 3 min 20 s, 300 were paused already\n"
        "\n"
        "  StatusCode  Count  Outcome\n"
        "  200         1,202  1,195 succeeded, 7 unknown\n"
        "  none          300  unchanged\n"
        "\n"
        "1 missing: the tenant's list does not have the report any more\n"
        f"  {report_id(1)} is not listed\n"
        "\n"
        "7 unknown 200: contradicted: read back, the report is Active\n"
        + "".join(f"  {report_id(number)}\n" for number in range(1, 6))
        + "  and 2 more\n"
        "\n"
        "Rows      1,502 read: 1,502 accepted, 0 duplicate, 0 invalid\n"
        "Requests  1,202 sent at 6.0/s (limit 5/s)\n"
        "Latency   p50 40 ms, p90 40 ms, p99 40 ms, max 40 ms\n"
        "Tenant    5,000 reports listed before the first request; 2 reports sent a request without being listed\n"
        "Verified  1,492 converged, 2 late, 7 contradicted, 1 missing\n"
        f"Audit log {DIRECTORY}/audit.jsonl\n"
        f"Next      bulkpause continue {DIRECTORY}\n"
        f"Undo      bulkpause undo {DIRECTORY}\n"
    )


def test_one_of_each_is_singular(capsys: Capture) -> None:
    report = a_report(outcomes(Status.SUCCEEDED, 200, before=UNLISTED))
    report.summary.listed = 1
    assert (
        "Tenant    1 report listed before the first request; 1 report sent a request without being listed\n"
    ) in shown(capsys, report)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({}, "nothing to verify"),
        ({"converged": 1}, "1 converged"),
        ({"converged": 1200, "unreadable": 3}, "1,200 converged, 3 unreadable"),
    ],
)
def test_the_verified_line_says_every_count(capsys: Capture, counts: dict[str, int], words: str) -> None:
    report = a_report(outcomes(Status.SUCCEEDED, 200))
    verify(report, None, **counts)
    assert f"Verified  {words}\n" in shown(capsys, report)


def test_a_run_of_several_parts_is_not_held_against_the_rate_of_one(capsys: Capture) -> None:
    report = a_report(outcomes(Status.SUCCEEDED, 200, count=60), was_continued=True)
    assert "\nRequests  60 sent\n" in shown(capsys, report)


def test_an_undo_says_which_run_it_undid_and_names_what_it_left_alone(capsys: Capture, tmp_path: Path) -> None:
    run = a_run(tmp_path, operation=Operation.RESUME, undoes=UNDONE)
    run.left_alone_file.touch()
    report = a_report(outcomes(Status.SUCCEEDED, 200, count=680, before="Paused"), run=run, wall_s=136.0)
    leave_alone(report, Why.CHANGED_SINCE, count=6, said="it is Active, the run left it Paused")
    leave_alone(report, Why.WAS_SO_BEFORE, count=1, said="it was Paused before the run")
    leave_alone(report, Why.IN_DOUBT, count=1, said="nothing says")
    leave_alone(report, Why.MISSING, count=1, said="gone")
    text = shown(capsys, report)
    assert text.startswith(f"Resumed 680 of 680 reports in 2 min 16 s, undoing run {UNDONE}\n\n")
    named = "".join(f"  {report_id(number)}: it is Active, the run left it Paused\n" for number in range(1, 6))
    assert f"\n6 left alone, changed by somebody else since\n{named}  and 1 more\n\n" in text
    assert f"\n1 left alone, was so before the run\n  {report_id(1)}: it was Paused before the run\n\n" in text
    assert f"\n1 left alone, in doubt whether the run changed it\n  {report_id(1)}: nothing says\n\n" in text
    assert f"\n1 left alone, no longer in the tenant's list\n  {report_id(1)}: gone\n\n" in text
    assert f"\nUntouched {tmp_path}/left-alone.csv\n" in text


def test_an_undo_that_finds_nothing_says_so_and_what_it_left_alone(capsys: Capture) -> None:
    report = a_report(run=UNDO)
    leave_alone(report, Why.CHANGED_SINCE, count=1, said="it is Active")
    text = shown(capsys, report)
    assert text.startswith(f"Nothing to undo of run {UNDONE}.\n\n1 left alone, changed by somebody else since\n")
    assert "\nUntouched" not in text


def test_an_interrupted_undo_says_both(capsys: Capture) -> None:
    report = a_report(outcomes(Status.SUCCEEDED, 200), outcomes(Status.SKIPPED), run=UNDO, stop_signal=2)
    assert shown(capsys, report).startswith(f"Interrupted: resumed 1 of 2 reports in 4.0 s, undoing run {UNDONE}\n")


def test_words_of_others_cannot_forge_a_line_among_the_findings(capsys: Capture) -> None:
    report = a_report(outcomes(Status.SUCCEEDED, 200), run=UNDO)
    find(report, Finding.CONTRADICTED, count=1, status="\x1b[2J\r\nforged\u202e")
    leave_alone(report, Why.CHANGED_SINCE, count=1, said="it is \x1b[2J\r\nforged\u202e")
    text = shown(capsys, report)
    assert [char for char in text if not char.isprintable() and char != "\n"] == []
    assert "\nforged" not in text


def test_a_verification_is_told_from_its_headline_to_what_to_type_next(capsys: Capture) -> None:
    report = a_report(outcomes(Status.SUCCEEDED, 200, count=3), outcomes(Status.UNKNOWN))
    find(report, Finding.CONTRADICTED, count=1, status="Active")
    found = verify(report, converged=1, late=1, contradicted=1, unreadable=1)
    render.show_verification(report, found, as_json=False)
    assert capsys.readouterr().out == (
        f"2 of 4 reports of run {DIRECTORY.name} are as it says\n"
        "\n"
        "1 contradicted: the service does not have it as the audit log says\n"
        f"  {report_id(1)} is Active\n"
        "\n"
        "Verified  1 converged, 1 late, 1 contradicted, 1 unreadable\n"
        f"Audit log {DIRECTORY}/audit.jsonl\n"
        f"Next      bulkpause continue {DIRECTORY}\n"
    )


def test_a_verification_with_nothing_left_to_do_names_no_command(capsys: Capture) -> None:
    report = a_report(outcomes(Status.SUCCEEDED, 200))
    render.show_verification(report, verify(report, converged=1), as_json=False)
    assert capsys.readouterr().out == (
        f"1 of 1 report of run {DIRECTORY.name} is as it says\n"
        "\n"
        "Verified  1 converged\n"
        f"Audit log {DIRECTORY}/audit.jsonl\n"
    )


def test_a_verification_as_json_says_the_same(capsys: Capture) -> None:
    report = a_report(outcomes(Status.SUCCEEDED, 200, count=2))
    find(report, Finding.MISSING, count=1, status=None)
    found = verify(report, converged=1, missing=1)
    render.show_verification(report, found, as_json=True)
    assert orjson.loads(capsys.readouterr().out) == {
        "schema": 1,
        "run_id": DIRECTORY.name,
        "operation": "pause",
        "verified": found.to_dict(),
        "findings": {"missing": {"count": 1, "examples": [f"{report_id(1)} is not listed"]}},
        "next": None,
    }


PAST = PastRun(a_run(), Replay(), tail=None)  # type: ignore[arg-type]  # a plan does not look at it


@pytest.mark.parametrize(
    ("most", "lines"),
    [
        (0, [f"Nothing to undo: run {DIRECTORY.name} changed nothing."]),
        (
            1,
            [
                f"Would resume at most 1 report that run {DIRECTORY.name} paused, at URL, 100/s. Nothing was sent.",
                "What somebody else has changed since is found out first, and left alone.",
            ],
        ),
    ],
)
def test_the_plan_of_an_undo_says_how_much_it_is_at_most(capsys: Capture, most: int, lines: Sequence[str]) -> None:
    plans.show_undo(PAST, most, Settings(), is_rehearsal=True, as_json=False)
    assert capsys.readouterr().out.replace(Settings().api.base_url, "URL").splitlines() == lines


def test_the_plan_of_an_undo_as_json_says_the_same(capsys: Capture) -> None:
    plans.show_undo(PAST, 700, Settings(), is_rehearsal=True, as_json=True)
    assert orjson.loads(capsys.readouterr().out) == {
        "schema": 1,
        "dry_run": True,
        "undoes": DIRECTORY.name,
        "operation": "resume",
        "at_most": 700,
    }


@pytest.mark.parametrize(("tenant", "words"), [(None, ""), ("contoso.example", " of tenant contoso.example")])
def test_the_question_before_an_undo_names_both_operations(tenant: str | None, words: str) -> None:
    settings = Settings(auth=Auth(tenant_id=tenant), run=Run(rate=Rate(5.0)))
    assert plans.undo_question(PAST, 1200, settings, clock=StandingClock()) == (
        f"Resume at most 1,200 reports{words} that run {DIRECTORY.name} paused, at {Settings().api.base_url}, "
        "5/s, at best 4 min 0 s?"
    )
