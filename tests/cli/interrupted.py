"""Runs that were cut short, for the verbs that come after them: made by the command line, then cut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson

from bulkpause.models import Operation, ReportId
from bulkpause.runs.finding import find_run
from bulkpause.runs.past import differences, read_run, report_of
from bulkpause.sandbox import Sandbox
from tests.cli.calling import Cli


def ledger_file(cli: Cli) -> Path:
    """The last run's."""
    return cli.runs[-1] / "audit.jsonl"


def cut_behind(cli: Cli, event: str, nth: int = 1, *, torn: bytes = b"") -> set[ReportId]:
    """Leave of the last run's ledger what a kill right behind its nth line of that kind would have left.

    The reports that the rest was about.
    """
    lines = ledger_file(cli).read_bytes().splitlines(keepends=True)
    places = [place for place, line in enumerate(lines) if orjson.loads(line)["event"] == event]
    keep = places[nth - 1] + 1
    ledger_file(cli).write_bytes(b"".join(lines[:keep]) + torn)
    (cli.runs[-1] / "summary.json").unlink(missing_ok=True)
    (cli.runs[-1] / "failed.csv").unlink(missing_ok=True)
    rest = map(orjson.loads, lines[keep:])
    return {line["report_id"] for line in rest if line["event"] == "attempt_started"}


def kill_at(cli: Cli, sandbox: Sandbox, event: str, nth: int, *arguments: str, torn: bytes = b"") -> set[ReportId]:
    """Pause all reports of the sandbox, one after the other, as if killed right behind the nth line of that kind.

    The reports that were not reached.
    """
    cli("pause", cli.source(sandbox.report_ids), "--concurrency", "1", *arguments)
    unreached = cut_behind(cli, event, nth, torn=torn)
    for report_id in unreached:
        sandbox.change(report_id, Operation.RESUME)
    return unreached


def put_since(sandbox: Sandbox, seen: int) -> list[str | None]:
    """The reports that were sent a request since `seen` requests, in order."""
    return [put.report_id for put in sandbox.journal.puts[seen:]]


def check_told_alike(cli: Cli) -> None:
    """The ledger says what summary.json says, and its chain is whole from the first part to the last."""
    past = read_run(find_run("last", Path("runs")))
    written = cli.summary()
    assert differences(report_of(past)) == []
    assert {key: written[key] for key in past.replay.summary.to_dict()} == past.replay.summary.to_dict()
    assert cli("audit", "verify", "last").code == 0


def kept_without(cli: Cli, event: str) -> Iterator[bytes]:
    """The lines of the ledger without those of one kind."""
    for line in ledger_file(cli).read_bytes().splitlines(keepends=True):
        if orjson.loads(line)["event"] != event:
            yield line
