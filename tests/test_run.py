"""Whole runs in process, over real sockets: what the parts make of each other."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest

from bulkpause.audit import files
from bulkpause.client import ReportClient
from bulkpause.models import Status
from bulkpause.record import RunRecord
from tests.cli.calling import Cli, Serve, cli, serve

__all__ = ["cli", "serve"]

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="raises a POSIX signal")


def after(number: int, do: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Do that right after the outcome of so many rows."""
    outcome, ended = RunRecord.outcome, iter(range(1, sys.maxsize))

    def watched(self: RunRecord, one: Any) -> None:
        outcome(self, one)
        if next(ended) == number:
            do()

    monkeypatch.setattr(RunRecord, "outcome", watched)


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def test_a_run_that_goes_well_is_in_ledger_summary_and_on_stdout_alike(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    said = cli("pause", cli.source([*sandbox.report_ids, sandbox.report_ids[0]]))
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("Paused 8 of 8 reports in ")
    assert "Rows      9 read: 8 accepted, 1 duplicate, 0 invalid\n" in said.out
    summary = cli.summary()
    assert (summary["state"], summary["stopped_by"], summary["source_has_ended"]) == ("finished", None, True)
    assert (summary["by_status_code"], summary["next"]) == ({"200": 8}, None)
    assert set(sandbox.report_statuses.values()) == {"Paused"}


def test_the_ledger_tells_the_run_from_its_first_line_to_its_last(cli: Cli, serve: Serve) -> None:
    sandbox = serve(reports=1)
    cli("pause", cli.source(sandbox.report_ids))
    ledger = cli.ledger()
    events = [line["event"] for line in ledger]
    assert (events[0], events[-2:]) == ("run_started", ["rate_certified", "run_finished"])
    assert sorted(events[1:-2]) == ["attempt_started", "outcome", "signed_in", "snapshot_taken", "source_read"]
    assert events.index("signed_in") < events.index("attempt_started") < events.index("outcome")
    assert (ledger[0]["operation"], ledger[0]["target"], ledger[0]["sandbox"]) == ("pause", sandbox.base_url, False)
    sealed = {"audit_lines": ledger[-1]["lines"], "audit_head": ledger[-1]["head"]}
    assert ledger[-1]["summary"] | sealed == cli.summary()


def test_the_pace_is_certified_by_every_request_that_left_the_list_and_retries_included(cli: Cli, serve: Serve) -> None:
    sandbox = serve("500*1@n=3")
    said = cli("pause", cli.source(sandbox.report_ids), "--rate", "500/s")
    left = len(sandbox.journal.entries)
    figures = {"requests": left, "fullest_1_s": left, "fullest_10_s": left, "fullest_60_s": left}
    certificate = {**figures, "rate_limit_per_s": 500.0, "exceeded": False}
    (line,) = (line for line in cli.ledger() if line["event"] == "rate_certified")
    assert left == 10
    assert certificate.items() <= line.items()
    assert cli.summary()["rate_windows"] == {**certificate, "unknown_parts": 0}
    assert "\nPace      at most 10 in any second: within 500/s\n" in said.out


def test_a_run_that_sends_nothing_certifies_that(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    said = cli("pause", cli.source(["no id"]))
    assert sandbox.journal.entries == ()
    assert (said.code, cli.summary()["rate_windows"]["requests"]) == (1, 0)
    assert "Pace" not in said.out


def test_json_prints_the_summary_document_and_nothing_else(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    assert cli("pause", cli.source(sandbox.report_ids), "--json", "-q").document == cli.summary()


def test_two_runs_of_the_same_settings_have_the_same_digest(cli: Cli, serve: Serve) -> None:
    source = cli.source(serve(reports=1).report_ids)
    digests = []
    for flags in ([], [], ["--concurrency", "3"]):
        cli("pause", source, *flags)
        digests.append(cli.ledger()[0]["settings_sha256"])
    assert digests[0] == digests[1] != digests[2]


def test_what_succeeded_in_a_ledger_is_the_source_of_the_run_that_reverses_it(cli: Cli, serve: Serve) -> None:
    sandbox = serve("403@n=3")
    assert cli("pause", cli.source(sandbox.report_ids)).code == 1
    done = [line for line in cli.ledger() if line.get("status") == "succeeded"]
    assert cli("resume", "-", stdin=b"".join(orjson.dumps(line) + b"\n" for line in done)).code == 0
    assert len(done) == cli.summary()["by_status"]["succeeded"] == 7
    assert set(sandbox.report_statuses.values()) == {"Active"}


def test_failed_csv_is_the_source_of_the_next_run(cli: Cli, serve: Serve) -> None:
    sandbox = serve("503*1@n=1..2")
    code = cli("pause", cli.source([*sandbox.report_ids, "bad row"]), "--max-tries", "1").code
    assert code == 1
    failed = cli.summary()["failed_csv"]
    assert cli("pause", failed, "--max-tries", "1").code == 0
    assert set(sandbox.report_statuses.values()) == {"Paused"}


def test_invalid_rows_alone_leave_nothing_to_do_again(cli: Cli, serve: Serve) -> None:
    sandbox = serve(reports=1)
    said = cli("pause", cli.source([*sandbox.report_ids, "bad row"]))
    assert said.code == 1
    assert "Next" not in said.out
    assert not (cli.runs[-1] / "failed.csv").exists()


@pytest.mark.parametrize("arguments", [["pause", "-"], ["pause", "-", "--strict"], ["pause", "-", "--json"]])
def test_no_ids_means_nothing_to_do_and_no_request(cli: Cli, serve: Serve, arguments: list[str]) -> None:
    sandbox = serve()
    assert cli(*arguments, stdin=b"ReportId\n").code == 0
    assert sandbox.journal.entries == ()
    assert cli.summary()["read"] == 0


def test_strict_sends_nothing_if_a_row_is_invalid(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    said = cli("pause", cli.source([*sandbox.report_ids, "bad row"]), "--strict")
    assert (said.code, said.out) == (65, "")
    assert said.err == (
        "bulkpause: reports.csv: 1 row is invalid, and --strict sends nothing then.\n"
        "  line 10: holds ' ', which no report id has: bad row\n"
    )
    assert (sandbox.journal.entries, cli.runs) == ((), [])


@pytest.mark.parametrize(("strict", "code"), [([], 0), (["--strict"], 65)])
def test_a_dry_run_reads_everything_and_touches_nothing(cli: Cli, serve: Serve, strict: list[str], code: int) -> None:
    sandbox = serve()
    said = cli("pause", cli.source([*sandbox.report_ids, "bad row"]), "--dry-run", "--json", *strict)
    assert said.code == code
    assert (said.document["accepted"], said.document["invalid"], said.document["target"]) == (8, 1, sandbox.base_url)
    assert (sandbox.journal.entries, cli.runs) == ((), [])


def test_a_dry_run_names_only_the_first_invalid_rows_and_counts_all(cli: Cli) -> None:
    said = cli("pause", "-", "--dry-run", "--format", "lines", stdin=b"bad\n" * 9)
    assert "9 invalid" in said.out
    assert "Invalid rows, the first 5:" in said.out
    assert said.out.count("line ") == 5


def test_without_credentials_nothing_begins(cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = serve()
    monkeypatch.delenv("BULKPAUSE_TOKEN")
    said = cli("pause", cli.source(sandbox.report_ids))
    assert said.code == 78
    assert "AZURE_TENANT_ID" in said.err
    assert (sandbox.journal.entries, cli.runs) == ((), [])


def test_a_refused_token_halts_with_the_words_of_the_service(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    sandbox.revoke_tokens()
    said = cli("pause", cli.source(sandbox.report_ids))
    assert said.code == 77
    assert "bulkpause: halted: the service refused the token from BULKPAUSE_TOKEN" in said.err
    assert said.out.startswith("Halted: paused 0 of 8 reports in ")
    assert cli.summary()["stopped_by"]["reason"] == "not_authorised"
    assert len(sandbox.journal.entries) <= 8


def test_a_token_that_is_refused_for_the_last_report_halts_the_run_all_the_same(cli: Cli, serve: Serve) -> None:
    sandbox = serve("401", reports=1)
    said = cli("pause", cli.source(sandbox.report_ids), "--no-snapshot")
    assert said.code == 77
    assert cli.summary()["stopped_by"]["reason"] == "not_authorised"


def test_nobody_there_halts_with_69(cli: Cli, serve: Serve) -> None:
    ids = serve().report_ids
    said = cli("pause", cli.source(ids), "--base-url", "http://localhost:9/x", "--max-tries", "1")
    assert said.code == 69
    assert "cannot connect to localhost:9" in said.err
    assert f"{cli.summary()['directory']} --base-url http://localhost:9/x --max-tries 1\n" in said.out


@POSIX
def test_a_signal_drains_and_what_was_not_sent_is_next(cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = serve(reports=20)
    after(3, interrupt, monkeypatch)
    said = cli("pause", cli.source(sandbox.report_ids), "--concurrency", "1")
    assert said.code == 130
    assert "SIGINT: stopping; " in said.err
    assert "read up to" not in said.err
    assert said.out.startswith("Interrupted: paused ")
    summary = cli.summary()
    assert sum(summary["by_status"].values()) == 20
    assert (summary["state"], summary["stopped_by"]["message"]) == ("interrupted", "SIGINT")
    rest = (cli.runs[-1] / "failed.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert len(rest) == summary["by_status"]["skipped"]
    assert "stop_requested" in {line["event"] for line in cli.ledger()}


@POSIX
def test_a_signal_before_the_end_of_stdin_says_that_the_rest_was_not_read(
    cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = serve()
    reader, writer = os.pipe()
    with os.fdopen(reader) as stdin, os.fdopen(writer, "w") as pipe:
        pipe.write("".join(f"{report_id}\n" for report_id in sandbox.report_ids[:3]))
        pipe.flush()
        monkeypatch.setattr("sys.stdin", stdin)
        after(3, interrupt, monkeypatch)
        said = cli("pause", "-", "--format", "lines")
    assert said.code == 130
    assert said.err.endswith(
        "bulkpause: the source was read up to its row 3, perhaps not to its end; give it again for the rest.\n"
    )
    assert cli.summary()["source_has_ended"] is False
    assert "source_read" not in {line["event"] for line in cli.ledger()}


def test_a_place_where_no_ledger_can_be_leaves_nothing_behind(cli: Cli, serve: Serve, tmp_path: Path) -> None:
    sandbox = serve()
    said = cli("pause", cli.source(sandbox.report_ids), "--audit", "none/audit.jsonl")
    assert (said.code, said.out) == (73, "")
    assert said.err.startswith(f"bulkpause: cannot create the audit log {Path('none').absolute()}")
    assert (sandbox.journal.entries, cli.runs) == ((), [])


@pytest.mark.parametrize(("batches", "code"), [(0, 73), (1, 74), (3, 74)])
def test_a_full_disk_stops_the_sending(
    cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch, batches: int, code: int
) -> None:
    sandbox = serve(reports=20)
    write, written = files.write_all, iter(range(sys.maxsize))

    def until_full(fd: int, data: bytes) -> None:
        if next(written) >= batches:
            raise OSError(28, "No space left on device")
        write(fd, data)

    monkeypatch.setattr(files, "write_all", until_full)
    said = cli("pause", cli.source(sandbox.report_ids), "--concurrency", "1")
    assert said.code == code
    assert "No space left on device" in said.err
    assert len([entry for entry in sandbox.journal.entries if entry.operation == "pause"]) <= max(0, batches - 1)
    if code == 74:
        summary = cli.summary()
        assert (summary["state"], summary["failed_csv"]) == ("broken", None)
        assert sum(summary["by_status"].values()) == 20
        assert summary["next"] == f"bulkpause continue {summary['directory']} --concurrency 1"


def test_a_bug_of_ours_ends_with_70_and_a_summary_that_says_so(
    cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = serve()

    async def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(ReportClient, "send", fail)
    said = cli("pause", cli.source(sandbox.report_ids))
    assert (said.code, said.out) == (70, "")
    ledger, error = said.err.splitlines()
    assert ledger.endswith(f" is in {cli.runs[-1].absolute() / 'audit.jsonl'}.")
    assert error.startswith("bulkpause: internal error, please report it: RuntimeError")
    summary = cli.summary()
    assert (summary["state"], summary["stopped_by"]) == ("broken", {"reason": "error", "message": "RuntimeError"})
    assert sum(summary["by_status"].values()) == 8
    assert "planted" not in said.err + (cli.runs[-1] / "summary.json").read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="such a name cannot be there")
def test_a_place_whose_name_is_no_utf_8_ends_in_a_summary_like_any_other(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    place = os.fsdecode(b"odd-\xff")
    said = cli("pause", cli.source([*sandbox.report_ids, str(uuid4())]), "--runs-dir", place)
    assert said.code == 1
    (run,) = Path(place).iterdir()
    summary = orjson.loads((run / "summary.json").read_bytes())
    assert summary["by_status"] == {"succeeded": 8, "not_found": 1}
    assert "odd-\\udcff" in summary["directory"]


def test_a_source_that_breaks_off_halts_the_run_behind_what_it_gave(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    text = "ReportId,Name\n" + "".join(f"{report_id},x\n" for report_id in sandbox.report_ids) + 'x,"unclosed\n'
    said = cli("pause", "-", stdin=text.encode())
    assert said.code == 65
    assert "bulkpause: halted: stdin:" in said.err
    assert cli.summary()["stopped_by"]["reason"] == "source_failed"
    assert cli.summary()["source_has_ended"] is False


def test_a_failed_csv_that_cannot_be_written_is_a_warning(
    cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_ledger: Path, _target: Path, _ends: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bulkpause.closing.write_failed", full)
    sandbox = serve("404@n=1")
    said = cli("pause", cli.source(sandbox.report_ids))
    assert said.code == 1
    assert "failed.csv: No space left on device.\n" in said.err
    assert cli.summary()["failed_csv"] is None


def test_a_ledger_that_cannot_take_its_last_line_is_a_broken_one(
    cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = files.write_all

    def all_but_the_last(fd: int, data: bytes) -> None:
        if b"run_finished" in data:
            raise OSError(28, "No space left on device")
        write(fd, data)

    monkeypatch.setattr(files, "write_all", all_but_the_last)
    said = cli("pause", cli.source(serve().report_ids))
    assert said.code == 74
    assert (cli.summary()["state"], cli.summary()["by_status"]) == ("broken", {"succeeded": 8})


def test_a_ca_file_that_is_none_is_a_configuration_error(cli: Cli, serve: Serve) -> None:
    sandbox = serve(tls=True)
    Path("ca.pem").write_text("not a certificate", encoding="utf-8")
    said = cli("pause", cli.source(sandbox.report_ids), "--ca-file", "ca.pem")
    assert (said.code, said.out) == (78, "")
    assert "api.ca_file ca.pem is unusable" in said.err
    assert sandbox.journal.entries == ()


@pytest.mark.parametrize("flags", [["-vv"], ["-vv", "--log-format", "json"]])
def test_no_secret_is_printed_or_kept(
    cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch, flags: list[str]
) -> None:
    sandbox = serve("500*1")
    token = sandbox.issue_token()
    original = ReportClient.send

    async def echoing(self: ReportClient, *args: Any, **options: Any) -> Any:
        reply = await original(self, *args, **options)
        return reply._replace(message=f"you sent {token} and Bearer planted")

    monkeypatch.setattr(ReportClient, "send", echoing)
    monkeypatch.setenv("BULKPAUSE_TOKEN", token)
    said = cli("pause", cli.source([*sandbox.report_ids, "bad"]), *flags)
    kept = "".join(file.read_text(encoding="utf-8") for file in cli.runs[-1].iterdir())
    assert "you sent ****" in said.err
    assert "you sent ****" in kept
    for text in (said.out, said.err, kept):
        assert token not in text
        assert "planted" not in text


def test_the_log_and_progress_are_quiet_on_demand(cli: Cli, serve: Serve) -> None:
    sandbox = serve("429:0.01*1")
    assert "run.hold" in cli("pause", cli.source(sandbox.report_ids), "--no-adapt").err
    sandbox = serve("429:0.01*1")
    assert cli("pause", cli.source(sandbox.report_ids), "-q", "--no-adapt").err == ""


def test_an_unchanged_run_on_the_sandbox_says_so_in_its_next_commands(cli: Cli) -> None:
    Path("ids.txt").write_text("0b5c2c1e-7a31-4d0e-9c54-5f2d1f6b8a90\n", encoding="utf-8")
    said = cli("pause", "ids.txt", "--sandbox")
    assert said.code == 0
    assert said.out.rstrip().endswith(f"bulkpause undo {cli.summary()['directory']} --sandbox")
    assert cli.summary()["sandbox"] is True
    assert cli.summary()["by_status"] == {Status.SUCCEEDED.value: 1}


def test_a_run_with_a_key_is_signed_when_it_ends(cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("audit", "keygen", "key.pem").code == 0
    monkeypatch.setenv("BULKPAUSE_AUDIT__SIGNING_KEY_FILE", "key.pem")
    assert cli("pause", cli.source(serve().report_ids), "--audit", "elsewhere.jsonl").code == 0
    said = cli("audit", "verify", "elsewhere.jsonl", "--public-key", "key.pem.pub", "--json")
    assert (said.code, said.document["signature"]) == (0, "good")


@pytest.mark.parametrize("flags", [[], ["--dry-run"]])
def test_a_key_that_is_none_is_found_before_anything_is_sent(
    cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch, flags: list[str]
) -> None:
    sandbox = serve()
    monkeypatch.setenv("BULKPAUSE_AUDIT__SIGNING_KEY_FILE", "key.pem")
    said = cli("pause", cli.source(sandbox.report_ids), *flags)
    assert (said.code, said.out) == (78, "")
    assert said.err.startswith("bulkpause: audit.signing_key_file key.pem cannot be read: ")
    assert (sandbox.journal.entries, cli.runs) == ((), [])


def test_a_signature_that_cannot_be_written_is_a_warning(
    cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("audit", "keygen", "key.pem")
    monkeypatch.setenv("BULKPAUSE_AUDIT__SIGNING_KEY_FILE", "key.pem")
    Path("elsewhere.jsonl.sig").mkdir()
    said = cli("pause", cli.source(serve().report_ids), "--audit", "elsewhere.jsonl")
    assert said.code == 0
    assert "the audit log is not signed: " in said.err
