"""What an operator reads at the end of a run, and before one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bulkpause.cli import plans, render
from bulkpause.cli.plans import Plan
from bulkpause.errors import AuditError
from bulkpause.models import Halt, HaltReason, Operation, Outcome, Reject, SourceCounts, Status
from bulkpause.runs.report import RunReport
from bulkpause.settings import Auth, Rate, Run, Settings
from bulkpause.summary.windows import SPANS_S
from bulkpause.timing import curfew_for
from tests.cli.calling import Keyboard
from tests.cli.made import DIRECTORY, a_report, a_run, outcomes, report_id
from tests.virtual_time import StandingClock

Capture = pytest.CaptureFixture[str]

DENIED = "User does not have permission to access this report."
MIXED = (
    outcomes(Status.SUCCEEDED, 200, count=1500),
    outcomes(Status.UNCHANGED, 200, count=3),
    outcomes(Status.DENIED, 403, count=7, message=DENIED),
    outcomes(Status.EXHAUSTED, 500, message="Internal error.", tries=5, sent=5),
    outcomes(Status.UNKNOWN, error="no reply within 30 s"),
    outcomes(Status.INVALID, message="not a UUID: TBD"),
)

MIXED_TEXT = f"""\
Paused 1,500 of 1,512 reports in 3 min 20 s, 3 were paused already

  StatusCode  Count  Outcome
  200         1,503  1,500 succeeded, 3 unchanged
  403             7  denied
  500             1  exhausted
  none            2  1 invalid, 1 unknown

7 denied 403: {DENIED}
  {report_id(1)}
  {report_id(2)}
  {report_id(3)}
  {report_id(4)}
  {report_id(5)}
  and 2 more

1 exhausted 500: Internal error.
  {report_id(1)}

1 unknown: no reply within 30 s
  {report_id(1)}

1 invalid: not a UUID
  line 1514: TBD

Rows      1,515 read: 1,512 accepted, 2 duplicate, 1 invalid
Requests  1,516 sent at 7.6/s (limit 5/s): 4 retries, 1 hold
Latency   p50 40 ms, p90 40 ms, p99 40 ms, max 40 ms
Audit log {DIRECTORY}/audit.jsonl
Next      bulkpause continue {DIRECTORY} --failed
Undo      bulkpause undo {DIRECTORY}
"""


def shown(capsys: Capture, report: RunReport) -> str:
    """What stdout gets."""
    render.show_report(report, as_json=False)
    return capsys.readouterr().out


def mixed() -> RunReport:
    report = a_report(*MIXED, wall_s=200.0, failed_file=DIRECTORY / "failed.csv")
    report.summary.duplicates, report.summary.holds = 2, 1
    return report


def certified_report(requests: int, *fullest: int) -> RunReport:
    """The report of a run that certified these figures, at 50/s."""
    report = a_report(outcomes(Status.SUCCEEDED, 200))
    fields = {"rate_limit_per_s": 50.0, "exceeded": fullest[0] > 51, **dict(zip(SPANS_S, fullest, strict=True))}
    for event in ("run_started", "rate_certified"):
        report.summary.add_event(event, {"requests": requests, **fields})
    return report


def test_the_summary_of_a_run_with_every_kind_of_end(capsys: Capture) -> None:
    assert shown(capsys, mixed()) == MIXED_TEXT


def test_the_counts_of_the_table_and_the_duplicates_add_up_to_the_rows_read(capsys: Capture) -> None:
    table = re.findall(r"^  (?:\d{3}|none) +([\d,]+)  ", shown(capsys, mixed()), re.MULTILINE)
    assert sum(int(count.replace(",", "")) for count in table) + 2 == 1515


def test_one_of_each_is_singular(capsys: Capture) -> None:
    report = a_report(outcomes(Status.EXHAUSTED, 429, tries=2, sent=2), wall_s=1.0)
    report.summary.token_refreshes = report.summary.holds = 1
    text = shown(capsys, report)
    assert text.startswith("Paused 0 of 1 report in 1.0 s\n")
    assert "Requests  2 sent at 2.0/s (limit 5/s): 1 retry, 1 throttled (429), 1 hold, 1 token refresh\n" in text


def test_a_rate_over_less_than_a_second_is_not_shown(capsys: Capture) -> None:
    assert "Requests  1 sent\n" in shown(capsys, a_report(outcomes(Status.SUCCEEDED, 200), wall_s=0.02))


@pytest.mark.parametrize(
    ("certified", "words"),
    [
        ((2970, 50, 496, 2970), "at most 50 in any second, 496 in 10 s, 2,970 in a minute: within 50/s"),
        ((496, 50, 496, 496), "at most 50 in any second, 496 in 10 s: within 50/s"),
        ((20, 20, 20, 20), "at most 20 in any second: within 50/s"),
        ((60, 60, 60, 60), "at most 60 in any second: ABOVE 50/s"),
    ],
)
def test_the_fullest_windows_are_shown_up_to_one_that_holds_everything(
    capsys: Capture, certified: tuple[int, ...], words: str
) -> None:
    assert f"Pace      {words}\n" in shown(capsys, certified_report(*certified))


def test_of_a_part_that_broke_off_the_windows_are_not_known(capsys: Capture) -> None:
    report = certified_report(20, 20, 20, 20)
    report.summary.add_event("run_continued", {})
    assert "any second: within 50/s; not known of 1 part that broke off\n" in shown(capsys, report)


def test_no_pace_is_shown_where_nothing_left(capsys: Capture) -> None:
    assert "Pace" not in shown(capsys, certified_report(0, 0, 0, 0))


def test_nothing_to_do_is_said_so(capsys: Capture) -> None:
    text = shown(capsys, a_report())
    assert text == (
        "Nothing to do: the source holds no report ids.\n\n"
        f"Rows      0 read: 0 accepted, 0 duplicate, 0 invalid\nAudit log {DIRECTORY}/audit.jsonl\n"
    )


@pytest.mark.parametrize(
    ("stopped_by", "words"),
    [
        ({}, "Resumed 2 of 3 reports in 4.0 s"),
        ({"stop_signal": 2}, "Interrupted: resumed 2 of 3 reports in 4.0 s"),
        ({"halt": Halt(HaltReason.UNREACHABLE, "no answer")}, "Halted: resumed 2 of 3 reports in 4.0 s"),
        ({"audit_error": AuditError("disk full.")}, "Broken off: resumed 2 of 3 reports in 4.0 s"),
    ],
)
def test_the_headline_says_how_the_run_ended(capsys: Capture, stopped_by: dict[str, Any], words: str) -> None:
    groups = outcomes(Status.SUCCEEDED, 200, count=2), outcomes(Status.SKIPPED)
    report = a_report(*groups, run=a_run(operation=Operation.RESUME), **stopped_by)
    assert shown(capsys, report).splitlines()[0] == words


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"halt": Halt(HaltReason.UNREACHABLE, "no answer.")}, "bulkpause: halted: no answer.\n"),
        (
            {"halt": Halt(HaltReason.GUARD, "6 failed. All 403.", ("All 403", "wh\x1by"))},
            "bulkpause: halted: 6 failed. All 403.\nbulkpause: besides: wh\\x1by.\n",
        ),
        ({"audit_error": AuditError("disk full.")}, "bulkpause: disk full. Sending stopped at once.\n"),
        ({"warnings": ["one.", "t\x1bwo."]}, "bulkpause: one.\nbulkpause: t\\x1bwo.\n"),
        ({"stop_signal": 2}, ""),
    ],
)
def test_what_the_operator_must_know_goes_to_stderr(capsys: Capture, more: dict[str, Any], words: str) -> None:
    render.show_report(a_report(**more), as_json=False)
    assert capsys.readouterr().err == words


def test_what_was_never_sent_comes_after_what_went_wrong(capsys: Capture) -> None:
    text = shown(capsys, a_report(outcomes(Status.SKIPPED, count=9), outcomes(Status.DENIED, 403)))
    assert text.index("1 denied 403\n") < text.index("9 skipped: never sent\n")


@pytest.mark.parametrize(
    "outcome",
    [
        outcomes(Status.REJECTED, 400, message="\x1b[2J\r\nforged line\u202e"),
        outcomes(Status.INVALID, message="not a UUID: \x1b[2J\r\nforged line\u202e"),
        outcomes(Status.UNKNOWN, error="\x1b[2J\r\nforged line\u202e"),
    ],
)
def test_words_of_others_cannot_move_the_cursor_or_forge_a_line(capsys: Capture, outcome: list[Outcome]) -> None:
    run = a_run(Path("runs", "\x1b[2J\u202e"))
    text = shown(capsys, a_report(outcome, run=run, failed_file=run.directory / "failed.csv"))
    assert [char for char in text if not char.isprintable() and char != "\n"] == []
    assert not re.search("^forged", text, re.MULTILINE)


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Keyboard()
    monkeypatch.setattr("sys.stdout", screen)
    render.show_report(mixed(), as_json=False)
    coloured = screen.getvalue()
    assert "\x1b[32m  200         1,503" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == MIXED_TEXT
    monkeypatch.setenv("NO_COLOR", "1")
    render.show_report(mixed(), as_json=False)
    assert screen.getvalue() == coloured + MIXED_TEXT


GENTLE = Run(rate=Rate(5.0), concurrency=8)

PLAN = Plan(
    operation=Operation.PAUSE,
    source="reports.csv",
    counts=SourceCounts(accepted=4000, duplicate=1, invalid=7),
    rejects=[Reject(3, "TBD", "not a UUID")],
    settings=Settings(auth=Auth(tenant_id="contoso.example"), run=GENTLE),
    is_sandbox=False,
    curfew=curfew_for(Settings(), clock=StandingClock()),
)


def test_the_plan_of_a_dry_run(capsys: Capture) -> None:
    plans.show_plan(PLAN, as_json=False)
    assert capsys.readouterr().out == (
        "Would pause 4,000 reports from reports.csv. Nothing was sent.\n"
        "\n"
        "  rows       4,008 read: 4,000 accepted, 1 duplicate, 7 invalid\n"
        "  target     https://api.partnercenter.microsoft.com/insights/v1/mpn\n"
        "  tenant     contoso.example\n"
        "  rate       5/s, at most 8 in flight\n"
        "  forecast   at best 13 min 20 s, without retries and holds\n"
        "\n"
        "Invalid rows, the first 1:\n"
        "  line 3: not a UUID: TBD\n"
    )


def test_the_plan_as_json_says_the_same() -> None:
    document = PLAN.to_dict()
    assert document["dry_run"] is True
    assert (document["accepted"], document["forecast_s"]) == (4000, 800.0)
    assert document["invalid_rows"] == [{"row": 3, "reason": "not a UUID", "text": "TBD"}]


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (SourceCounts(accepted=1), "Pause 1 report at URL, 5/s, at best 0.2 s?"),
        (
            SourceCounts(accepted=900, invalid=2),
            "Pause 900 reports (leaving out 2 invalid rows) at URL, 5/s, at best 3 min 0 s?",
        ),
        (None, "Pause an unknown number of reports at URL, 5/s?"),
    ],
)
def test_the_question_counts_what_it_can(counts: SourceCounts | None, words: str) -> None:
    assert plans.question(a_run(), Settings(run=GENTLE), counts, clock=StandingClock()) == words.replace(
        "URL", Settings().api.base_url
    )


def test_a_limit_that_was_found_and_an_outage_are_said(capsys: Capture) -> None:
    report = certified_report(600, 40, 390, 600)
    change = {"per_s": 37.8, "was_per_s": 40.0, "reason": "measured", "limit_per_s": 38.4, "confirmed": True}
    for event, fields in (("rate_changed", change), ("breaker_opened", {})):
        report.summary.add_event(event, fields)
    text = shown(capsys, report)
    assert ": within 50/s; the service was found to allow 39/s\n" in text
    assert "1 outage" in text
    document = report.to_dict()
    assert (document["outages"], document["limit_found_per_s"]) == (1, 38.4)
