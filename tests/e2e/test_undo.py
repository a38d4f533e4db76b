"""Undo, end to end: after it everything is as it was, but for what somebody else has changed meanwhile."""

from __future__ import annotations

import pytest

from bulkpause.models import Operation
from bulkpause.sandbox.reports import seeded_ids
from tests.e2e.conftest import MakeOperator
from tests.e2e.driving import NO_COVERAGE, csv_rows, wait_until

pytestmark = pytest.mark.end_to_end


def test_of_1_000_reports_980_are_as_at_the_start_and_the_20_that_a_colleague_changed_are_named(
    an_operator: MakeOperator,
) -> None:
    ids = list(seeded_ids(1000, seed=0))
    paused_before, active_before = ids[:300], ids[300:]
    changed = dict.fromkeys(paused_before, ("Paused", "2026-11-01T08:00:00Z"))
    operator = an_operator(reports=1000, page_size=400, changed=changed)
    sandbox = operator.sandbox
    at_the_start = sandbox.report_statuses
    ran = operator.run("pause", operator.source(ids), "--rate", "4000/s", "--yes")
    assert (ran.code, ran.statuses) == (0, {"succeeded": 700, "unchanged": 300})
    assert len(ran.puts) == 700

    meanwhile = [*paused_before[:7], *active_before[:13]]
    for one in meanwhile:
        sandbox.change(one, Operation.RESUME)
    for one in active_before[5:13]:  # paused again, for a reason of the colleague's own
        sandbox.change(one, Operation.PAUSE)
    as_the_colleague_left_them = {one: sandbox.report_statuses[one] for one in meanwhile}

    undone = operator.run("undo", "last", "--rate", "4000/s", "--yes")
    assert undone.code == 0
    now = sandbox.report_statuses
    assert {one for one in ids if one not in meanwhile and now[one] != at_the_start[one]} == set()
    assert {one: now[one] for one in meanwhile} == as_the_colleague_left_them
    assert not {put.report_id for put in undone.puts} & set(meanwhile)
    assert [put.operation for put in undone.puts] == ["resume"] * 687
    assert undone.directory is not None
    named = csv_rows(undone.directory / "left-alone.csv")
    assert {row["report_id"] for row in named} == set(meanwhile)
    assert {row["why"] for row in named} == {"changed_since"}
    assert {line["report_id"] for line in undone.events("left_alone")} == set(meanwhile)
    assert "\n20 left alone, changed by somebody else since\n" in undone.stdout
    assert "\n  and 15 more\n" in undone.stdout
    assert f"\nUntouched {undone.directory / 'left-alone.csv'}\n" in undone.stdout
    assert undone.statuses == {"succeeded": 687}
    assert operator.run("audit", "verify", str(undone.directory)).code == 0


def test_what_a_killed_run_has_done_is_undone_and_what_is_in_doubt_is_looked_up(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=60, latency="15ms")
    sandbox = operator.sandbox
    started = operator.start("pause", operator.source(sandbox.report_ids), env=NO_COVERAGE)
    wait_until(lambda: len(sandbox.journal.puts) >= 20)
    started.process.kill()
    assert started.end().code == -9
    wait_until(lambda: not sandbox._server.numbered)
    paused = {one for one, status in sandbox.report_statuses.items() if status == "Paused"}
    assert 20 <= len(paused) < 60
    undone = operator.run("undo", "last")
    assert undone.code == 0
    assert undone.ids("succeeded") == paused
    assert set(sandbox.report_statuses.values()) == {"Active"}


def test_an_undo_that_was_killed_is_continued(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=60, latency="15ms")
    sandbox = operator.sandbox
    operator.run("pause", operator.source(sandbox.report_ids[:50]))
    sandbox.change(sandbox.report_ids[49], Operation.RESUME)
    started = operator.start("undo", "last", env=NO_COVERAGE)
    wait_until(lambda: len(sandbox.journal.puts) >= 50 + 15)
    started.process.kill()
    assert started.end().code == -9
    wait_until(lambda: not sandbox._server.numbered)
    ran = operator.run("continue", "last")
    assert ran.code == 0
    assert ran.ids("succeeded", "unchanged") == set(sandbox.report_ids[:49])
    assert set(sandbox.report_statuses.values()) == {"Active"}
    assert sandbox.report_ids[49] not in {put.report_id for put in sandbox.journal.puts if put.operation == "resume"}
