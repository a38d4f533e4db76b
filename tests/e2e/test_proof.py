"""The ledger as proof: through the installed command, of runs that ended, were killed, or met a meddler."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeOperator
from tests.e2e.driving import NO_COVERAGE, ledger_lines, wait_until

pytestmark = pytest.mark.end_to_end


def test_a_run_is_proven_and_one_changed_byte_in_it_is_named(an_operator: MakeOperator) -> None:
    operator = an_operator("500*1@20%", reports=50)
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids))
    assert ran.directory is not None
    said = operator.run("audit", "verify", "last", "--runs-dir", str(operator.runs))
    assert (said.code, said.stderr) == (0, "")
    assert said.stdout.startswith(f"OK: {len(ran.ledger)} lines, unbroken, the run ended.\n")
    file = ran.directory / "audit.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    lines[40] = lines[40].replace(b'"', b"'", 1)
    file.write_bytes(b"".join(lines))
    said = operator.run("audit", "verify", str(file))
    assert said.code == 5
    assert said.stdout.splitlines()[1] == "  line 41 was edited"


def test_a_killed_run_is_whole_up_to_its_last_line_and_has_not_ended(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=1000, latency="50ms")
    running = operator.start("pause", operator.source(operator.sandbox.report_ids), env=NO_COVERAGE)
    wait_until(lambda: len(operator.sandbox.journal.puts) >= 50)
    (file,) = operator.runs.glob("*/audit.jsonl")
    alive = operator.run("audit", "verify", str(file), "--json", env=NO_COVERAGE)
    running.process.kill()
    running.process.communicate()
    assert (alive.code, json.loads(alive.stdout)["live"]) == (1, True)
    said = operator.run("audit", "verify", str(file), "--json", env=NO_COVERAGE)
    document = json.loads(said.stdout)
    assert {flaw["kind"] for flaw in document["flaws"]} <= {"torn"}
    assert said.code == (5 if document["flaws"] else 1)
    assert (document["ended"], document["live"], document["lines"]) == (False, False, len(ledger_lines(file)))


def test_a_ledger_that_a_log_rotation_empties_stops_the_run_and_holds_no_torn_line(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=1000, latency="50ms")
    source = operator.source(operator.sandbox.report_ids)
    running = operator.start("pause", source, "--audit", "ledger.jsonl", env=NO_COVERAGE)
    wait_until(lambda: len(operator.sandbox.journal.puts) >= 20)
    file = operator.home / "ledger.jsonl"
    copy = file.read_bytes()
    os.truncate(file, 0)
    sent = len(operator.sandbox.journal.puts)
    ran = running.end()
    assert ran.code == 74
    assert f"the audit log {file} was changed by somebody else during the run: " in ran.stderr
    assert "Sending stopped at once." in ran.stderr
    kept = copy[: copy.rindex(b"\n") + 1] + file.read_bytes()
    assert kept.endswith(b"\n")
    assert all(map(json.loads, kept.splitlines()))
    assert len(ran.puts) - sent <= 8, "only what had its intent on the disk before may still leave"


def test_a_second_run_on_a_ledger_is_refused_at_once_and_told_by_whom(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=1000, latency="50ms")
    source = operator.source(operator.sandbox.report_ids)
    first = operator.start("pause", source, "--audit", "ledger.jsonl", env=NO_COVERAGE)
    wait_until(lambda: operator.sandbox.journal.puts)
    owner = json.loads(Path(operator.home, "ledger.jsonl.owner").read_bytes())
    second = operator.run("pause", source, "--audit", "ledger.jsonl", "--yes", env=NO_COVERAGE)
    first.process.send_signal(signal.SIGINT)
    assert first.end().code == 130
    assert second.code == 73
    assert f"is being written by another run (process {first.process.pid} on {owner['host']} since " in second.stderr
    assert not Path(operator.home, "ledger.jsonl.owner").exists()
