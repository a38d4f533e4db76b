"""kill -9 at every kind of moment, again and again: nothing is lost, nothing is guessed, little is sent twice."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeOperator
from tests.e2e.driving import Operator
from tests.e2e.forking import ForkServer
from tests.e2e.killing import CONCURRENCY, ENDS, Campaign, choose_kill, sent_again

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork: each kill would cost the start of a process"),
]
SEEDS = 5
KILLS = 20
"""For each seed, over as many runs as it takes."""


@pytest.fixture(scope="module")
def fork_server() -> Iterator[ForkServer]:
    with ForkServer() as server:
        yield server


@pytest.mark.parametrize(
    "seed", [*range(SEEDS), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(SEEDS, 20 * SEEDS))]
)
def test_a_run_killed_again_and_again_comes_to_a_complete_and_honest_end(
    an_operator: MakeOperator, fork_server: ForkServer, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311 - when to kill
    kills = 0
    while kills < KILLS:
        sandbox = an_operator(
            "500*1@15%", "lost*1@10%", reports=160, latency="1ms..4ms", seed=rng.randrange(1000)
        ).sandbox
        home = tmp_path / f"after-{kills}"
        home.mkdir()
        # A snapshot settles what is in doubt before anything is sent again; without one all of it is sent again.
        flags = rng.choice([(), ("--no-snapshot",)])
        campaign = Campaign(Operator(home, sandbox), fork_server, flags)
        while (code := campaign.live(choose_kill(rng) if kills < KILLS else None)) == -signal.SIGKILL:
            kills += 1
        knows_the_end = any(line["event"] == "source_read" for line in campaign.ledger)
        assert code == (0 if knows_the_end else 1), campaign.said()  # a kill may come between the last row and its note
        check_end(campaign)


def check_end(campaign: Campaign) -> None:
    """Every report has an outcome and is what that says, and few were sent twice for the sake of a kill."""
    ledger, sandbox = campaign.ledger, campaign.operator.sandbox
    ids = set(sandbox.report_ids)
    endings = {line["report_id"]: line["status"] for line in ledger if line["event"] in ENDS}
    assert endings.keys() == ids
    named = {line["report_id"] for line in ledger if line["event"] == "attempt_started"}
    assert {put.report_id for put in sandbox.journal.puts if put.effect} <= named
    paused = {report_id for report_id, status in sandbox.report_statuses.items() if status == "Paused"}
    assert ids - paused <= {report_id for report_id, status in endings.items() if status == "unknown"}
    assert max(map(len, sent_again(campaign.lives))) <= CONCURRENCY
