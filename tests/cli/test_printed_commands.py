"""What a summary says to type next, or to undo: the command line takes it as it is printed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkpause.sandbox import Sandbox
from tests.cli.calling import Cli, Serve
from tests.cli.interrupted import kill_at

DENIED_AND_LOST = ("403@id={0}", "lost@id={1}")
HALTED_AMID = ("403@n=2", "revoke@n=4")


def rehearsed(cli: Cli, sandbox: Sandbox, command: str) -> dict[str, Any]:
    """The plan of a printed command, which is accepted and sends nothing."""
    program, *arguments = shlex.split(command)
    assert program == "bulkpause"
    seen = len(sandbox.journal.entries)
    said = cli(*arguments, "--dry-run", "--json")
    assert (said.code, said.err) == (0, "")
    assert len(sandbox.journal.entries) == seen
    return said.document


def config_file() -> str:
    """A settings file with a profile, under a name that a shell would take apart."""
    Path("my config.toml").write_text("[profile.night]\nrun.concurrency = 2\n", encoding="utf-8")
    return "my config.toml"


@pytest.mark.parametrize(("faults", "code"), [(DENIED_AND_LOST, 6), (HALTED_AMID, 77)])
@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["--force"],
        ["--no-snapshot"],
        ["--rate", "60000/min"],
        ["--rate", "123.5/s", "--force"],
        ["--concurrency", "1"],
        ["--halt", "failed>10% of last 200", "--halt", "consecutive>19"],
        ["--timeout", "2.5", "--deadline", "60"],
        ["--audit", "my ledger.jsonl"],
        ["--runs-dir", "it's my runs; $HOME"],
        ["--runs-dir", "-runs"],
    ],
    ids=" ".join,
)
def test_what_is_printed_after_a_run_that_left_something_is_accepted(
    cli: Cli, serve: Serve, faults: tuple[str, ...], code: int, flags: list[str]
) -> None:
    ids = serve(reports=20).report_ids  # the same seed, the same ids
    sandbox = serve(*(fault.format(*ids) for fault in faults), reports=20)
    few = {"BULKPAUSE_RUN__CONCURRENCY": "4"}  # so that some have yet to leave when the token is refused
    said = cli("pause", cli.source(sandbox.report_ids), "--max-tries", "1", "--json", *flags, env=few)
    summary = said.document
    going_on = rehearsed(cli, sandbox, summary["next"])
    assert (going_on["run_id"], going_on["operation"]) == (summary["run_id"], "pause")
    undoing = rehearsed(cli, sandbox, summary["undo"])
    assert (undoing["undoes"], undoing["operation"]) == (summary["run_id"], "resume")
    assert said.code == code


def test_a_settings_file_and_a_profile_are_printed_so_that_they_are_accepted(cli: Cli, serve: Serve) -> None:
    sandbox = serve("403@n=2")
    flags = ["--config", config_file(), "--profile", "night"]
    summary = cli("pause", cli.source(sandbox.report_ids), "--json", *flags).document
    assert rehearsed(cli, sandbox, summary["next"])["left"] == 1
    assert rehearsed(cli, sandbox, summary["undo"])["at_most"] == 7


def test_what_is_printed_is_accepted_in_any_directory(
    cli: Cli, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = serve("403@n=2")
    flags = ["--config", config_file(), "--runs-dir", "here", "--deadline", "1234567"]
    summary = cli("pause", cli.source(sandbox.report_ids), "--json", *flags).document
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert rehearsed(cli, sandbox, summary["next"])["left"] == 1
    assert " --deadline 1234567" in summary["next"]
    assert cli(*shlex.split(summary["undo"])[1:]).code == 0
    assert len(list(Path(summary["directory"]).parent.iterdir())) == 2  # the undo is beside the run that it undoes
    assert list(elsewhere.iterdir()) == []


def test_what_the_list_of_runs_prints_is_accepted(cli: Cli, serve: Serve) -> None:
    sandbox = serve("403@n=2")
    source = cli.source(sandbox.report_ids)
    cli("pause", source)
    cli("undo", "last")
    cli("resume", source)
    kill_at(cli, sandbox, "attempt_started", 3)
    listed = orjson.loads(cli("runs", "--json").out)
    assert len(listed) == 4
    commands = [one[name] for one in listed for name in ("next", "undo") if one[name] is not None]
    assert len(commands) >= 5
    for command in commands:
        rehearsed(cli, sandbox, command)


@pytest.mark.parametrize("verb", [["continue", "--failed"], ["undo"]])
def test_what_is_printed_after_a_continuation_and_an_undo_is_accepted(cli: Cli, serve: Serve, verb: list[str]) -> None:
    sandbox = serve("403@n=2", "403@n=9")
    cli("pause", cli.source(sandbox.report_ids), "--force", "--rate", "1000/s")
    summary = cli(*verb, "last", "--concurrency", "2", "--json").document
    assert rehearsed(cli, sandbox, summary["next"])["left"] == 1
    assert rehearsed(cli, sandbox, summary["undo"])["undoes"] == summary["run_id"]


@pytest.mark.usefixtures("quick_to_settle")
def test_what_a_verification_prints_is_accepted(cli: Cli, serve: Serve) -> None:
    sandbox = serve("lie-done@n=3")
    cli("pause", cli.source(sandbox.report_ids), "--force", "--rate", "1000/s")
    said = cli("verify", "last", "--json")
    assert said.code == 5
    assert rehearsed(cli, sandbox, said.document["next"])["left"] == 1


def test_what_is_printed_after_a_run_of_the_sandbox_is_accepted(cli: Cli) -> None:
    Path("ids.txt").write_text("0b5c2c1e-7a31-4d0e-9c54-5f2d1f6b8a90\n", encoding="utf-8")
    summary = cli("pause", "ids.txt", "--sandbox", "--json").document
    said = cli(*shlex.split(summary["undo"])[1:], "--dry-run", "--json")
    assert (said.code, said.err, said.document["at_most"]) == (0, "", 1)
