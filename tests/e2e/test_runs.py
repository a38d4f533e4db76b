"""Whole runs: what came of each report, and what the service saw."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.e2e.conftest import MakeOperator
from tests.e2e.driving import Ran, csv_rows

pytestmark = pytest.mark.end_to_end


def printed_command(ran: Ran, label: str) -> str:
    """What the summary says to type."""
    return next(line for line in ran.stdout.splitlines() if line.startswith(label)).removeprefix(label)


def test_every_report_is_paused_over_tls_with_one_real_token(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True, reports=60)
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), "--json", "-v")
    assert ran.code == 0
    assert json.loads(ran.stdout) == ran.summary
    assert set(operator.sandbox.report_statuses.values()) == {"Paused"}
    assert Counter(entry.operation for entry in operator.sandbox.journal.entries) == {
        "token": 1,
        "list": 1,
        "pause": 60,
    }
    assert {(put.method, put.path.partition("?")[2]) for put in ran.puts} == {("PUT", "")}


def test_each_kind_of_ending_is_counted_and_what_failed_can_be_tried_again(an_operator: MakeOperator) -> None:
    first, second, third, *_ = ids = an_operator().sandbox.report_ids  # the same seed, the same ids
    operator = an_operator(f"403@id={first}", f"500*1@id={second}", f"400*1@id={third}")
    stranger = "00000000-0000-4000-8000-000000000000"
    rows = [*ids, ids[5].upper(), f"{{{ids[6]}}}", stranger, "not-an-id", "../resume/" + ids[0]]
    ran = operator.run("pause", operator.source(rows))
    assert ran.code == 1
    assert ran.statuses == {"succeeded": 18, "denied": 1, "rejected": 1, "not_found": 1, "invalid": 2}
    assert ran.summary["by_status_code"] == {"200": 18, "400": 1, "403": 1, "404": 1, "none": 2}
    assert (ran.summary["read"], ran.summary["duplicates"], ran.summary["retries"]) == (25, 2, 1)
    (read,) = ran.events("source_read")
    assert (read["read"], read["accepted"], read["duplicate"], read["invalid"]) == (25, 21, 2, 2)

    assert ran.directory is not None
    assert {row["report_id"] for row in csv_rows(ran.directory / "failed.csv")} == {first, third, stranger}
    again = operator.run("-", script=printed_command(ran, "Next"))
    assert again.directory == ran.directory
    assert {put.report_id for put in again.puts} == {first, third, stranger}
    assert again.statuses == {"succeeded": 19, "denied": 1, "not_found": 1, "invalid": 2}
    assert third in again.ids("succeeded")


def test_the_command_under_undo_reverses_the_run_and_nothing_else(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=12)
    ids = operator.sandbox.report_ids
    ran = operator.run("pause", operator.source(ids[:8]))
    undone = operator.run("-", script=printed_command(ran, "Undo"))
    assert undone.code == 0
    assert [put.operation for put in undone.puts] == ["resume"] * 8
    assert undone.ids("succeeded") == set(ids[:8])
    assert set(operator.sandbox.report_statuses.values()) == {"Active"}


def test_500s_and_lost_replies_heal_within_the_tries_allowed(an_operator: MakeOperator) -> None:
    operator = an_operator("500*2@30%", "503/gateway*1@20%", "lost*1@20%", reports=60)
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids))
    assert ran.code == 0
    trouble = Counter(put.status for put in ran.puts if put.status != 200)
    assert trouble.keys() == {500, 503, "lost"}
    assert len(ran.puts) == 60 + trouble.total()
    assert ran.summary["retries"] >= trouble[500] + trouble[503]  # aiohttp may send a lost one again by itself
    hit = Counter(put.report_id for put in ran.puts)
    assert {line["report_id"]: line["sent"] for line in ran.events("outcome")} == hit


def test_an_odd_reply_is_neither_believed_nor_misread(an_operator: MakeOperator) -> None:
    endings = {
        "lie-active": (1, "unknown"),
        "lie-other": (1, "unknown"),
        "lie-status:500": (2, "exhausted"),
        "lie-status:403": (1, "denied"),
        "html": (2, "unknown"),
        "empty": (2, "unknown"),
        "cut": (2, "unknown"),
        "torn": (2, "unknown"),
        "huge": (2, "unknown"),
        "lost": (2, "unknown"),
        "307": (1, "rejected"),
        "gzip": (1, "succeeded"),
        "bom": (1, "succeeded"),
        "wrong-type": (1, "succeeded"),
        "text-code": (1, "succeeded"),
        "500/html": (2, "exhausted"),
        "404/empty": (1, "not_found"),
    }
    ids = an_operator().sandbox.report_ids
    operator = an_operator(*(f"{fault}@id={report_id}" for fault, report_id in zip(endings, ids, strict=False)))
    ran = operator.run("pause", operator.source(ids), "--max-tries", "2")
    found = {line["report_id"]: (line["tries"], line["status"]) for line in ran.events("outcome")}
    assert dict(zip(endings, map(found.get, ids), strict=False)) == endings
    assert ran.code == 6


def test_a_redirect_is_not_followed_so_no_token_goes_elsewhere(an_operator: MakeOperator) -> None:
    elsewhere = an_operator()
    operator = an_operator(f"307:{elsewhere.sandbox.base_url}/ScheduledReport/pause/x")
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids))
    assert ran.statuses == {"rejected": 20}
    assert elsewhere.sandbox.journal.entries == ()


@pytest.mark.parametrize(("faults", "tls"), [(("drop@~15%", "reset@~15%"), False), (("close@~40%",), True)])
def test_lost_connections_are_counted_as_they_were_on_the_wire(
    an_operator: MakeOperator, faults: tuple[str, ...], tls: bool
) -> None:
    operator = an_operator(*faults, reports=60, tls=tls)
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), "--max-tries", "20")
    assert ran.code == 0
    assert ran.summary["sent"] == len(ran.puts) > ran.summary["attempts"] >= 60
    assert sum(put.status in {"dropped", "reset"} for put in ran.puts) >= 5


def test_silence_beyond_the_timeout_is_unknown_and_exits_6(an_operator: MakeOperator) -> None:
    operator = an_operator("hang@n=3", reports=5)
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), "--timeout", "0.3", "--max-tries", "1")
    assert (ran.statuses, ran.code) == ({"succeeded": 4, "unknown": 1}, 6)
    assert "no reply within 0.3 s" in ran.stdout


def test_nobody_at_the_other_end_is_code_69_after_a_few_tries(an_operator: MakeOperator) -> None:
    operator = an_operator()
    ran = operator.run(
        "pause",
        operator.source(operator.sandbox.report_ids),
        "--max-tries",
        "2",
        "--base-url",
        "http://localhost:9",
    )
    assert ran.code == 69
    assert "cannot connect to localhost:9" in ran.stderr
    assert ran.statuses == {"skipped": 20}
    assert len(ran.events("attempt_started")) <= 3 * 8
