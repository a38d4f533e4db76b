"""Attempts of a continuation that were written down and never left, because a stop came first."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

import pytest

from bulkpause.record import RunRecord
from bulkpause.sandbox import Sandbox
from tests.cli.calling import Cli, Serve
from tests.cli.interrupted import check_told_alike, put_since

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="raises a POSIX signal")


@pytest.fixture
def withdrawn(cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The service of a run whose eight reports were denied; its continuation was stopped behind the third intent."""
    sandbox = serve("403*1")
    cli("pause", cli.source(sandbox.report_ids), "--concurrency", "1", "--halt", "none")
    intent, written = RunRecord.intent, iter(range(1, sys.maxsize))

    async def then_interrupt(self: RunRecord, *arguments: Any, **more: Any) -> None:
        await intent(self, *arguments, **more)
        if next(written) == 3:
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(60)

    with monkeypatch.context() as patch:
        patch.setattr(RunRecord, "intent", then_interrupt)
        assert cli("continue", "last", "--failed", "--concurrency", "1").code == 130
    return sandbox


def test_an_attempt_that_a_stop_came_before_is_withdrawn(cli: Cli, withdrawn: Sandbox) -> None:
    (line,) = [line for line in cli.ledger() if line["event"] == "attempt_withdrawn"]
    third = withdrawn.report_ids[2]
    assert (line["report_id"], line["row"]) == (third, 4)
    assert third not in put_since(withdrawn, 8)
    assert cli.summary()["by_status"] == {"succeeded": 2, "denied": 6}
    check_told_alike(cli)


def test_what_was_withdrawn_is_not_shown_as_in_doubt(cli: Cli, withdrawn: Sandbox) -> None:
    said = cli("show", "last", "--json")
    assert (said.code, said.err) == (0, "")
    assert said.document["by_status"] == {"succeeded": 2, "denied": 6}
    assert cli("export", "last", "--status", "unknown").out.count("\n") == 1


@pytest.mark.parametrize(("flags", "left"), [([], 0), (["--failed"], 6)])
def test_what_was_withdrawn_is_continued_as_what_it_was_before(
    cli: Cli, withdrawn: Sandbox, flags: list[str], left: int
) -> None:
    plan = cli("continue", "last", "--dry-run", "--json", *flags).document
    assert (plan["left"], plan["in_doubt"]) == (left, 0)
    seen = len(withdrawn.journal.puts)
    cli("continue", "last", "--concurrency", "1", *flags)
    assert put_since(withdrawn, seen) == list(withdrawn.report_ids[2 : 2 + left])
    check_told_alike(cli)


def test_the_story_of_a_report_says_that_its_attempt_was_withdrawn(cli: Cli, withdrawn: Sandbox) -> None:
    told = cli("show", "last", "--id", withdrawn.report_ids[2]).out.splitlines()
    assert told[-1].endswith("  that try did not leave: a stop came first")
