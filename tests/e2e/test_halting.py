"""Halts: what a run does when it has had enough, what it says, and how it goes on."""

from __future__ import annotations

import shlex

import pytest

from tests.e2e.conftest import MakeOperator

pytestmark = pytest.mark.end_to_end


def test_a_guard_halts_the_run_and_what_flew_has_landed(an_operator: MakeOperator) -> None:
    operator = an_operator("403@n=40..999", reports=200, latency="20ms")
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), "--halt", "failed>5")
    assert ran.code == 3
    assert ran.statuses["succeeded"] == 39
    assert 6 <= ran.statuses["denied"] <= 6 + 7  # the seven that flew beside the sixth
    assert ran.statuses["skipped"] == 200 - len(ran.puts)
    assert set(ran.statuses) == {"succeeded", "denied", "skipped"}


def test_it_says_which_guard_and_since_when_and_what_to_type(an_operator: MakeOperator) -> None:
    operator = an_operator("403@n=40..999", reports=200)
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), "--halt", "failed>5")
    stopped_by = ran.summary["stopped_by"]
    assert stopped_by["reason"] == "guard"
    assert stopped_by["message"].startswith(
        "6 failed, more than the 5 that the guard 'failed>5' allows. All 403 since "
    )
    first, last = stopped_by["causes"]
    assert first.endswith(" before")
    assert last.startswith("All 6 failures are 403 'User does not have permission")
    assert f"bulkpause: halted: {stopped_by['message']}\n" in ran.stderr
    assert f"bulkpause: besides: {last}.\n" in ran.stderr
    (line,) = ran.events("halted")
    assert {"reason": line["reason"], "message": line["message"], "causes": line["causes"]} == stopped_by
    commands = [text.split(maxsplit=1)[1] for text in ran.stdout.splitlines() if " bulkpause " in text]
    assert [shlex.split(command)[1] for command in commands] == ["show", "continue", "undo"]
    assert "--halt 'failed>5'" in commands[1]


def test_it_is_told_again_by_show_and_continue_finishes_it_once_the_fault_is_gone(an_operator: MakeOperator) -> None:
    operator = an_operator("403@n=40..45", reports=100)
    source = operator.source(operator.sandbox.report_ids)
    ran = operator.run("pause", source, "--halt", "failed>5", "--concurrency", "1")
    shown = operator.run("show", "last", "--runs-dir", str(operator.runs))
    assert (shown.code, f"halted: {ran.summary['stopped_by']['message']}" in shown.stderr) == (0, True)
    assert " --failures\n" in shown.stdout
    _, *arguments = shlex.split(ran.summary["next"])
    continued = operator.run(*arguments)
    assert (continued.code, continued.statuses) == (0, {"succeeded": 100})
    assert (continued.summary["state"], continued.summary["stopped_by"]) == ("finished", None)


@pytest.mark.parametrize("reports", [4, 300])
def test_a_start_that_is_denied_everything_halts_within_ten_requests(an_operator: MakeOperator, reports: int) -> None:
    operator = an_operator("403", reports=reports)
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), "--rate", "20/s")
    assert ran.code == 3
    assert len(ran.puts) <= 10
    assert "denied>3 of first 4" in ran.stderr
    assert "nothing has succeeded" in ran.stderr


def test_a_start_that_is_refused_every_token_halts_within_ten_requests(an_operator: MakeOperator) -> None:
    operator = an_operator("401", reports=300, tls=True)
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), "--rate", "20/s")
    assert ran.code == 77
    assert len(ran.puts) <= 10


def test_without_guards_it_goes_on_to_the_end(an_operator: MakeOperator) -> None:
    operator = an_operator("403", reports=30)
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), "--halt", "none")
    assert (ran.code, ran.statuses) == (1, {"denied": 30})


def test_guards_of_a_settings_file_hold_unless_a_flag_says_otherwise(an_operator: MakeOperator) -> None:
    operator = an_operator("404@n=3..4", reports=30)
    (operator.home / "bulkpause.toml").write_text("[halt]\nwhen = ['404>1']\n", encoding="utf-8")
    source = operator.source(operator.sandbox.report_ids)
    ran = operator.run("pause", source, "--concurrency", "1")
    assert (ran.code, ran.statuses["skipped"]) == (3, 26)
    assert "2 ended with 404, more than the 1 that the guard '404>1' allows" in ran.stderr
    assert operator.run("resume", source, "--halt", "consecutive>20").code == 0


def test_a_guard_that_is_none_is_refused_by_name(an_operator: MakeOperator) -> None:
    operator = an_operator()
    ran = operator.run("pause", operator.source([]), "--halt", "fialed>5")
    assert (ran.code, ran.directory) == (2, None)
    assert "--halt" in ran.stderr
    assert "'fialed' is no status code and none of failed" in ran.stderr.replace("\n", " ")
