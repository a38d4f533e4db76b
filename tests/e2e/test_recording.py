"""The record: written before anything leaves, complete whatever happens, and the end of the run where it fails."""

from __future__ import annotations

import random
import stat
import time

import pytest

from tests.e2e.conftest import MakeOperator
from tests.e2e.driving import NO_COVERAGE, check_intents_come_first, ledger_lines, wait_until

pytestmark = pytest.mark.end_to_end


@pytest.mark.parametrize("seed", [1, 2])
def test_after_kill_9_every_report_that_may_be_touched_is_named_and_few_are_in_doubt(
    an_operator: MakeOperator, seed: int
) -> None:
    operator = an_operator("500*1@20%", "lost*1@10%", reports=400, latency="1ms..40ms", seed=seed)
    running = operator.start(
        "pause", operator.source(operator.sandbox.report_ids), "--concurrency", "6", env=NO_COVERAGE
    )
    rng = random.Random(seed)  # noqa: S311 - when to kill
    wait_until(lambda: len(operator.sandbox.journal.puts) >= rng.randint(20, 200))
    time.sleep(rng.uniform(0, 0.05))
    running.process.kill()
    running.process.communicate()
    time.sleep(0.1)  # what was on the wire may still arrive
    (file,) = operator.runs.glob("*/audit.jsonl")
    ledger = ledger_lines(file)
    check_intents_come_first(ledger, operator.sandbox.journal.puts)
    settled = {(line["report_id"], line["attempt"]) for line in ledger if line["event"] == "retry_scheduled"}
    settled |= {(line["report_id"], line["tries"]) for line in ledger if line["event"] == "outcome"}
    intents = {(line["report_id"], line["attempt"]) for line in ledger if line["event"] == "attempt_started"}
    assert len(intents - settled) <= 6
    assert len(intents) >= 20


def test_a_full_disk_stops_the_sending_at_once_with_74(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=400, latency="5ms")
    ran = operator.run(
        "pause",
        operator.source(operator.sandbox.report_ids),
        "--audit",
        "ledger.jsonl",
        script='ulimit -f 64; exec "$@"',
        env=NO_COVERAGE,
    )
    assert ran.code == 74
    assert "ledger.jsonl: File too large. Sending stopped at once." in ran.stderr
    check_intents_come_first(ledger_lines(operator.home / "ledger.jsonl"), ran.puts)
    assert 20 <= len(ran.puts) < 400
    summary = ran.summary
    assert (summary["state"], summary["sent"], summary["read"]) == ("broken", len(ran.puts), 400)


def test_a_manifest_that_cannot_be_written_stops_the_run_with_74(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=10)
    ran = operator.run(
        "pause",
        operator.source([*operator.sandbox.report_ids, *(f"{n:08x}-0000-4000-8000-000000000000" for n in range(2000))]),
        script='ulimit -f 16; exec "$@"',
        env=NO_COVERAGE,
    )
    assert ran.code == 74
    assert ran.puts == ()


def test_a_place_that_cannot_be_written_is_found_before_the_first_token_request(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True)
    source = operator.source(operator.sandbox.report_ids)
    (operator.home / "ledger.jsonl").write_text("taken", encoding="utf-8")
    for arguments, reason in (
        (("--runs-dir", f"{source}/runs"), "Not a directory"),
        (("--audit", "ledger.jsonl"), "File exists"),
        (("--audit", "nowhere/ledger.jsonl"), "No such file"),
    ):
        ran = operator.run("pause", source, *arguments, env=NO_COVERAGE)
        assert (arguments, ran.code) == (arguments, 73)
        assert reason in ran.stderr
    assert operator.sandbox.journal.entries == ()
    assert (operator.home / "ledger.jsonl").read_text(encoding="utf-8") == "taken"


def test_a_second_live_run_on_the_same_ledger_is_refused_and_the_first_goes_on(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=2)
    first, second = operator.sandbox.report_ids
    running = operator.start("pause", "-", "--audit", "ledger.jsonl", "--json")
    running.type(f"{first}\n")
    wait_until(lambda: operator.sandbox.journal.puts)
    refused = operator.run("pause", operator.source([second]), "--audit", "ledger.jsonl")
    assert refused.code == 73
    assert "is being written by another run" in refused.stderr
    running.type(f"{second}\n")
    running.process.communicate()
    assert running.process.returncode == 0
    assert len(operator.sandbox.journal.puts) == 2


@pytest.mark.parametrize("umask", ["0000", "0777"])
def test_what_a_run_writes_is_for_its_owner_only(an_operator: MakeOperator, umask: str) -> None:
    operator = an_operator("403@20%")
    ran = operator.run(
        "pause", operator.source(operator.sandbox.report_ids), script=f'umask {umask}; exec "$@"', env=NO_COVERAGE
    )
    assert ran.directory is not None
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in ran.directory.iterdir()}
    assert {"manifest.csv", "audit.jsonl", "summary.json", "failed.csv"} <= modes.keys()
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(ran.directory.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ('"$@" | true; exit ${PIPESTATUS[0]}', ""),
        ('"$@" > /dev/full', "bulkpause: cannot write to stdout: No space left on device."),
        ('"$@" -v 2> /dev/full', ""),
        ('"$@" -v <&- >&- 2>&-', ""),
    ],
)
def test_a_stream_that_has_gone_away_never_costs_the_ledger(an_operator: MakeOperator, script: str, said: str) -> None:
    operator = an_operator("404*1@20%", "429:0.1*1@n=5", reports=20)
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), script=script)
    assert len(ran.events("outcome")) == 20
    assert (ran.summary["state"], ran.code) == ("finished", 1)
    assert said in ran.stderr
    assert "internal error" not in ran.stderr
