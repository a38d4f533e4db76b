"""What is said before a run of the time it has."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest

from bulkpause.cli import plans
from bulkpause.cli.plans import Plan
from bulkpause.clock import LocalZone
from bulkpause.models import Operation, SourceCounts
from bulkpause.settings import Duration, Rate, Run, Settings, Until
from bulkpause.timing import curfew_for
from tests.cli.made import a_run
from tests.virtual_time import EPOCH, StandingClock


def limited(**limits: Any) -> Settings:
    """Settings with a limit, as the border leaves them, with EPOCH for now."""
    settings = Settings(run=Run(rate=Rate(5.0), **limits))
    until = settings.run.until
    if until is not None:
        settings = replace(settings, run=replace(settings.run, until=until.resolved(now=EPOCH, local=UTC)))
    return settings


def planned(settings: Settings) -> Plan:
    """The plan of 4,000 reports, now."""
    return Plan(
        operation=Operation.PAUSE,
        source="reports.csv",
        counts=SourceCounts(accepted=4000),
        rejects=[],
        settings=settings,
        is_sandbox=False,
        curfew=curfew_for(settings, clock=StandingClock()),
    )


def local(seconds: float) -> str:
    """So long after EPOCH, on the clock of this machine."""
    return (EPOCH + timedelta(seconds=seconds)).astimezone(LocalZone()).isoformat(sep=" ")


@pytest.mark.parametrize(
    ("limits", "lines"),
    [
        (
            {"time_limit": Duration(600.0)},
            [
                f"  limit      {local(600)} (run.time_limit 10m), 10 min 0 s left",
                "             no report is begun in the last 1 min 0 s of that, nothing leaves in the last 30 s",
                "  forecast   at best 13 min 20 s, without retries and holds: does not fit, that would take 7.5/s",
            ],
        ),
        (
            {"until": Until.parse("01:30+01:00"), "guard": Duration(300.0)},
            [
                "  limit      2026-01-01 01:30:00+01:00 (run.until 01:30+01:00, run.guard 5m), 25 min 0 s left",
                "             no report is begun in the last 1 min 0 s of that, nothing leaves in the last 30 s",
                "  forecast   at best 13 min 20 s, without retries and holds: fits",
            ],
        ),
        (
            {"time_limit": Duration(20.0)},
            [
                f"  limit      {local(20)} (run.time_limit 20s), 20 s left",
                "             no report is begun in the last 35 s of that, nothing leaves in the last 30 s",
                "  forecast   at best 13 min 20 s, without retries and holds: does not fit",
            ],
        ),
    ],
)
def test_the_plan_says_whether_it_fits(
    limits: dict[str, Any], lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = limited(**limits)
    plans.show_plan(planned(settings), as_json=False)
    assert "\n".join(lines) in capsys.readouterr().out


def test_the_plan_as_json_says_when_the_time_is_up_and_what_it_would_take() -> None:
    settings = limited(until=Until.parse("00:10Z"))
    document = planned(settings).to_dict()
    assert document["time_limit"] == {
        "ends_at": EPOCH + timedelta(minutes=10),
        "time_left_s": 600.0,
        "last_report_s": 60.5,
        "last_attempt_s": 30.0,
        "fit": "does_not_fit",
        "needed_per_s": 7.414,
    }


def test_the_question_says_until_when_and_whether_it_fits() -> None:
    settings = limited(until=Until.parse("00:10Z"))
    asked = plans.question(a_run(), settings, SourceCounts(accepted=900), clock=StandingClock())
    assert asked.endswith("5/s, at best 3 min 0 s, until 2026-01-01 00:10+00:00: fits?")
