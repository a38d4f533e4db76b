"""`bulkpause undo`: only what a run changed, and never what somebody else has changed since."""

from __future__ import annotations

import csv
import io
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import pytest

from bulkpause.cli import confirm
from bulkpause.models import Operation, ReportId
from bulkpause.record import RunRecord
from bulkpause.sandbox import Sandbox
from tests.cli.calling import Cli, Keyboard, Said, Serve, interrupted_at_list, killed, operations

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="raises a POSIX signal")

BLIND = (
    "bulkpause: the tenant's reports were not read first, so this undo went by the audit log of the other run alone: "
    "it could not know what somebody else has changed since.\n"
)


def paused(cli: Cli, serve: Serve, *faults: str, before: int = 2, flags: tuple[str, ...] = (), **more: Any) -> Sandbox:
    """A run has paused eight reports, of which the first ones were Paused before."""
    ids = serve().report_ids  # the same seed, the same ids
    sandbox = serve(*faults, changed=dict.fromkeys(ids[:before], ("Paused", None)), **more)
    assert cli("pause", cli.source(ids), *flags).code == 0
    return sandbox


def resumed(sandbox: Sandbox) -> list[str | None]:
    """The reports that were sent a resume, in the order of the list."""
    sent = {put.report_id for put in sandbox.journal.puts if put.operation == "resume"}
    return [one for one in sandbox.report_ids if one in sent]


def left_alone(cli: Cli) -> dict[str, str]:
    """By report, why the last run has left it alone."""
    with (cli.runs[-1] / "left-alone.csv").open(encoding="utf-8", newline="") as stream:
        rows = {row["report_id"]: row["why"] for row in csv.DictReader(stream)}
    assert {line["report_id"]: line["why"] for line in cli.ledger() if line["event"] == "left_alone"} == rows
    return rows


def is_proven(cli: Cli) -> bool:
    """Whether the ledger of the last run is whole and vouched for."""
    return cli("audit", "verify", "last").code == 0


def test_an_undo_resumes_what_the_run_paused_and_nothing_else(cli: Cli, serve: Serve) -> None:
    sandbox = paused(cli, serve)
    said = cli("undo", "last")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("Resumed 6 of 6 reports in ")
    assert said.out.splitlines()[0].endswith(f", undoing run {cli.runs[0].name}")
    assert resumed(sandbox) == list(sandbox.report_ids[2:])
    assert list(sandbox.report_statuses.values()) == ["Paused"] * 2 + ["Active"] * 6
    assert not (cli.runs[-1] / "left-alone.csv").exists()


def test_an_undo_is_a_run_of_its_own(cli: Cli, serve: Serve) -> None:
    paused(cli, serve)
    said = cli("undo", cli.runs[0].name[:-2], "--json")
    assert len(cli.runs) == 2
    summary = cli.summary()
    assert said.document == summary
    assert (summary["undoes"], summary["operation"], summary["read"]) == (cli.runs[0].name, "resume", 6)
    assert summary["source"] == f"undo of {cli.runs[0].name}"
    assert {line["event"] for line in cli.ledger()} >= {"run_started", "source_read", "snapshot_taken", "run_finished"}
    assert is_proven(cli)


def test_what_a_colleague_has_changed_since_is_left_alone_and_named(cli: Cli, serve: Serve) -> None:
    sandbox = paused(cli, serve)
    ids = sandbox.report_ids
    sandbox.change(ids[0], Operation.RESUME)  # was paused before the run
    sandbox.change(ids[2], Operation.RESUME)
    sandbox.change(ids[3], Operation.RESUME)
    sandbox.change(ids[3], Operation.PAUSE)  # for a reason of the colleague's own
    before = sandbox.report_statuses
    said = cli("undo", "last")
    assert said.code == 0
    assert left_alone(cli) == dict.fromkeys((ids[0], ids[2], ids[3]), "changed_since")
    assert "\n3 left alone, changed by somebody else since\n" in said.out
    assert f"\n  {ids[2]}: it is Active, the run left it Paused\n" in said.out
    assert f"\nUntouched {cli.runs[-1].absolute() / 'left-alone.csv'}\n" in said.out
    assert resumed(sandbox) == list(ids[4:])
    assert all(sandbox.report_statuses[one] == before[one] for one in (ids[0], ids[2], ids[3]))
    assert cli.summary()["left_alone"]["changed_since"]["count"] == 3


def test_by_status_resumes_what_is_paused_whoever_paused_it_last(cli: Cli, serve: Serve) -> None:
    sandbox = paused(cli, serve)
    for operation in (Operation.RESUME, Operation.PAUSE):
        sandbox.change(sandbox.report_ids[3], operation)
    assert cli("undo", "last", "--by-status").code == 0
    assert resumed(sandbox) == list(sandbox.report_ids[2:])


@pytest.mark.parametrize(("faults", "flags"), [((), ["--no-snapshot"]), (("500@list,n=2..9",), [])])
def test_without_a_look_an_undo_goes_by_the_ledger_and_says_so(
    cli: Cli, serve: Serve, faults: tuple[str, ...], flags: list[str]
) -> None:
    sandbox = paused(cli, serve, *faults)
    sandbox.change(sandbox.report_ids[2], Operation.RESUME)
    said = cli("undo", "last", *flags)
    assert said.code == 0
    assert said.err.endswith(BLIND)
    assert resumed(sandbox) == list(sandbox.report_ids[2:])


def test_without_any_look_before_or_behind_the_run_all_that_succeeded_is_undone(cli: Cli, serve: Serve) -> None:
    sandbox = paused(cli, serve, flags=("--no-snapshot",))
    assert cli("undo", "last", "--no-snapshot").code == 0
    assert operations(sandbox) == {"pause": 8, "resume": 8}


def test_what_a_crash_left_in_doubt_is_undone_where_a_look_shows_that_the_run_changed_it(
    cli: Cli, serve: Serve
) -> None:
    sandbox = paused(cli, serve, flags=("--concurrency", "1"))
    intents = [line["seq"] for line in cli.ledger() if line["event"] == "attempt_started"]
    killed(cli.runs[-1], lines=intents[2])
    for one in sandbox.report_ids[5:]:  # never reached
        sandbox.change(one, Operation.RESUME)
    said = cli("undo", "last")
    assert said.code == 0
    assert said.out.startswith("Resumed 3 of 3 reports in ")
    assert resumed(sandbox) == list(sandbox.report_ids[2:5])


def test_what_is_in_doubt_is_left_alone_if_nothing_says_what_it_was_before(cli: Cli, serve: Serve) -> None:
    ids = serve().report_ids
    sandbox = serve(f"lost@id={ids[1]},pause")
    cli("pause", cli.source(ids), "--max-tries", "1", "--no-snapshot")
    said = cli("undo", "last")
    assert said.code == 6  # the report may be as the run has left it
    assert left_alone(cli) == {ids[1]: "in_doubt"}
    assert resumed(sandbox) == [one for one in ids if one != ids[1]]


def test_an_undo_can_be_undone(cli: Cli, serve: Serve) -> None:
    sandbox = paused(cli, serve)
    before = sandbox.report_statuses
    cli("undo", "last")
    said = cli("undo", cli.runs[-1].name)
    assert said.code == 0
    assert said.out.startswith("Paused 6 of 6 reports in ")
    assert sandbox.report_statuses == before


def test_undo_last_twice_does_not_do_again_what_was_undone(cli: Cli, serve: Serve) -> None:
    sandbox = paused(cli, serve)
    cli("undo", "last")
    before = sandbox.report_statuses
    said = cli("undo", "last", "--yes")
    first, second = (folder.absolute() for folder in cli.runs)
    assert said.code == 2
    assert f"the last run is an undo itself, of run {first.name}. " in said.err
    assert said.err.endswith(f"type one of\n  bulkpause undo {first}\n  bulkpause undo {second}\n")
    assert sandbox.report_statuses == before


@pytest.mark.usefixtures("quick_to_settle")
@pytest.mark.parametrize("looks", [1, 2])
def test_what_was_contradicted_and_changed_by_a_colleague_is_left_alone(cli: Cli, serve: Serve, looks: int) -> None:
    sandbox = paused(cli, serve)
    again, resumed_by_hand = sandbox.report_ids[3:5]
    for one in (again, resumed_by_hand):
        sandbox.change(one, Operation.RESUME)
    assert cli("verify", "last").code == 5
    sandbox._api.change(again, Operation.PAUSE, now_s=time.monotonic(), at=datetime(2030, 1, 2, tzinfo=UTC))
    for _ in range(looks - 1):
        assert cli("verify", "last").code == 5
    assert cli("undo", "last").code == 0
    assert left_alone(cli) == {again: "changed_since", resumed_by_hand: "changed_since"}
    assert not {again, resumed_by_hand} & set(resumed(sandbox))


@pytest.mark.parametrize(
    ("flags", "words"), [([], "Nothing to undo: run {} changed nothing.\n"), (["--json"], '"at_most": 0')]
)
def test_a_run_that_changed_nothing_has_nothing_to_undo(cli: Cli, serve: Serve, flags: list[str], words: str) -> None:
    sandbox = paused(cli, serve, before=8)
    said = cli("undo", "last", *flags)
    assert said.code == 0
    assert words.format(cli.runs[0].name) in said.out
    assert (len(cli.runs), operations(sandbox)) == (1, {"list": 1})


def test_where_a_colleague_has_undone_it_all_there_is_nothing_left_to_send(cli: Cli, serve: Serve) -> None:
    sandbox = paused(cli, serve)
    for one in sandbox.report_ids[2:]:
        sandbox.change(one, Operation.RESUME)
    said = cli("undo", "last")
    assert said.code == 0
    assert said.out.startswith(f"Nothing to undo of run {cli.runs[0].name}.\n")
    assert len(left_alone(cli)) == 6
    assert resumed(sandbox) == []


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_dry_run_says_what_it_comes_to_at_most_and_sends_nothing(cli: Cli, serve: Serve, flags: list[str]) -> None:
    sandbox = paused(cli, serve)
    seen = len(sandbox.journal.entries)
    said = cli("undo", "last", "--dry-run", *flags)
    assert said.code == 0
    if flags:
        assert (said.document["undoes"], said.document["at_most"]) == (cli.runs[0].name, 6)
    else:
        assert said.out.startswith(f"Would resume at most 6 reports that run {cli.runs[0].name} paused, at ")
    assert (len(cli.runs), len(sandbox.journal.entries)) == (1, seen)


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 1)])
def test_a_large_undo_is_asked_about(
    cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch, typed: str, code: int
) -> None:
    sandbox = paused(cli, serve)
    screen = at_a_terminal(monkeypatch, typed)
    said = cli("undo", "last", "--progress", "none", env={"BULKPAUSE_RUN__CONFIRM_ABOVE": "5"})
    assert said.code == code
    assert screen.getvalue() == (
        f"Resume at most 6 reports that run {cli.runs[0].name} paused, at {sandbox.base_url}, 2000/s, "
        "at best 0.0 s? [y/N] "
    )
    assert len(resumed(sandbox)) == (6 if code == 0 else 0)
    assert len(cli.runs) == (2 if code == 0 else 1)


def test_no_input_refuses_a_large_undo_and_leaves_nothing_behind(
    cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = paused(cli, serve)
    at_a_terminal(monkeypatch, "y\n")
    said = cli("undo", "last", "--no-input", env={"BULKPAUSE_RUN__CONFIRM_ABOVE": "5"})
    assert said.code == 2
    assert (resumed(sandbox), len(cli.runs)) == ([], 1)


def at_a_terminal(monkeypatch: pytest.MonkeyPatch, typed: str) -> io.StringIO:
    """Put a person there who types that; the screen."""
    screen = io.StringIO()

    @contextmanager
    def terminal() -> Iterator[tuple[TextIO, TextIO]]:
        yield io.StringIO(typed), screen

    monkeypatch.setattr(confirm, "_terminal", terminal)
    monkeypatch.setattr("sys.stderr", Keyboard())
    return screen


def test_a_run_about_another_service_is_not_undone_here(cli: Cli, serve: Serve) -> None:
    paused(cli, serve)
    elsewhere = serve(seed=1)
    said = cli("undo", "last")
    assert said.code == 78
    assert f"the settings say {elsewhere.base_url}" in said.err
    assert (elsewhere.journal.entries, len(cli.runs)) == ((), 1)


def test_a_run_about_another_tenant_is_not_undone_here(cli: Cli, serve: Serve) -> None:
    sandbox = paused(cli, serve)
    said = cli("undo", "last", env={"AZURE_TENANT_ID": "contoso.example"})
    assert said.code == 78
    assert "auth.tenant_id not set, and the settings say contoso.example" in said.err
    assert resumed(sandbox) == []


def test_a_run_whose_ledger_is_elsewhere_is_undone_and_so_is_its_undo(cli: Cli, serve: Serve) -> None:
    sandbox = paused(cli, serve, flags=("--audit", "pause.jsonl"))
    before = sandbox.report_statuses
    assert cli("undo", "last", "--audit", "resume.jsonl").code == 0
    assert len(resumed(sandbox)) == 6
    assert cli("undo", cli.runs[-1].name).code == 0
    assert sandbox.report_statuses == before


def test_a_ledger_that_cannot_be_made_leaves_nothing_behind(cli: Cli, serve: Serve) -> None:
    sandbox = paused(cli, serve)
    said = cli("undo", "last", "--audit", "none/audit.jsonl")
    assert said.code == 73
    assert (resumed(sandbox), len(cli.runs)) == ([], 1)


@posix_only
def test_an_interrupted_undo_is_continued_like_any_run(cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = paused(cli, serve)
    sandbox.change(sandbox.report_ids[7], Operation.RESUME)
    assert interrupted_after(2, cli, monkeypatch).code == 130
    assert cli.summary()["by_status"] == {"succeeded": 2, "skipped": 3}
    said = cli("continue", "last")
    assert said.code == 0
    assert said.out.startswith("Resumed 5 of 5 reports in ")
    assert f", undoing run {cli.runs[0].name}\n" in said.out
    assert len(cli.runs) == 2
    assert resumed(sandbox) == list(sandbox.report_ids[2:7])
    assert len([put for put in sandbox.journal.puts if put.operation == "resume"]) == 5
    assert is_proven(cli)


def interrupted_after(number: int, cli: Cli, monkeypatch: pytest.MonkeyPatch, *flags: str) -> Said:
    """An undo of the last run that is interrupted after so many outcomes."""
    outcome, ended = RunRecord.outcome, iter(range(1, sys.maxsize))

    def watched(self: RunRecord, one: Any) -> None:
        outcome(self, one)
        if next(ended) == number:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(RunRecord, "outcome", watched)
        return cli("undo", "last", "--concurrency", "1", *flags)


@posix_only
def test_an_undo_that_is_stopped_before_its_look_leaves_nothing_to_continue_blindly(cli: Cli, serve: Serve) -> None:
    sandbox = paused(cli, serve, "hang@list,n=2")
    sandbox.change(sandbox.report_ids[2], Operation.RESUME)
    sandbox.change(sandbox.report_ids[2], Operation.PAUSE)
    with interrupted_at_list(sandbox, number=2):
        said = cli("undo", "last", "--by-status")
    assert said.code == 130
    assert said.err.endswith(f"stopped before it had found out what there is to undo: undo {cli.runs[0].name} again.\n")
    assert f"\nNext      bulkpause undo {cli.runs[0].absolute()} --by-status\n" in said.out
    assert (cli.summary()["read"], cli.summary()["source_has_ended"]) == (0, False)
    said = cli("continue", "last")
    assert said.code == 2
    assert f"Instead, type bulkpause undo {cli.runs[0].absolute()} --by-status\n" in said.err
    assert resumed(sandbox) == []
    assert cli("undo", cli.runs[0].name).code == 0
    assert resumed(sandbox) == list(sandbox.report_ids[3:])


def test_an_undo_that_was_killed_before_it_knew_what_to_undo_begins_anew(cli: Cli, serve: Serve) -> None:
    sandbox = paused(cli, serve)
    cli("undo", "last", "--concurrency", "1")
    killed(cli.runs[-1], lines=[line["event"] for line in cli.ledger()].index("snapshot_taken") + 1)
    (cli.runs[-1] / "manifest.csv").unlink()
    said = cli("continue", "last")
    assert said.code == 2
    assert f"Instead, type bulkpause undo {cli.runs[0].absolute()}" in said.err
    assert f"bulkpause undo {cli.runs[0].absolute()} --concurrency 1" in cli("show", "last").out
    assert len(resumed(sandbox)) == 6


def test_an_undo_can_verify_itself(cli: Cli, serve: Serve) -> None:
    paused(cli, serve)
    said = cli("undo", "last", "--verify")
    assert said.code == 0
    assert "\nVerified  6 converged\n" in said.out


def test_the_sandbox_remembers_what_the_run_has_done(cli: Cli) -> None:
    one = ReportId("0b5c2c1e-7a31-4d0e-9c54-5f2d1f6b8a90")
    Path("ids.txt").write_text(f"{one}\n", encoding="utf-8")
    cli("pause", "ids.txt", "--sandbox")
    assert cli("undo", "last", "--sandbox").code == 0
    assert cli.summary()["by_status"] == {"succeeded": 1}
    (outcome,) = (line for line in cli.ledger() if line["event"] == "outcome")
    assert (outcome["before"], outcome["report_status"]) == ("Paused", "Active")


@posix_only
def test_the_sandbox_remembers_what_an_interrupted_run_has_done(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [f"0b5c2c1e-7a31-4d0e-9c54-5f2d1f6b8a9{digit}" for digit in range(3)]
    Path("ids.txt").write_text("\n".join(ids) + "\n", encoding="utf-8")
    cli("pause", "ids.txt", "--sandbox")
    assert interrupted_after(1, cli, monkeypatch, "--sandbox").code == 130
    assert cli("continue", "last", "--sandbox", "--force").code == 0
    assert cli.summary()["by_status"] == {"succeeded": 3}
