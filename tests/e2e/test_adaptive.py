"""As fast as the service allows and not one request more: the real command against hidden limits and outages."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import MakeOperator

pytestmark = pytest.mark.end_to_end


@pytest.mark.parametrize("limit", ["50/s:sliding:retry-after=none:body=html", "50/s:headers"])
def test_a_limit_that_nobody_told_is_found_and_kept_to(an_operator: MakeOperator, limit: str) -> None:
    operator = an_operator(reports=160, rate_limit=limit, latency="20ms..40ms")
    source = operator.source(operator.sandbox.report_ids)
    ran = operator.run("pause", source, "--rate-start", "25/s", "--concurrency", "32")
    assert (ran.code, ran.statuses) == (0, {"succeeded": 160})
    refused = sum(put.status == 429 for put in ran.puts)
    assert refused == ran.summary["throttled"] <= 15
    assert ran.puts[-1].at_s - ran.puts[0].at_s <= 5.5
    reasons = {line["reason"] for line in ran.events("rate_changed")}
    assert "content" in reasons
    assert reasons & {"refused", "short"}


def test_without_adapting_the_agreed_rate_is_the_rate(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=30, latency="5ms")
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), "--rate", "60/s", "--no-adapt")
    assert ran.code == 0
    assert ran.events("rate_changed") == []
    assert ran.puts[-1].at_s - ran.puts[0].at_s <= 0.8


def test_an_outage_in_the_middle_costs_no_report_and_hardly_a_request(an_operator: MakeOperator) -> None:
    operator = an_operator("503@t=0.8..2.3", reports=140, latency="10ms..30ms")
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), "--rate", "100/s", "--concurrency", "32")
    assert (ran.code, ran.statuses) == (0, {"succeeded": 140})
    assert len(ran.puts) - 140 <= 30
    [opened], [closed] = ran.events("breaker_opened"), ran.events("breaker_closed")
    assert opened["said"].startswith("HTTP 503")
    assert 1 <= closed["open_s"] <= 7


def test_a_service_that_fails_everything_is_given_up_on_and_the_rest_can_go_on(an_operator: MakeOperator) -> None:
    operator = an_operator("500", reports=200, latency="10ms..30ms")
    source = operator.source(operator.sandbox.report_ids)
    patience = {"BULKPAUSE_HALT__GIVE_UP_AFTER_S": "2"}
    ran = operator.run("pause", source, "--rate", "50/s", "--rate-start", "25/s", "--concurrency", "32", env=patience)
    assert ran.code == 69
    assert "fails everything for longer than halt.give_up_after_s = 2" in ran.stderr
    assert ran.summary["stopped_by"]["reason"] == "unreachable"
    assert len(ran.puts) <= 1.2 * len({put.report_id for put in ran.puts})
    assert ran.statuses["skipped"] >= 150
    assert ran.summary["interrupted"] == ran.statuses["exhausted"]
    assert "bulkpause continue" in ran.stdout
