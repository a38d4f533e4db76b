"""The time limit, a process that stands still, and a clock that is set: through the installed command."""

from __future__ import annotations

import signal
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.conftest import MakeOperator
from tests.e2e.driving import wait_until

pytestmark = pytest.mark.end_to_end

TIMEOUT_S = 0.6
"""Of one attempt; the backoff before a retry is short wherever there are faults."""


def test_a_run_over_its_time_leaves_nothing_in_flight_and_continue_does_the_rest(an_operator: MakeOperator) -> None:
    operator = an_operator("500@~5%", reports=120, latency="20ms..80ms")
    source = operator.source(operator.sandbox.report_ids)
    ran = operator.run(
        *("pause", source, "--rate", "20/s", "--time-limit", "3s", "--guard", "0.5s", "--timeout", f"{TIMEOUT_S}")
    )
    summary = ran.summary
    assert (ran.code, summary["state"], summary["stopped_by"]["reason"]) == (4, "halted", "time_limit")
    began = datetime.fromisoformat(ran.events("run_started")[0]["at"])
    last_puts = [datetime.fromisoformat(put.at) + timedelta(milliseconds=put.delay_ms) for put in ran.puts[-5:]]
    assert max(last_puts) <= began + timedelta(seconds=2.5)
    assert datetime.fromisoformat(ran.puts[-1].at) <= began + timedelta(seconds=2.5 - TIMEOUT_S + 0.1)
    left = ran.statuses["skipped"] + summary["interrupted"]
    assert 60 <= left < 120
    assert summary["forecast"]["at_end"]["left"] == left
    assert summary["forecast"]["at_end"]["left_s"] == pytest.approx(left / 20, rel=0.3)
    assert "(run.time_limit 3s, run.guard 0.5s)" in ran.stderr
    assert f"{left} reports are left, about " in ran.stderr
    again = operator.run("continue", "last", "--failed")
    assert again.code == 0
    assert set(operator.sandbox.report_statuses.values()) == {"Paused"}


def test_a_moment_ends_a_run_that_waits_for_its_source(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=5)
    until = datetime.now(UTC) + timedelta(seconds=3)
    arguments = ("--until", f"{until:%Y-%m-%dT%H:%M:%S.%fZ}", "--timeout", "0.5", "--yes")
    running = operator.start("pause", "-", *arguments)
    running.type("\n".join(["ReportId", *operator.sandbox.report_ids, ""]))
    assert running.process.wait(timeout=10) == 4
    assert datetime.now(UTC) < until + timedelta(seconds=1)
    ran = running.end()
    assert ran.statuses == {"succeeded": 5}
    assert ran.summary["stopped_by"]["reason"] == "time_limit"
    assert ran.summary["source_has_ended"] is False


def test_a_hold_beyond_the_limit_is_not_waited_out(an_operator: MakeOperator) -> None:
    operator = an_operator("429:60@n=5..99", reports=40)
    began_s = time.monotonic()
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), "--time-limit", "50s", "--timeout", "5")
    assert (ran.code, ran.summary["stopped_by"]["reason"]) == (4, "time_limit")
    assert time.monotonic() - began_s < 10
    assert ran.statuses["succeeded"] == 4
    assert "the next attempt has to wait another 60 s" in ran.stderr


def test_a_run_that_fits_says_so_and_is_as_any_other(an_operator: MakeOperator) -> None:
    operator = an_operator()
    source = operator.source(operator.sandbox.report_ids)
    ran = operator.run("pause", source, "--dry-run", "--rate", "10/s", "--until", "23:59Z", "--timeout", "0.1")
    assert "forecast   at best 2.0 s, without retries and holds: fits\n" in ran.stdout
    ran = operator.run("pause", source, "--time-limit", "1h")
    assert (ran.code, ran.summary["stopped_by"]) == (0, None)


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGSTOP")
def test_a_process_that_stands_still_wakes_without_a_burst_and_without_losing_a_reply(
    an_operator: MakeOperator,
) -> None:
    operator = an_operator(reports=80, latency="150ms..250ms", tls=True)
    rate = 40
    arguments = ("--rate", f"{rate}/s", "--concurrency", "16", "--timeout", "1.2")
    running = operator.start("pause", operator.source(operator.sandbox.report_ids), *arguments)
    wait_until(lambda: len(operator.sandbox.journal.puts) >= 30)
    running.process.send_signal(signal.SIGSTOP)
    time.sleep(1.9)
    running.process.send_signal(signal.SIGCONT)
    ran = running.end()
    assert (ran.code, ran.statuses) == (0, {"succeeded": 80})
    assert ran.summary["retries"] == 0
    arrivals = [put.at_s for put in ran.puts]
    assert max(sum(start_s <= at_s < start_s + 0.9 for at_s in arrivals) for start_s in arrivals) <= rate + 1
    assert len(arrivals) == 80
    assert ran.events("rate_changed") == []  # the service was not slow: we were
