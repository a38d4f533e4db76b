"""Signals: the first drains, the second abandons, the third leaves; a status line on request."""

from __future__ import annotations

import signal
import time

import pytest

from tests.e2e.conftest import MakeOperator
from tests.e2e.driving import Operator, Running, Terminal, check_intents_come_first, ledger_lines, wait_until

pytestmark = [
    pytest.mark.end_to_end,
    # pexpect forks where Python 3.12 would rather not see it with a sandbox on a thread; the child execs at once.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


def under_way(operator: Operator, *arguments: str) -> Terminal:
    """A run on a terminal, some requests into it."""
    terminal = operator.at_terminal("pause", operator.source(operator.sandbox.report_ids), "--yes", *arguments)
    wait_until(lambda: len(operator.sandbox.journal.puts) >= 12)
    return terminal


def test_ctrl_c_says_so_at_once_drains_and_leaves_complete_books(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=400, latency="300ms")
    terminal = under_way(operator, "--rate", "100/s")
    pressed_s = time.monotonic()
    terminal.interrupt()
    terminal.expect("SIGINT: stopping")
    assert time.monotonic() - pressed_s < 0.25
    wired = len(operator.sandbox.journal.puts)
    ran = terminal.end()
    assert ran.code == 130
    assert len(ran.puts) <= wired + 2
    assert ran.statuses == {"succeeded": len(ran.puts), "skipped": 400 - len(ran.puts)}
    assert ran.summary["state"] == "interrupted"
    assert ran.summary["stopped_by"]["reason"] == "signal"
    assert ran.directory is not None
    assert f"bulkpause continue {ran.directory}" in ran.stdout


def test_a_second_ctrl_c_abandons_what_is_in_flight_as_unknown(an_operator: MakeOperator) -> None:
    operator = an_operator("hang@n=10..99", reports=40)
    terminal = under_way(operator, "--no-adapt")
    wait_until(lambda: len(operator.sandbox.journal.puts) == 9 + 8)
    terminal.interrupt()
    terminal.expect("8 in flight may still land")
    terminal.interrupt()
    terminal.expect("abandoning")
    ran = terminal.end(may_abandon=True)
    assert ran.code == 130
    assert ran.statuses == {"succeeded": 9, "unknown": 8, "skipped": 23}
    hung = {put.report_id for put in ran.puts if put.status == "hung"}
    assert ran.ids("unknown") == hung


def test_a_third_signal_leaves_at_once_with_what_is_recorded(an_operator: MakeOperator) -> None:
    operator = an_operator("hang", reports=4)
    running = operator.start("pause", operator.source(operator.sandbox.report_ids))
    wait_until(lambda: len(operator.sandbox.journal.puts) == 4)
    for _ in range(3):
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.002)
    stdout, stderr = running.process.communicate(timeout=5)
    assert running.process.returncode == 143
    assert b"Traceback" not in stdout + stderr
    (file,) = operator.runs.glob("*/audit.jsonl")
    check_intents_come_first(ledger_lines(file), operator.sandbox.journal.puts)


def test_a_terminal_that_goes_away_drains_the_run_as_well(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=300, latency="50ms")
    running = operator.start("pause", operator.source(operator.sandbox.report_ids), "--json")
    wait_until(lambda: len(operator.sandbox.journal.puts) >= 12)
    running.process.send_signal(signal.SIGHUP)
    ran = running.end()
    assert ran.code == 129
    assert "SIGHUP: stopping" in ran.stderr
    assert ran.statuses == {"succeeded": len(ran.puts), "skipped": 300 - len(ran.puts)}
    assert [line["signal"] for line in ran.events("stop_requested")] == [signal.SIGHUP]


def test_a_stop_ends_a_hold_and_a_backoff_at_once(an_operator: MakeOperator) -> None:
    operator = an_operator("429:60@n=13..99", reports=40, latency="5ms")
    running = operator.start("pause", operator.source(operator.sandbox.report_ids))
    wait_until(lambda: any(put.status == 429 for put in operator.sandbox.journal.puts))
    time.sleep(0.2)
    stopped_s = time.monotonic()
    running.process.send_signal(signal.SIGTERM)
    ran = running.end()
    assert ran.code == 143
    assert time.monotonic() - stopped_s < 3
    assert ran.statuses["exhausted"] >= 1


def test_a_drain_lasts_no_longer_than_its_limit(an_operator: MakeOperator) -> None:
    operator = an_operator("hang", reports=4)
    running = operator.start(
        "pause", operator.source(operator.sandbox.report_ids), env={"BULKPAUSE_RUN__DRAIN_TIMEOUT_S": "0.3"}
    )
    wait_until(lambda: len(operator.sandbox.journal.puts) == 4)
    running.process.send_signal(signal.SIGTERM)
    ran = running.end(may_abandon=True)
    assert (ran.code, ran.statuses) == (143, {"unknown": 4})


def test_sigusr1_prints_a_status_line_and_the_run_goes_on(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=30)
    running = operator.start("pause", operator.source(operator.sandbox.report_ids), "--rate", "30/s")
    wait_until(lambda: len(operator.sandbox.journal.puts) >= 5)
    running.process.send_signal(signal.SIGUSR1)
    line = running.read_line()
    assert line.startswith("pause: ")
    assert "of 30 done" in line
    assert running.end().code == 0


def test_a_signal_before_the_first_request_sends_nothing(an_operator: MakeOperator) -> None:
    operator = an_operator("slow:20@token", tls=True)
    running: Running = operator.start("pause", operator.source(operator.sandbox.report_ids))
    wait_until(lambda: any(entry.operation == "token" for entry in operator.sandbox.journal.entries))
    running.process.send_signal(signal.SIGINT)
    ran = running.end()
    assert (ran.code, ran.puts, ran.statuses) == (130, (), {"skipped": 20})


def test_a_terminal_that_takes_no_more_output_does_not_hold_up_the_run(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=600)
    terminal = under_way(operator, "--rate", "150/s")
    wait_until(lambda: len(operator.sandbox.journal.puts) == 600)  # while nobody reads what it draws
    ran = terminal.end()
    assert ran.code == 0
    assert ran.statuses == {"succeeded": 600}
