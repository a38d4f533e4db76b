"""Behind rate limiters that others have written: nginx and HAProxy in front of a sandbox that would take everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from yarl import URL

from tests.e2e.conftest import MakeOperator
from tests.e2e.driving import Operator, Ran
from tests.e2e.proxies import PROGRAMS, Program, Proxy, proxied

pytestmark = pytest.mark.end_to_end

REPORTS: Final = 100
MOST_REFUSED: Final = 8
"""How many requests may be answered 429 on the way to all the reports, where the agreed rate is twice the limit."""


class Behind:
    """An operator whose way to the sandbox leads through a limiter."""

    def __init__(self, operator: Operator, proxy: Proxy) -> None:
        self.operator = operator
        self.proxy = proxy

    def pause_all(self, rate: str) -> Ran:
        """Pause every report at this rate; what is refused never reaches the sandbox, and counts as sent."""
        operator = self.operator
        quick = {"BULKPAUSE_RETRY__BACKOFF_BASE_S": "0.02", "BULKPAUSE_RETRY__BACKOFF_CAP_S": "0.1"}
        source = operator.source(operator.sandbox.report_ids)
        way = ["--base-url", str(URL(operator.sandbox.base_url).with_host("127.0.0.1").with_port(self.proxy.port))]
        return operator.run("pause", source, "--rate", rate, "--max-tries", "20", *way, env=quick, may_abandon=True)


@pytest.fixture(params=PROGRAMS, ids=lambda program: program.name)
def behind(request: pytest.FixtureRequest, an_operator: MakeOperator, tmp_path: Path) -> Iterator[Behind]:
    """An operator behind each of the limiters that this machine has."""
    program: Program = request.param
    if program.path is None:
        pytest.skip(f"{program.name} is not installed here: nothing is known of a run behind its rate limit")
    operator = an_operator(reports=REPORTS, latency="5ms..20ms")
    port = URL(operator.sandbox.base_url).port
    assert port is not None
    with proxied(program, tmp_path / program.name, upstream=port) as proxy:
        yield Behind(operator, proxy)


def test_above_the_limit_every_report_is_paused_once_and_each_refusal_is_counted(behind: Behind) -> None:
    ran = behind.pause_all("100/s")
    assert (ran.code, ran.statuses) == (0, {"succeeded": REPORTS})
    assert sorted(str(put.report_id) for put in ran.puts) == sorted(behind.operator.sandbox.report_ids)
    answers = behind.proxy.answers
    refused = answers["PUT", 429]
    assert answers["PUT", 200] == REPORTS
    assert ran.summary["sent"] == REPORTS + refused
    assert ran.summary["throttled"] == ran.summary["retries"] == refused
    assert ran.summary["by_status_code"] == {"200": REPORTS}
    assert 0 < refused <= MOST_REFUSED


def test_within_the_limit_nothing_is_refused(behind: Behind) -> None:
    ran = behind.pause_all("45/s")
    assert (ran.code, ran.statuses) == (0, {"succeeded": REPORTS})
    assert behind.proxy.answers == {("GET", 200): 1, ("PUT", 200): REPORTS}
    assert (ran.summary["throttled"], ran.summary["rate_windows"]["exceeded"]) == (0, False)
