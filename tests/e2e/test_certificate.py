"""The pace that a run certifies is the one that the service saw: a second program over its journal says the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import pace_of_journal
from tests.e2e.conftest import MakeOperator
from tests.e2e.driving import Operator, Ran
from tests.e2e.test_pace import worst_stall

pytestmark = pytest.mark.end_to_end

FIGURES = ("fullest_1_s", "fullest_10_s", "fullest_60_s")


def seen_by_the_service(operator: Operator, *, slack_s: float) -> dict[str, Any]:
    """What the second program says of the sandbox's journal."""
    command = [sys.executable, str(Path(pace_of_journal.__file__)), "--slack", str(slack_s)]
    journal = operator.sandbox.journal.to_json_lines()
    said = subprocess.run(command, input=journal, capture_output=True, check=True)
    figures: dict[str, Any] = json.loads(said.stdout)
    return figures


def certified(ran: Ran) -> dict[str, Any]:
    """What the run says, in its summary and in its ledger alike."""
    (line,) = ran.events("rate_certified")
    windows: dict[str, Any] = ran.summary["rate_windows"]
    assert windows.items() <= {**line, "unknown_parts": 0}.items()
    assert ran.ledger[-1]["summary"]["rate_windows"] == windows
    return windows


def test_two_bursts_have_the_same_figures_at_both_ends_silent_resends_and_the_list_included(
    an_operator: MakeOperator,
) -> None:
    # A burst is a quarter of a second long, and the next two seconds later: half a second changes no figure.
    operator = an_operator("close@n=3..6", "429:2*1@n=12", reports=24)
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), "--rate", "100/s", "--no-adapt")
    assert ran.code == 0
    assert ran.summary["sent"] > ran.summary["attempts"]
    windows, seen = certified(ran), seen_by_the_service(operator, slack_s=0.5)
    assert windows["requests"] == seen["requests"] == len(ran.puts) + 1
    assert {name: [windows[name]] * 2 for name in FIGURES} == {name: seen[name] for name in FIGURES}
    assert windows["fullest_1_s"] < windows["fullest_10_s"] == windows["requests"]
    assert windows["exceeded"] is False
    said = f"at most {windows['fullest_1_s']} in any second, {windows['requests']} in 10 s: within 100/s"
    assert f"\nPace      {said}\n" in ran.stdout


@pytest.mark.parametrize("reports", [110, pytest.param(700, marks=pytest.mark.slow)])
def test_a_steady_run_has_the_same_figures_at_both_ends_but_for_the_stalls_on_the_way(
    an_operator: MakeOperator, reports: int
) -> None:
    operator = an_operator("close@~10%", "500@~10%", reports=reports, latency="20ms..60ms")
    with worst_stall() as stalls_s:
        ran = operator.run("pause", operator.source(operator.sandbox.report_ids), "--rate", "50/s")
    assert ran.code == 0
    assert ran.summary["sent"] > ran.summary["attempts"]
    windows, seen = certified(ran), seen_by_the_service(operator, slack_s=0.01 + min(stalls_s[0], 0.1))
    assert windows["requests"] == seen["requests"] == len(ran.puts) + 1
    for name in FIGURES:
        least, most = seen[name]
        assert least <= windows[name] <= most
    assert windows["fullest_1_s"] >= 47


def test_the_second_program_looks_at_every_window() -> None:
    arrivals_s = [0.0, 0.5, 0.625, 1.25, 1.5, 30.0]
    held = [pace_of_journal.fullest(arrivals_s, window_s) for window_s in (0.125, 1.0, 1.25, 10.0, 60.0)]
    assert held == [1, 3, 4, 5, 6]
