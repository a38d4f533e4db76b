"""A run that has too little time, and what its summary says of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from bulkpause.clock import SystemClock
from tests.cli.calling import Cli, Serve, operations


@pytest.mark.parametrize("limit", [["--time-limit", "20s"], ["--until", "12:00+01:00", "--guard", "24h"]])
def test_a_window_too_short_for_one_attempt_sends_nothing_and_says_why(
    cli: Cli, serve: Serve, limit: list[str]
) -> None:
    sandbox = serve()
    said = cli("pause", cli.source(sandbox.report_ids), *limit)
    assert said.code == 4
    assert operations(sandbox)["pause"] == 0
    assert "bulkpause: halted: too late to begin anything before " in said.err
    assert "8 reports are left; the Next command does the rest." in said.err
    summary = cli.summary()
    assert (summary["state"], summary["by_status"]) == ("halted", {"skipped": 8})
    assert summary["stopped_by"]["reason"] == "time_limit"
    assert "--time-limit" not in said.out
    assert "--until" not in said.out
    assert cli("continue", "last").code == 0
    assert set(sandbox.report_statuses.values()) == {"Paused"}


def test_show_tells_of_the_limit_from_the_ledger_alone(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    cli("pause", cli.source(sandbox.report_ids), "--time-limit", "20s")
    said = cli("show", "last")
    assert "halted: too late to begin anything before " in said.err


def test_a_run_that_its_time_ends_is_not_verified(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    said = cli("pause", cli.source(sandbox.report_ids), "--time-limit", "20s", "--verify")
    assert (said.code, operations(sandbox)["list"]) == (4, 0)
    assert "not verified. For that, type bulkpause verify " in said.err


def test_a_continuation_may_have_a_limit_of_its_own(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    cli("pause", cli.source(sandbox.report_ids), "--time-limit", "20s")
    assert cli("continue", "last", "--time-limit", "10s").code == 4
    assert cli("continue", "last", "--time-limit", "10m").code == 0


def test_the_rehearsal_of_a_continuation_says_whether_it_fits(cli: Cli, serve: Serve) -> None:
    sandbox = serve("403@n=3..8")
    cli("pause", cli.source(sandbox.report_ids), "--concurrency", "1")
    limits = ["--time-limit", "10m", "--guard", "1m"]
    document = cli("continue", "last", "--failed", "--dry-run", "--json", *limits).document
    assert (document["left"], document["time_limit"]["fit"]) == (6, "fits")
    assert document["time_limit"]["time_left_s"] == pytest.approx(540.0, abs=5)


@pytest.mark.parametrize("jump", [timedelta(minutes=30), timedelta(hours=-1)])
def test_a_wall_clock_that_is_set_in_the_midst_of_it_changes_the_times_in_the_ledger_and_nothing_else(
    cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch, jump: timedelta
) -> None:
    sandbox = serve("500*1@n=3", reports=20)
    now = SystemClock.now
    monkeypatch.setattr(
        SystemClock, "now", lambda clock: now(clock) + (jump if len(sandbox.journal.puts) >= 5 else timedelta(0))
    )
    said = cli("pause", cli.source(sandbox.report_ids), "--rate", "50/s", "--time-limit", "5m")
    assert (said.code, said.err) == (0, "")
    summary = cli.summary()
    assert (summary["by_status"], summary["retries"]) == ({"succeeded": 20}, 1)
    assert 0.3 < summary["wall_s"] < 5
    times = [datetime.fromisoformat(line["at"]) for line in cli.ledger()]
    assert any(abs(after - before) > timedelta(minutes=20) for before, after in pairwise(times))
    assert cli("audit", "verify", "last").code == 0
    assert cli("show", "last").err == ""


def test_a_guard_before_no_end_is_refused(cli: Cli) -> None:
    said = cli("pause", cli.source(["0b5c2c1e-7a31-4d0e-9c54-5f2d1f6b8a90"]), "--guard", "10m", "--dry-run")
    assert said.code == 2
    assert "--guard is kept free before the end of a run that has one: give --until or --time-limit too." in said.err
