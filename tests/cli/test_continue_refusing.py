"""`bulkpause continue` of a ledger that is damaged, and of runs that it refuses."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from bulkpause.chain import GENESIS, digest
from bulkpause.lock import LedgerLock
from tests.cli.calling import Cli, Serve
from tests.cli.interrupted import check_told_alike, kill_at, ledger_file, put_since

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="raises a POSIX signal")


def test_a_torn_last_line_is_cut_off_and_said(cli: Cli, serve: Serve) -> None:
    kill_at(cli, serve(), "outcome", 4, torn=b'{"schema":1,"run')
    said = cli("continue", "last")
    assert said.code == 0
    assert "bulkpause: the audit log's last line was torn by the crash: 16 bytes were cut.\n" in said.err
    (line,) = [line for line in cli.ledger() if line["event"] == "run_continued"]
    assert line["cut_bytes"] == 16
    check_told_alike(cli)


@pytest.mark.parametrize(
    ("stranger", "said"),
    [
        (b"\x00" * 700 + b"\n", "1 line"),
        (b"logrotate was here\n", "1 line"),
        (b'{"seq":900000000,"run_id":"another","event":"outcome"}\n', "1 line"),
        (b'{"seq":5,"event":"run_started"}\n\n', "2 lines"),
    ],
)
@pytest.mark.parametrize("place", [3, -1])
def test_lines_of_others_do_not_stop_it_and_are_said(
    cli: Cli, serve: Serve, stranger: bytes, said: str, place: int
) -> None:
    sandbox = serve()
    kill_at(cli, sandbox, "outcome", 4)
    lines = ledger_file(cli).read_bytes().splitlines(keepends=True)
    lines.insert(len(lines) if place == -1 else place, stranger)
    ledger_file(cli).write_bytes(b"".join(lines))
    seen = len(sandbox.journal.puts)
    came = cli("continue", "last")
    assert came.code == 0
    assert f"bulkpause: passed over {said} of the audit log that this run did not write; see bulkpause" in came.err
    assert sorted(map(str, put_since(sandbox, seen))) == sorted(sandbox.report_ids[4:])
    ours = [line["seq"] for line in cli.ledger() if line.get("run_id") == cli.runs[-1].name]
    assert ours == list(range(1, len(ours) + 1))
    shown = cli("show", "last", "--json")
    assert (shown.code, shown.document["by_status"]) == (0, {"succeeded": 8})


def test_nuls_that_a_power_cut_left_in_place_of_the_last_line_are_cut_off(cli: Cli, serve: Serve) -> None:
    kill_at(cli, serve(), "outcome", 4, torn=b"\x00" * 4096)
    said = cli("continue", "last")
    assert said.code == 0
    assert "torn by the crash: 4,096 bytes were cut." in said.err
    assert b"\x00" not in ledger_file(cli).read_bytes()


def test_line_ends_that_an_editor_has_changed_do_not_stop_it(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    kill_at(cli, sandbox, "outcome", 4)
    ledger_file(cli).write_bytes(ledger_file(cli).read_bytes().replace(b"\n", b"\r\n"))
    seen = len(sandbox.journal.puts)
    assert cli("continue", "last").code == 0
    assert len(put_since(sandbox, seen)) == 4
    assert cli("show", "last").code == 0


def test_a_line_pasted_again_sends_nothing_again(cli: Cli, serve: Serve) -> None:
    sandbox = serve("403*1@n=2", reports=4)
    cli("pause", cli.source(sandbox.report_ids), "--concurrency", "1")
    outcome = next(line for line in ledger_file(cli).read_bytes().splitlines() if b'"denied"' in line)
    assert cli("continue", "last", "--failed").code == 0
    with ledger_file(cli).open("ab") as stream:
        stream.write(outcome + b"\n")
    seen = len(sandbox.journal.puts)
    assert cli("continue", "last", "--failed").code == 0
    assert put_since(sandbox, seen) == []


def test_a_live_run_is_refused_and_its_owner_named(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    kill_at(cli, sandbox, "outcome", 4)
    seen = len(sandbox.journal.entries)
    with LedgerLock(ledger_file(cli), now=datetime.now(UTC)):
        said = cli("continue", "last")
    assert (said.code, said.out) == (73, "")
    assert said.err.startswith(f"bulkpause: run {cli.runs[-1].name} is alive: process {os.getpid()} on ")
    assert len(sandbox.journal.entries) == seen


@pytest.mark.parametrize(
    ("flags", "env", "word"),
    [
        (["--base-url", "http://localhost:9/x"], {}, "api.base_url"),
        ([], {"AZURE_TENANT_ID": "fabrikam.example"}, "auth.tenant_id not set, and the settings say fabrikam.example"),
        (["--sandbox"], {}, "call it again without --sandbox"),
    ],
)
def test_another_tenant_or_target_is_refused_before_anything_is_sent(
    cli: Cli, serve: Serve, flags: list[str], env: dict[str, str], word: str
) -> None:
    sandbox = serve()
    kill_at(cli, sandbox, "outcome", 4)
    before, seen = ledger_file(cli).read_bytes(), len(sandbox.journal.entries)
    if "--sandbox" in flags:
        for name in ("BULKPAUSE_API__BASE_URL", "BULKPAUSE_TOKEN"):
            cli.patch.delenv(name)
    said = cli("continue", "last", *flags, env=env)
    assert (said.code, said.out) == (78, "")
    assert word in said.err
    assert (ledger_file(cli).read_bytes(), len(sandbox.journal.entries)) == (before, seen)


def test_a_manifest_that_was_changed_is_refused(cli: Cli, serve: Serve) -> None:
    sandbox = serve("403@n=3")
    cli("pause", cli.source(sandbox.report_ids), "--concurrency", "1")
    with (cli.runs[-1] / "manifest.csv").open("a", encoding="utf-8") as stream:
        stream.write("00000000-0000-4000-8000-000000000001,99,\n")
    seen = len(sandbox.journal.entries)
    said = cli("continue", "last", "--failed")
    assert said.code == 65
    assert "manifest.csv was changed after the run had pinned it. Nothing was sent." in said.err
    assert len(sandbox.journal.entries) == seen


@pytest.mark.parametrize("word", ["succeeded", "lost", ""])
def test_a_status_that_cannot_be_tried_again_is_a_usage_error(cli: Cli, word: str) -> None:
    said = cli("continue", "last", "--status", word)
    assert said.code == 2
    assert f"{word!r} is none of denied, exhausted, not_found, rejected" in said.err


def test_a_run_of_the_sandbox_is_not_continued_elsewhere(cli: Cli, serve: Serve) -> None:
    Path("ids.txt").write_text("0b5c2c1e-7a31-4d0e-9c54-5f2d1f6b8a90\n", encoding="utf-8")
    cli("pause", "ids.txt", "--sandbox")
    sandbox = serve()
    said = cli("continue", "last")
    assert said.code == 78
    assert f"run {cli.runs[-1].name} was about the sandbox: call it again with --sandbox.\n" in said.err
    assert sandbox.journal.entries == ()


def test_the_first_line_of_a_continuation_is_bound_to_the_last_one_before(cli: Cli, serve: Serve) -> None:
    kill_at(cli, serve(), "outcome", 4)
    cli("continue", "last")
    prev = GENESIS
    for raw in ledger_file(cli).read_bytes().splitlines():
        assert orjson.loads(raw)["prev"] == prev
        prev = digest(raw)


def test_failed_and_status_together_are_a_usage_error(cli: Cli, serve: Serve) -> None:
    kill_at(cli, serve(), "outcome", 4)
    said = cli("continue", "last", "--failed", "--status", "denied")
    assert (said.code, said.err) == (2, "bulkpause: --failed is every status that --status may list: choose one.\n")
