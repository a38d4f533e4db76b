"""`bulkpause continue` through the installed command, after kills, with nothing left but the run directory."""

from __future__ import annotations

import signal

import pytest

from tests.e2e.conftest import MakeOperator
from tests.e2e.driving import NO_COVERAGE, Operator, Ran, csv_rows, ledger_lines, wait_until

pytestmark = pytest.mark.end_to_end


def killed(operator: Operator, *arguments: str, puts: int, typed: str = "") -> None:
    """Start a pause, and kill it once the service has seen so many requests."""
    running = operator.start("pause", *arguments, env=NO_COVERAGE)
    if typed:
        running.type(typed)
    wait_until(lambda: len(operator.sandbox.journal.puts) >= puts)
    running.process.kill()
    running.process.communicate()
    wait_until(lambda: not operator.sandbox._server.numbered)


def check_proven(operator: Operator, ran: Ran) -> None:
    """One unbroken chain, and a summary that the ledger tells as well."""
    assert ran.directory is not None
    assert operator.run("audit", "verify", str(ran.directory)).code == 0
    shown = operator.run("show", str(ran.directory))
    assert (shown.code, shown.stderr) == (0, "")


def test_a_killed_run_over_a_file_that_is_gone_is_finished_and_proven(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=150, latency="15ms")
    source = operator.source(operator.sandbox.report_ids)
    killed(operator, source, puts=40)
    (operator.home / source).unlink()
    (file,) = operator.runs.glob("*/audit.jsonl")
    done = {line["report_id"] for line in ledger_lines(file) if line["event"] == "outcome"}
    ran = operator.run("continue", "last")
    assert (ran.code, ran.statuses) == (0, {"succeeded": 150})
    assert not done & {put.report_id for put in ran.puts}
    assert set(operator.sandbox.report_statuses.values()) == {"Paused"}
    check_proven(operator, ran)


def test_of_a_pipe_that_died_with_the_run_the_rest_is_said_to_be_unread(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=60, latency="5ms")
    typed = "".join(f"{report_id}\n" for report_id in operator.sandbox.report_ids[:30])
    killed(operator, "-", "--format", "lines", "--yes", puts=12, typed=typed)
    ran = operator.run("continue", "last")
    assert (ran.code, ran.statuses) == (1, {"succeeded": 30})
    assert "the source was read up to its row 30, perhaps not to its end; give it again for the rest." in ran.stderr
    assert ran.summary["source_has_ended"] is False


def test_a_torn_line_is_cut_said_and_leaves_an_unbroken_chain(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=100, latency="15ms")
    killed(operator, operator.source(operator.sandbox.report_ids), puts=30)
    (file,) = operator.runs.glob("*/audit.jsonl")
    whole = file.read_bytes()[: file.read_bytes().rindex(b"\n") + 1]
    file.write_bytes(whole + b'{"schema":1,"run_id":"2026')
    ran = operator.run("continue", "last")
    assert ran.code == 0
    assert "the audit log's last line was torn by the crash: 26 bytes were cut." in ran.stderr
    assert file.read_bytes().startswith(whole)
    check_proven(operator, ran)


def test_a_live_run_is_not_continued_by_a_second_process(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=1000, latency="50ms")
    running = operator.start(
        "pause", operator.source(operator.sandbox.report_ids), "--audit", "ledger.jsonl", "--yes", env=NO_COVERAGE
    )
    wait_until(lambda: operator.sandbox.journal.puts)
    second = operator.run("continue", "last", env=NO_COVERAGE)
    running.process.send_signal(signal.SIGINT)
    assert running.end().code == 130
    assert (second.code, second.stdout) == (73, "")
    assert f" is alive: process {running.process.pid} on " in second.stderr


def test_what_is_exported_of_a_run_is_paused_by_the_next(an_operator: MakeOperator) -> None:
    first, *_ = an_operator().sandbox.report_ids
    operator = an_operator(f"403*1@id={first}")
    assert operator.run("pause", operator.source(operator.sandbox.report_ids)).code == 1
    exported = operator.run("export", "last", "--runs-dir", str(operator.runs), "--status", "failed")
    (operator.home / "again.csv").write_text(exported.stdout, encoding="utf-8")
    assert [row["report_id"] for row in csv_rows(operator.home / "again.csv")] == [first]
    ran = operator.run("pause", "again.csv")
    assert (ran.code, ran.ids("succeeded")) == (0, {first})
