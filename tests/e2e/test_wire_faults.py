"""Faults on the wire: every id ends with a recorded outcome, nothing hangs past its limit, and the run goes on."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.client.test_limits import black_hole
from tests.e2e.conftest import MakeOperator
from tests.e2e.driving import Operator, Ran, wait_until
from tests.e2e.relays import Fault, Relay, Trouble, relay

pytestmark = pytest.mark.end_to_end

QUICK = {"BULKPAUSE_RETRY__BACKOFF_BASE_S": "0.02", "BULKPAUSE_RETRY__BACKOFF_CAP_S": "0.1"}


def port_of(operator: Operator) -> int:
    port = urlsplit(operator.sandbox.base_url).port
    assert port is not None
    return port


def arguments_of(operator: Operator, wire: Relay) -> list[str]:
    """Pause every report over the wire."""
    source = operator.source(operator.sandbox.report_ids)
    return [
        "pause",
        source,
        "--base-url",
        operator.sandbox.base_url.replace(f":{port_of(operator)}/", f":{wire.port}/"),
    ]


def pause_over(operator: Operator, wire: Relay, **env: str) -> Ran:
    more = {"BULKPAUSE_TOKEN": operator.sandbox.issue_token()} | QUICK | env
    return operator.run(*arguments_of(operator, wire), "--no-snapshot", env=more, may_abandon=True)


@pytest.mark.parametrize("fault", ["flip", "reset", "close"])
@pytest.mark.parametrize("after_bytes", [1, 900, 3500], ids=["first byte", "in the certificate", "in a reply"])
def test_a_connection_that_is_corrupted_or_cut_costs_a_retry_and_no_more(
    an_operator: MakeOperator, fault: Fault, after_bytes: int
) -> None:
    operator = an_operator(tls=True, reports=40)
    with relay(port_of(operator), lambda number: Trouble(fault, after_bytes) if number < 2 else None) as wire:
        ran = pause_over(operator, wire)
    assert sorted(wire.befallen) == [0, 1]
    assert (ran.code, ran.statuses) == (0, {"succeeded": 40})


def test_a_service_that_vanishes_without_a_word_costs_the_silence_allowed(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True, reports=40)
    with relay(port_of(operator), lambda number: Trouble("vanish", 3500) if number < 2 else None) as wire:
        ran = pause_over(operator, wire, BULKPAUSE_API__READ_TIMEOUT_S="0.4")
    assert sorted(wire.befallen) == [0, 1]
    assert (ran.code, ran.statuses) == (0, {"succeeded": 40})
    assert ran.summary["wall_s"] < 5


def test_after_every_connection_was_reset_the_rate_recovers(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True, reports=200, latency="5ms")
    with relay(port_of(operator)) as wire:
        arguments = [*arguments_of(operator, wire), "--rate", "100/s"]
        running = operator.start(*arguments, env={"BULKPAUSE_TOKEN": operator.sandbox.issue_token()} | QUICK)
        wait_until(lambda: len(operator.sandbox.journal.puts) >= 60)
        wire.reset_all()
        ran = running.end(may_abandon=True)
    assert (ran.code, ran.statuses) == (0, {"succeeded": 200})
    last_hundred_s = ran.puts[-1].at_s - ran.puts[-100].at_s
    assert last_hundred_s < 4  # one, at the agreed rate


@pytest.mark.parametrize("way", ["no such name", "refused", "black hole"])
def test_a_service_that_cannot_be_reached_ends_the_run_with_an_outcome_for_each_id(
    an_operator: MakeOperator, way: str
) -> None:
    operator = an_operator()
    source = operator.source(operator.sandbox.report_ids)
    env = QUICK | {"BULKPAUSE_API__CONNECT_TIMEOUT_S": "0.2"}
    with black_hole() as port:
        host = {"no such name": "nobody.invalid", "refused": "localhost:9", "black hole": f"localhost:{port}"}[way]
        ran = operator.run("pause", source, "--base-url", f"https://{host}/v1", "--max-tries", "2", env=env)
    assert (ran.code, ran.statuses, ran.summary["sent"]) == (69, {"skipped": 20}, 0)
    assert host in ran.stdout + ran.stderr
    assert ran.summary["wall_s"] < (15 if way == "no such name" else 5)  # how long a name takes is the system's affair
