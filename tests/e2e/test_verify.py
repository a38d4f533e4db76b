"""Reading back, end to end: every lie is named, what is late is waited for, what a kill left in doubt is settled."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import MakeOperator
from tests.e2e.driving import NO_COVERAGE, wait_until

pytestmark = pytest.mark.end_to_end


@pytest.mark.parametrize(("reports", "percent"), [(400, 8), pytest.param(2000, 2, marks=pytest.mark.slow)])
def test_every_lie_is_named_by_the_run_itself_and_afterwards(
    an_operator: MakeOperator, reports: int, percent: int
) -> None:
    operator = an_operator(f"lie-done@{percent}%", reports=reports)
    source = operator.source(operator.sandbox.report_ids)
    ran = operator.run("pause", source, "--rate", "4000/s", "--yes", "--verify")
    again = operator.run("verify", "last")
    liars = {put.report_id for put in operator.sandbox.journal.puts if put.fault}
    assert 20 <= len(liars) <= 60
    assert liars == {one for one, status in operator.sandbox.report_statuses.items() if status == "Active"}
    assert len(ran.events("finding")) == 2 * len(liars)  # by now the ledger has those of both
    assert ran.ids("unknown") == liars
    assert {line["report_id"] for line in ran.events("finding")} == liars
    assert {line["finding"] for line in ran.events("finding")} == {"contradicted"}
    for one in (ran, again):
        assert one.code == 5
        assert f"{len(liars)} contradicted" in one.stdout.split("\nVerified ")[1]
    assert f"\n{len(liars)} unknown 200: contradicted: read back, the report is Active\n" in ran.stdout
    assert f"\n{len(liars)} contradicted: the service does not have it as the audit log says\n" in again.stdout
    assert again.summary["findings"]["contradicted"]["count"] == len(liars)
    assert (again.summary["verified"]["converged"], again.summary["verified"]["requests"]) == (reports - len(liars), 2)
    assert operator.run("audit", "verify", str(ran.directory)).code == 0


def test_a_service_that_is_slow_to_show_what_it_confirmed_is_late_and_no_liar(an_operator: MakeOperator) -> None:
    operator = an_operator(read_lag_s=1.5)
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), "--verify")
    assert ran.code == 0
    assert (ran.summary["verified"]["late"], ran.summary["verified"]["converged"]) == (20, 0)
    assert ran.events("finding") == []


def test_a_killed_run_is_verified_and_its_doubts_are_settled(an_operator: MakeOperator) -> None:
    operator = an_operator("hang@id=" + an_operator().sandbox.report_ids[6], reports=40, latency="15ms")
    started = operator.start("pause", operator.source(operator.sandbox.report_ids), env=NO_COVERAGE)
    wait_until(lambda: len(operator.sandbox.journal.puts) >= 20)
    started.process.kill()
    assert started.end().code == -9
    wait_until(lambda: not operator.sandbox._server.numbered)
    ran = operator.run("verify", "last", "--json")
    assert ran.code == 0
    assert operator.sandbox.report_ids[6] in ran.ids("exhausted")
    paused = {one for one, status in operator.sandbox.report_statuses.items() if status == "Paused"}
    assert ran.ids("succeeded") == paused
    assert json.loads(ran.stdout)["verified"]["contradicted"] == 0
    assert len(ran.events("resolved")) == json.loads(ran.stdout)["verified"]["resolved"] >= 1
    ran = operator.run("continue", "last", "--failed", "--timeout", "0.3", "--max-tries", "1")
    assert ran.ids("succeeded") == set(operator.sandbox.report_ids) - {operator.sandbox.report_ids[6]}
