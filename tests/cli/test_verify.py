"""`bulkpause verify`, and `--verify` on a run: what the service says of what a run claims."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bulkpause.lock import LedgerLock
from bulkpause.models import Operation
from bulkpause.sandbox import Sandbox
from tests.cli.calling import Cli, Serve, interrupted_at_list, killed, operations

pytestmark = pytest.mark.usefixtures("quick_to_settle")


def paused_by(cli: Cli, sandbox: Sandbox, *flags: str) -> None:
    """A run that has paused every report of the service."""
    cli("pause", cli.source(sandbox.report_ids), *flags)


def events(cli: Cli, event: str) -> list[dict[str, Any]]:
    """The lines of that kind in the last run's ledger."""
    return [line for line in cli.ledger() if line["event"] == event]


def is_proven(cli: Cli) -> bool:
    """Whether the ledger of the last run is whole and vouched for."""
    return cli("audit", "verify", "last").code == 0


def test_a_run_whose_reports_are_as_it_says_converged(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    paused_by(cli, sandbox)
    said = cli("verify", "last")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"8 of 8 reports of run {cli.runs[-1].name} are as it says\n\nVerified  8 converged\n")
    assert "Next" not in said.out
    assert operations(sandbox) == {"list": 2, "pause": 8}


def test_its_ledger_ends_in_a_line_that_vouches_for_all_and_its_summary_says_so(cli: Cli, serve: Serve) -> None:
    paused_by(cli, serve())
    cli("verify", "last")
    *_, started, last = cli.ledger()
    assert (started["event"], last["event"]) == ("verification_started", "verified")
    summary = cli.summary()
    assert (summary["audit_lines"], summary["audit_head"]) == (last["lines"], last["head"])
    assert summary["verified"] == last["counts"]
    assert (summary["verified"]["converged"], summary["verified"]["requests"]) == (8, 1)
    assert summary["state"] == "finished"
    assert is_proven(cli)


def test_what_somebody_has_changed_since_is_contradicted_and_named(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    paused_by(cli, sandbox)
    sandbox.change(sandbox.report_ids[4], Operation.RESUME)
    said = cli("verify", "last")
    assert said.code == 5
    assert "\n1 contradicted: the service does not have it as the audit log says\n" in said.out
    assert f"\n  {sandbox.report_ids[4]} is Active\n" in said.out
    assert f"\nNext      bulkpause continue {cli.runs[-1].absolute()}\n" in said.out
    (finding,) = events(cli, "finding")
    assert (finding["report_id"], finding["finding"]) == (sandbox.report_ids[4], "contradicted")
    assert cli.summary()["findings"]["contradicted"]["count"] == 1
    assert cli.summary()["by_status"] == {"succeeded": 7, "unknown": 1}
    assert is_proven(cli)


def test_what_is_contradicted_stays_so_until_a_continuation_has_mended_it(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    paused_by(cli, sandbox)
    sandbox.change(sandbox.report_ids[4], Operation.RESUME)
    assert [cli("verify", "last").code, cli("verify", "last").code] == [5, 5]
    assert cli.summary()["by_status"] == {"succeeded": 7, "unknown": 1}
    assert (
        f"1 unknown 200: contradicted: read back, the report is Active\n  {sandbox.report_ids[4]}\n"
        in cli("show", "last").out
    )
    assert cli("continue", "last").code == 0
    assert sandbox.report_statuses[sandbox.report_ids[4]] == "Paused"
    assert cli("verify", "last").code == 0
    assert cli.summary()["by_status"] == {"succeeded": 8}


def test_a_report_that_the_list_has_lost_is_missing(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    paused_by(cli, sandbox)
    lost = sandbox.report_ids[2]
    del sandbox._reports._reports[lost]
    said = cli("verify", "last", "--json")
    assert said.code == 5
    assert said.document["verified"]["missing"] == 1
    assert said.document["findings"] == {"missing": {"count": 1, "examples": [f"{lost} is not listed"]}}
    assert said.document["run_id"] == cli.runs[-1].name


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ("500@list,n=2..9", 69, "HTTP 500"),
        ("drop@list,n=2..9", 69, "no answer"),
        ("403@list,n=2..9", 77, "HTTP 403"),
        ("401@list,n=2..9", 77, "the service refused the token from BULKPAUSE_TOKEN"),
        ("429:100000@list,n=2..9", 75, "longer than retry.retry_after_cap_s"),
    ],
)
def test_a_list_that_cannot_be_read_says_why_and_leaves_a_ledger_that_is_whole(
    cli: Cli, serve: Serve, fault: str, code: int, words: str
) -> None:
    paused_by(cli, serve(fault))
    said = cli("verify", "last")
    assert said.code == code
    assert "bulkpause: not verified: " in said.err
    assert words in said.err
    assert said.out.startswith(f"Not verified: 8 reports of run {cli.runs[-1].name} are not known\n")
    assert "\nVerified  8 unreadable\n" in said.out
    assert cli.summary()["by_status"] == {"succeeded": 8}
    assert is_proven(cli)


def test_what_was_in_doubt_is_resolved_in_place(cli: Cli, serve: Serve) -> None:
    ids = serve().report_ids  # the same seed, the same ids
    sandbox = serve(f"lost@id={ids[2]}", f"hang@id={ids[4]}")
    said = cli("pause", cli.source(sandbox.report_ids), "--max-tries", "1", "--timeout", "0.3", "--concurrency", "1")
    assert said.code == 6
    assert cli.summary()["by_status"] == {"succeeded": 6, "unknown": 2}
    said = cli("verify", "last")
    assert said.code == 0
    assert "\nVerified  6 converged, 2 resolved\n" in said.out
    assert "\nNext      bulkpause continue " in said.out
    assert {line["report_id"]: line["status"] for line in events(cli, "resolved")} == {
        sandbox.report_ids[2]: "succeeded",
        sandbox.report_ids[4]: "exhausted",
    }
    assert cli.summary()["by_status"] == {"succeeded": 7, "exhausted": 1}
    failed = Path(cli.summary()["failed_csv"]).read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in failed] == ["report_id", sandbox.report_ids[4]]
    assert is_proven(cli)


def test_when_nothing_is_left_in_doubt_failed_csv_is_gone(cli: Cli, serve: Serve) -> None:
    sandbox = serve(f"lost@id={serve().report_ids[2]}")
    cli("pause", cli.source(sandbox.report_ids), "--max-tries", "1")
    assert (cli.runs[-1] / "failed.csv").exists()
    assert cli("verify", "last").code == 0
    assert not (cli.runs[-1] / "failed.csv").exists()
    assert cli.summary()["failed_csv"] is None


def test_a_second_verification_takes_the_place_of_the_first(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    paused_by(cli, sandbox)
    sandbox.change(sandbox.report_ids[0], Operation.RESUME)
    assert cli("verify", "last").code == 5
    sandbox.change(sandbox.report_ids[0], Operation.PAUSE)
    said = cli("verify", "last")
    assert said.code == 0
    assert "contradicted" not in said.out
    assert (cli.summary()["findings"], cli.summary()["verified"]["converged"]) == ({}, 7)
    assert is_proven(cli)


def test_a_run_that_is_alive_is_not_verified(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    paused_by(cli, sandbox)
    before = len(sandbox.journal.entries)
    with LedgerLock(cli.runs[-1].absolute() / "audit.jsonl", now=datetime.now(UTC)):
        said = cli("verify", "last")
    assert said.code == 73
    assert f"run {cli.runs[-1].name} is alive: process " in said.err
    assert len(sandbox.journal.entries) == before


def test_what_a_kill_left_in_doubt_is_resolved_and_the_run_stays_interrupted(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    paused_by(cli, sandbox, "--concurrency", "1")
    intents = [line["seq"] for line in cli.ledger() if line["event"] == "attempt_started"]
    killed(cli.runs[-1], lines=intents[5])
    assert cli("verify", "last").code == 0
    assert cli.summary()["by_status"] == {"succeeded": 6}
    assert cli.summary()["state"] == "interrupted"
    (resolved,) = events(cli, "resolved")
    assert (resolved["status"], resolved["before"]) == ("succeeded", "Active")
    assert cli("audit", "verify", "last").code == 0


def test_a_doubt_that_the_run_was_the_one_to_settle_is_unchanged_if_it_was_so_before(cli: Cli, serve: Serve) -> None:
    ids = serve().report_ids
    sandbox = serve(changed={ids[0]: ("Paused", None)})
    cli("pause", cli.source(ids), "--force", "--concurrency", "1")
    killed(cli.runs[-1], lines=[line["event"] for line in cli.ledger()].index("attempt_started") + 1)
    assert cli("verify", "last").code == 0
    (resolved,) = events(cli, "resolved")
    assert (resolved["status"], resolved["before"]) == ("unchanged", "Paused")
    assert operations(sandbox)["pause"] == 8


def test_a_signature_is_renewed(cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("audit", "keygen", "key.pem")
    monkeypatch.setenv("BULKPAUSE_AUDIT__SIGNING_KEY_FILE", "key.pem")
    paused_by(cli, serve())
    cli("verify", "last")
    said = cli("audit", "verify", "last", "--public-key", "key.pem.pub", "--json")
    assert (said.code, said.document["signature"]) == (0, "good")


def test_that_a_signature_does_not_fit_any_more_is_said(
    cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("audit", "keygen", "key.pem")
    monkeypatch.setenv("BULKPAUSE_AUDIT__SIGNING_KEY_FILE", "key.pem")
    paused_by(cli, serve())
    monkeypatch.delenv("BULKPAUSE_AUDIT__SIGNING_KEY_FILE")
    said = cli("verify", "last")
    assert said.code == 0
    assert "bulkpause: the audit log was signed, and is longer now: with audit.signing_key_file set, " in said.err
    assert cli("audit", "verify", "last").code == 5


def test_a_summary_that_cannot_be_written_is_a_warning(cli: Cli, serve: Serve) -> None:
    paused_by(cli, serve())
    (cli.runs[-1] / "summary.json").unlink()
    (cli.runs[-1] / "summary.json" / "in the way").mkdir(parents=True)
    said = cli("verify", "last")
    assert said.code == 0
    assert f"bulkpause: cannot write {cli.runs[-1].absolute() / 'summary.json'}: " in said.err


def test_a_run_about_another_service_is_not_verified_here(cli: Cli, serve: Serve) -> None:
    paused_by(cli, serve())
    elsewhere = serve(seed=1)
    said = cli("verify", "last")
    assert said.code == 78
    assert f"the settings say {elsewhere.base_url}" in said.err
    assert elsewhere.journal.entries == ()


def test_the_sandbox_remembers_what_the_run_has_done(cli: Cli) -> None:
    Path("ids.txt").write_text("0b5c2c1e-7a31-4d0e-9c54-5f2d1f6b8a90\n", encoding="utf-8")
    cli("pause", "ids.txt", "--sandbox")
    said = cli("verify", "last", "--sandbox", "--json")
    assert (said.code, said.document["verified"]["converged"]) == (0, 1)
    assert cli("verify", "last").code == 78


def test_a_run_can_verify_itself(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    said = cli("pause", cli.source(sandbox.report_ids), "--verify")
    assert (said.code, said.err) == (0, "")
    assert "\nVerified  8 converged\n" in said.out
    assert operations(sandbox) == {"list": 2, "pause": 8}
    last = ["verification_started", "verified", "rate_certified", "run_finished"]
    assert [line["event"] for line in cli.ledger()[-4:]] == last
    assert cli.summary()["rate_windows"]["requests"] == 10
    assert cli.summary()["verified"]["requests"] == 1


def test_a_run_that_was_lied_to_exits_5_and_names_the_report(cli: Cli, serve: Serve) -> None:
    sandbox = serve("lie-done@n=3")
    said = cli("pause", cli.source(sandbox.report_ids), "--verify", "--concurrency", "1")
    assert said.code == 5
    assert f"\n1 unknown 200: contradicted: read back, the report is Active\n  {sandbox.report_ids[2]}\n" in said.out
    assert [line["report_id"] for line in events(cli, "finding")] == [sandbox.report_ids[2]]
    assert cli.summary()["findings"]["contradicted"]["count"] == 1
    assert is_proven(cli)


def test_a_run_settles_its_own_doubts(cli: Cli, serve: Serve) -> None:
    sandbox = serve(f"lost@id={serve().report_ids[2]}")
    said = cli("pause", cli.source(sandbox.report_ids), "--verify", "--max-tries", "1")
    assert said.code == 0
    assert cli.summary()["by_status"] == {"succeeded": 8}
    assert cli.summary()["failed_csv"] is None
    assert len(events(cli, "resolved")) == 1


@pytest.mark.parametrize("fault", ["500@list,n=2..9", "403@list,n=2..9", "401@list,n=2..9"])
def test_a_run_that_cannot_verify_itself_says_so_loudly_and_does_not_exit_with_success(
    cli: Cli, serve: Serve, fault: str
) -> None:
    sandbox = serve(fault)
    said = cli("pause", cli.source(sandbox.report_ids), "--verify")
    assert said.code == 6
    assert "bulkpause: not verified: " in said.err
    assert "\nVerified  8 unreadable\n" in said.out
    assert cli.summary()["by_status"] == {"succeeded": 8}
    assert is_proven(cli)


@pytest.mark.skipif(sys.platform == "win32", reason="raises a POSIX signal")
def test_a_signal_ends_a_verification_and_what_was_sent_stays_as_it_is(cli: Cli, serve: Serve) -> None:
    sandbox = serve("hang@list,n=2")
    with interrupted_at_list(sandbox, number=2):
        said = cli("pause", cli.source(sandbox.report_ids), "--verify", "--concurrency", "2", "--rate", "1000/s")
    assert said.code == 130
    assert f"not verified. For that, type bulkpause verify {cli.runs[0].absolute()} --rate 1000/s\n" in said.err
    assert cli.summary()["by_status"] == {"succeeded": 8}
    assert cli.summary()["verified"] is None
    assert is_proven(cli)


@pytest.mark.skipif(sys.platform == "win32", reason="raises a POSIX signal")
def test_a_verification_that_a_signal_ends_leaves_a_whole_ledger(cli: Cli, serve: Serve) -> None:
    sandbox = serve("hang@list,n=2")
    paused_by(cli, sandbox)
    with interrupted_at_list(sandbox, number=2):
        said = cli("verify", "last")
    assert said.code == 130
    assert "bulkpause: not verified: stopped before the end.\n" in said.err
    assert cli.ledger()[-1]["event"] == "verified"
    assert cli.summary()["by_status"] == {"succeeded": 8}
    assert is_proven(cli)


@pytest.mark.skipif(sys.platform == "win32", reason="raises a POSIX signal")
def test_a_verification_that_was_stopped_can_be_done_again(cli: Cli, serve: Serve) -> None:
    sandbox = serve("hang@list,n=2")
    paused_by(cli, sandbox)
    with interrupted_at_list(sandbox, number=2):
        cli("verify", "last")
    assert cli("verify", "last").code == 0
    assert cli.summary()["verified"]["converged"] == 8
    assert is_proven(cli)
