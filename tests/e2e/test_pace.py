"""Never faster than agreed: the rate, and the holds a 429 asks for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.conftest import MakeOperator

pytestmark = pytest.mark.end_to_end


@contextmanager
def worst_stall() -> Iterator[list[float]]:
    """Measure meanwhile how late, in seconds, this machine runs what is due: requests cannot arrive more evenly."""
    stalls_s, is_over = [0.0], threading.Event()

    def watch() -> None:
        before_s = time.monotonic()
        while not is_over.wait(0.001):
            now_s = time.monotonic()
            stalls_s[0] = max(stalls_s[0], now_s - before_s - 0.001)
            before_s = now_s

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield stalls_s
    finally:
        is_over.set()
        watcher.join()


def test_no_second_holds_more_than_the_rate_and_the_mean_comes_close(an_operator: MakeOperator) -> None:
    operator = an_operator("500@~10%", reports=160, latency="20ms..60ms")
    source = operator.source(operator.sandbox.report_ids)
    with worst_stall() as stalls_s:
        ran = operator.run("pause", source, "--rate", "50/s", "--concurrency", "16")
    assert ran.code == 0
    assert ran.summary["retries"] >= 8
    arrivals = [put.at_s for put in ran.puts]
    window_s = 1 - min(stalls_s[0], 0.1)
    busiest = max(sum(start_s <= at_s < start_s + window_s for at_s in arrivals) for start_s in arrivals)
    # While there was work: at the very end only the last reports' backoff is waited for.
    firsts = [put.at_s for put in {put.report_id: put for put in reversed(ran.puts)}.values()]
    steady = [at_s for at_s in arrivals if at_s <= max(firsts)]
    assert busiest <= 51
    assert (len(steady) - 1) / (steady[-1] - steady[0]) >= 48


def test_a_run_begins_without_a_burst(an_operator: MakeOperator) -> None:
    operator = an_operator()
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids[:8]), "--rate", "10/s")
    assert ran.puts[-1].at_s - ran.puts[0].at_s >= 0.6


def test_a_retry_after_holds_every_worker(an_operator: MakeOperator) -> None:
    operator = an_operator("429:1*1@n=30", reports=80, latency="5ms")
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), "--rate", "200/s", "--no-adapt")
    assert ran.code == 0
    assert (ran.summary["throttled"], ran.summary["holds"]) == (1, 1)
    refused = next(index for index, put in enumerate(ran.puts) if put.status == 429)
    answered_s = ran.puts[refused].at_s
    # What had left already when the reply came may still arrive; after that nothing does for a second.
    later = [put.at_s for put in ran.puts if put.at_s > answered_s + 0.05]
    assert later
    assert min(later) >= answered_s + 1.0
    assert sum(answered_s < put.at_s <= answered_s + 0.05 for put in ran.puts) <= 8


@pytest.mark.parametrize(("flags", "holds", "most"), [(["--no-adapt"], 1, 40), ([], 0, 20)])
def test_a_storm_of_429s_is_ridden_out_at_the_pace_the_service_allows(
    an_operator: MakeOperator, flags: list[str], holds: int, most: int
) -> None:
    operator = an_operator(reports=15, rate_limit="10/1s")
    source = operator.source(operator.sandbox.report_ids)
    ran = operator.run("pause", source, "--rate", "100/s", "--max-tries", "20", *flags)
    assert ran.code == 0
    assert 1 <= ran.summary["throttled"] == sum(put.status == 429 for put in ran.puts) <= most
    assert ran.summary["holds"] >= holds


def test_a_wait_beyond_the_cap_ends_the_run_with_75(an_operator: MakeOperator) -> None:
    operator = an_operator("429:600@n=5..99", reports=40)
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids))
    assert ran.code == 75
    assert "600 s" in ran.stderr
    assert "retry.retry_after_cap_s" in ran.stderr
    assert ran.summary["stopped_by"]["reason"] == "throttled_out"
    assert len(ran.puts) <= 4 + 8
    assert ran.statuses["succeeded"] == 4
    assert ran.statuses.total() == 40
