"""`bulkpause continue`: what it goes on with, and what it says."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import orjson
import pytest

from bulkpause.cli import confirm
from bulkpause.models import Operation
from bulkpause.record import RunRecord
from tests.cli.calling import Cli, Keyboard, Serve
from tests.cli.interrupted import check_told_alike, cut_behind, kept_without, kill_at, ledger_file, put_since

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="raises a POSIX signal")


def test_a_killed_run_is_finished_from_its_directory_alone(cli: Cli, serve: Serve) -> None:
    sandbox = serve(reports=10)
    rest = kill_at(cli, sandbox, "outcome", 4)
    Path("reports.csv").unlink()
    seen = len(sandbox.journal.puts)
    said = cli("continue", "last")
    assert (said.code, len(rest)) == (0, 6)
    assert said.out.startswith("Paused 10 of 10 reports in ")
    assert sorted(map(str, put_since(sandbox, seen))) == sorted(rest)
    assert set(sandbox.report_statuses.values()) == {"Paused"}
    assert len(cli.runs) == 1
    check_told_alike(cli)


def test_ids_that_came_from_stdin_are_not_asked_for_again(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    cli("pause", "-", "--concurrency", "1", "--format", "lines", stdin="\n".join(sandbox.report_ids).encode())
    for report_id in cut_behind(cli, "outcome", 2):
        sandbox.change(report_id, Operation.RESUME)
    assert cli("continue", "last").code == 0
    assert cli.summary()["by_status"] == {"succeeded": 8}


def test_the_continuation_is_a_part_of_its_own_in_the_same_ledger(cli: Cli, serve: Serve) -> None:
    kill_at(cli, serve(), "outcome", 4)
    size = ledger_file(cli).stat().st_size
    before = ledger_file(cli).read_bytes()
    cli("continue", "last", "--rate", "900/s", "--failed")
    (line,) = [line for line in cli.ledger() if line["event"] == "run_continued"]
    assert ledger_file(cli).read_bytes()[:size] == before
    assert (line["operation"], line["cut_bytes"], line["foreign_lines"]) == ("pause", 0, 0)
    assert line["retries"] == ["denied", "exhausted", "not_found", "rejected"]
    assert (line["source"], line["rate_limit_per_s"], line["flags"]) == ("reports.csv", 900.0, ["--rate", "900/s"])
    assert (cli.runs[-1] / "snapshot-2.csv").exists()


def test_what_was_in_flight_and_has_arrived_is_settled_by_a_look_and_not_sent_again(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    kill_at(cli, sandbox, "attempt_started", 4)
    seen = len(sandbox.journal.puts)
    assert cli("continue", "last").code == 0
    assert sandbox.report_ids[3] not in put_since(sandbox, seen)
    (resolved,) = [line for line in cli.ledger() if line["event"] == "resolved"]
    assert (resolved["report_id"], resolved["status"]) == (sandbox.report_ids[3], "succeeded")
    assert resolved["message"] == "read back: the report is Paused"
    check_told_alike(cli)


@pytest.mark.parametrize("flags", [[], ["--no-snapshot"]])
def test_what_was_in_flight_and_has_not_arrived_is_sent_again(cli: Cli, serve: Serve, flags: list[str]) -> None:
    sandbox = serve()
    kill_at(cli, sandbox, "attempt_started", 4)
    sandbox.change(sandbox.report_ids[3], Operation.RESUME)
    seen = len(sandbox.journal.puts)
    assert cli("continue", "last", *flags).code == 0
    assert sandbox.report_ids[3] in put_since(sandbox, seen)
    assert set(sandbox.report_statuses.values()) == {"Paused"}
    assert "resolved" not in {line["event"] for line in cli.ledger()}
    check_told_alike(cli)


def test_without_a_look_all_that_is_in_doubt_is_sent_again(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    kill_at(cli, sandbox, "attempt_started", 4)
    seen = len(sandbox.journal.puts)
    cli("continue", "last", "--no-snapshot")
    assert sorted(map(str, put_since(sandbox, seen))) == sorted(sandbox.report_ids[3:])


@pytest.mark.parametrize(
    ("flags", "again"),
    [
        (["--failed"], [0, 1, 2]),
        (["--status", "denied"], [0]),
        (["--status", "rejected, not_found"], [1, 2]),
        ([], []),
    ],
)
def test_what_failed_is_tried_again_on_request_only(cli: Cli, serve: Serve, flags: list[str], again: list[int]) -> None:
    sandbox = serve("403*1@n=1", "400*1@n=2", "404*1@n=3")
    cli("pause", cli.source(sandbox.report_ids), "--concurrency", "1")
    seen = len(sandbox.journal.puts)
    said = cli("continue", "last", "--concurrency", "1", *flags)
    assert put_since(sandbox, seen) == [sandbox.report_ids[place] for place in again]
    assert said.code == (0 if len(again) == 3 else 1)
    assert cli.summary()["by_status"]["succeeded"] == 5 + len(again)
    check_told_alike(cli)


def test_a_finished_run_has_nothing_left_and_keeps_its_ledger_and_its_code(cli: Cli, serve: Serve) -> None:
    sandbox = serve("403@n=3")
    cli("pause", cli.source(sandbox.report_ids), "--concurrency", "1")
    before, seen = ledger_file(cli).read_bytes(), len(sandbox.journal.entries)
    said = cli("continue", "last")
    assert said.code == 1
    assert said.err == f"bulkpause: nothing is left to do in run {cli.runs[-1].name}.\n"
    assert said.out.startswith("Paused 7 of 8 reports in ")
    assert (ledger_file(cli).read_bytes(), len(sandbox.journal.entries)) == (before, seen)


def test_a_run_that_was_killed_behind_its_last_outcome_is_only_closed(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    kill_at(cli, sandbox, "outcome", 8)
    seen = len(sandbox.journal.puts)
    assert cli("continue", "last").code == 0
    assert put_since(sandbox, seen) == []
    assert (cli.summary()["state"], cli.summary()["by_status"]) == ("finished", {"succeeded": 8})


def test_a_run_can_be_continued_again_and_again(cli: Cli, serve: Serve) -> None:
    sandbox = serve("500*4", reports=6)
    cli("pause", cli.source(sandbox.report_ids), "--max-tries", "1")
    codes = [cli("continue", "last", "--failed", "--max-tries", "1").code for _ in range(4)]
    assert codes == [1, 1, 1, 0]
    assert [line["event"] for line in cli.ledger()].count("run_continued") == 4
    assert (cli.summary()["sent"], cli.summary()["by_status"]) == (30, {"succeeded": 6})
    check_told_alike(cli)


@POSIX
def test_a_stop_leaves_what_it_did_not_reach_as_it_was(cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = serve("403*1")
    cli("pause", cli.source(sandbox.report_ids), "--concurrency", "1", "--halt", "none")
    outcome, ended = RunRecord.outcome, iter(range(1, sys.maxsize))

    def then_interrupt(self: RunRecord, *arguments: object) -> None:
        outcome(self, *arguments)  # type: ignore[arg-type] # it is passed on
        if next(ended) == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(RunRecord, "outcome", then_interrupt)
    said = cli("continue", "last", "--failed", "--concurrency", "1")
    assert said.code == 130
    assert cli.summary()["by_status"] == {"succeeded": 3, "denied": 5}
    assert cli.summary()["next"].startswith(f"bulkpause continue {cli.runs[-1].absolute()} --failed")
    check_told_alike(cli)


def test_a_source_that_was_not_read_to_its_end_is_said(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    kill_at(cli, sandbox, "snapshot_taken", 1)
    ledger_file(cli).write_bytes(b"".join(line for line in kept_without(cli, "source_read")))
    said = cli("continue", "last")
    assert said.code == 1
    assert (
        "bulkpause: the source was read up to its row 8, perhaps not to its end; give it again for the rest.\n"
        in said.err
    )
    assert cli.summary()["source_has_ended"] is False


def test_a_ledger_that_is_elsewhere_is_found_from_the_run_directory(cli: Cli, serve: Serve) -> None:
    sandbox = serve("500*1@n=1..4")
    cli("pause", cli.source(sandbox.report_ids), "--audit", "elsewhere.jsonl", "--max-tries", "1")
    directory = cli.runs[-1]
    said = cli("continue", str(directory), "--failed")
    assert said.code == 0
    assert not (directory / "audit.jsonl").exists()
    events = [orjson.loads(line)["event"] for line in Path("elsewhere.jsonl").read_bytes().splitlines()]
    assert events.count("run_finished") == 2
    assert cli("audit", "verify", "elsewhere.jsonl").code == 0


def test_the_signature_covers_the_continuation(cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("audit", "keygen", "key.pem")
    monkeypatch.setenv("BULKPAUSE_AUDIT__SIGNING_KEY_FILE", "key.pem")
    cli("pause", cli.source(serve("403*1@n=2").report_ids))
    first = (cli.runs[-1] / "audit.jsonl.sig").read_bytes()
    assert cli("continue", "last", "--failed").code == 0
    assert (cli.runs[-1] / "audit.jsonl.sig").read_bytes() != first
    said = cli("audit", "verify", "last", "--public-key", "key.pem.pub", "--json")
    assert (said.code, said.document["signature"]) == (0, "good")


def test_a_dry_run_says_what_is_left_and_touches_nothing(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    kill_at(cli, sandbox, "attempt_started", 4)
    before, seen = ledger_file(cli).read_bytes(), len(sandbox.journal.entries)
    said = cli("continue", "last", "--dry-run", "--rate", "2/s")
    run_id = cli.runs[-1].name
    assert (said.code, said.err) == (0, "")
    assert said.out == (
        f"Would pause 5 reports that run {run_id} has left. Nothing was sent.\n"
        "\n"
        "  in doubt   1, looked up before they are sent again\n"
        f"  target     {sandbox.base_url}\n"
        "  rate       2/s, at most 32 in flight\n"
        "  forecast   at best 2.5 s, without retries and holds\n"
    )
    said = cli("continue", "last", "--dry-run", "--rate", "2/s", "--json")
    assert said.document == {
        "schema": 1,
        "dry_run": True,
        "run_id": run_id,
        "operation": "pause",
        "left": 5,
        "in_doubt": 1,
        "forecast_s": 2.5,
        "time_limit": None,
    }
    assert (ledger_file(cli).read_bytes(), len(sandbox.journal.entries)) == (before, seen)


def test_a_report_that_a_continuation_was_killed_over_is_left_again(cli: Cli, serve: Serve) -> None:
    sandbox = serve("403*1@n=2")
    cli("pause", cli.source(sandbox.report_ids), "--concurrency", "1")
    cli("continue", "last", "--failed")
    cut_behind(cli, "attempt_started", 9)
    assert cli("continue", "last", "--dry-run", "--json").document["left"] == 1
    exported = cli("export", "last", "--format", "jsonl").out.splitlines()
    told = {orjson.loads(line)["report_id"]: orjson.loads(line)["status"] for line in exported}
    assert (len(exported), told[sandbox.report_ids[1]]) == (8, "unknown")
    assert cli("continue", "last").code == 0


@pytest.mark.parametrize(("typed", "code", "sent"), [("y\n", 0, 51), ("n\n", 1, 0)])
def test_many_reports_are_asked_about_first(
    cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch, typed: str, code: int, sent: int
) -> None:
    sandbox = serve(reports=55)
    kill_at(cli, sandbox, "outcome", 4)
    screen, seen = io.StringIO(), len(sandbox.journal.puts)

    @contextmanager
    def terminal() -> Iterator[tuple[TextIO, TextIO]]:
        yield io.StringIO(typed), screen

    monkeypatch.setattr(confirm, "_terminal", terminal)
    monkeypatch.setattr("sys.stderr", Keyboard())
    said = cli("continue", "last", "--progress", "none")
    assert screen.getvalue() == f"Pause 51 reports at {sandbox.base_url}, 2000/s, at best 0.0 s? [y/N] "
    assert (said.code, len(put_since(sandbox, seen))) == (code, sent)


def test_the_sandbox_remembers_what_the_run_did_to_it(cli: Cli) -> None:
    Path("ids.txt").write_text("0b5c2c1e-7a31-4d0e-9c54-5f2d1f6b8a90\n", encoding="utf-8")
    cli("pause", "ids.txt", "--sandbox")
    cut_behind(cli, "outcome")
    said = cli("continue", "last", "--sandbox")
    assert said.code == 0
    assert cli.summary()["by_status"] == {"succeeded": 1}
    assert cli.summary()["sent"] == 1


def test_what_failed_before_and_fails_again_is_no_news_to_the_guards(cli: Cli, serve: Serve) -> None:
    sandbox = serve("403", reports=6)
    source = cli.source(sandbox.report_ids)
    assert cli("pause", source, "--halt", "none").code == 1
    again = cli("continue", "last", "--failed")
    assert again.code == 1
    assert len(sandbox.journal.puts) == 12, "each of them was tried again, and the default guard looked on"
