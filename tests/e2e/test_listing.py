"""What the tenant has, listed by the installed command, and the list put to use."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import MakeOperator

pytestmark = pytest.mark.end_to_end

PAUSE_WHAT_IS_LISTED = '"$@" | bulkpause pause - --base-url "$URL" --runs-dir runs --rate 1000/s --yes'


def test_a_list_feeds_a_run(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=40, page_size=7, next_link="relative", paused_percent=30, inactive_percent=20)
    before = operator.sandbox.report_statuses
    active = {report_id for report_id, state in before.items() if state == "Active"}
    env = {"URL": operator.sandbox.base_url}
    listed = ("list", "--report-status", "active", "--format", "csv")
    ran = operator.run(*listed, script=PAUSE_WHAT_IS_LISTED, env=env)
    assert (ran.code, ran.ids("succeeded")) == (0, active)
    assert {put.report_id for put in ran.puts} == active
    assert operator.sandbox.report_statuses == {**before, **dict.fromkeys(active, "Paused")}
    assert f"{len(active)} of 40 reports: {len(active)} active." in ran.stderr

    again = operator.run(*listed, script=PAUSE_WHAT_IS_LISTED, env=env)
    assert (again.code, again.puts) == (0, ())
    assert "Nothing to do" in again.stdout


def test_a_real_sign_in_is_renewed_when_the_list_refuses_its_token(an_operator: MakeOperator) -> None:
    operator = an_operator("revoke*1@list", tls=True, page_size=6)
    ran = operator.run("list", "--format", "jsonl")
    assert ran.code == 0
    assert [json.loads(line)["report_id"] for line in ran.stdout.splitlines()] == list(operator.sandbox.report_ids)
    assert [entry.operation for entry in operator.sandbox.journal.entries].count("token") == 2


def test_no_other_host_is_asked_wherever_a_link_leads(an_operator: MakeOperator) -> None:
    elsewhere = an_operator()
    operator = an_operator(f"next-foreign:{elsewhere.sandbox.base_url}/ScheduledReport@list")
    ran = operator.run("list", "--format", "csv")
    assert (ran.code, ran.stdout) == (69, "")
    assert f"does not lead to {operator.sandbox.base_url.removesuffix('/insights/v1/mpn')}" in ran.stderr
    assert len(operator.sandbox.journal.entries) == 1
    assert elsewhere.sandbox.journal.entries == ()


def test_a_list_that_runs_in_a_circle_ends(an_operator: MakeOperator) -> None:
    operator = an_operator("next-loop@list")
    ran = operator.run("list")
    assert (ran.code, ran.stdout) == (69, "")
    assert "runs in a circle" in ran.stderr
    assert len(operator.sandbox.journal.entries) == 2


def test_a_list_heals_and_one_that_is_forbidden_does_not(an_operator: MakeOperator) -> None:
    ran = an_operator("500*2@list").run("list", "--format", "csv")
    assert (ran.code, len(ran.stdout.splitlines())) == (0, 21)
    ran = an_operator("403@list").run("list", "--format", "csv")
    assert (ran.code, ran.stdout) == (77, "")
    assert "Nothing is listed" in ran.stderr


def test_a_person_sees_a_table_that_fits_the_terminal(an_operator: MakeOperator) -> None:
    operator = an_operator(paused_percent=100)
    terminal = operator.at_terminal("list", "--name", "*daily")
    ran = terminal.end()
    assert ran.code == 0
    assert "\x1b[33mPaused\x1b[0m" in ran.stdout
    assert "7 of 20 reports: 7 paused." in ran.stdout
