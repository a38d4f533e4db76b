"""What a run knows of the tenant before its first request, and what it does without knowing."""

from __future__ import annotations

import csv
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from bulkpause.models import ReportId
from bulkpause.sandbox import Sandbox
from tests.cli.calling import Cli, Serve, interrupted_at_list, operations

STRANGER = "00000000-0000-4000-8000-000000000000"
WITHOUT = (
    "bulkpause: the tenant's reports could not be read first (snapshot_failed in the audit log says why), so reports "
    "that were in the wanted state already count as changed by this run.\n"
)


def some_paused(serve: Serve, *faults: str, **settings: Any) -> tuple[Sandbox, list[ReportId]]:
    """A service of eight reports of which the first three are Paused already; those three."""
    paused = list(serve().report_ids[:3])  # the same seed, the same ids
    return serve(*faults, changed=dict.fromkeys(paused, ("Paused", None)), **settings), paused


def test_what_is_paused_already_is_unchanged_without_a_request(cli: Cli, serve: Serve) -> None:
    sandbox, paused = some_paused(serve)
    said = cli("pause", cli.source(sandbox.report_ids))
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("Paused 5 of 8 reports in ")
    assert said.out.splitlines()[0].endswith(", 3 were paused already")
    assert "\nTenant    8 reports listed before the first request\n" in said.out
    assert operations(sandbox) == {"list": 1, "pause": 5}
    assert not {put.report_id for put in sandbox.journal.puts} & set(paused)
    summary = cli.summary()
    assert (summary["by_status"], summary["listed"]) == ({"succeeded": 5, "unchanged": 3}, 8)
    assert {line["report_id"] for line in cli.ledger() if line.get("before") == "Paused"} == set(paused)


@pytest.mark.parametrize(
    ("flag", "lists", "before"), [("--force", 1, {"Paused", "Active"}), ("--no-snapshot", 0, {None})]
)
def test_force_and_no_snapshot_send_to_every_report(
    cli: Cli, serve: Serve, flag: str, lists: int, before: set[str | None]
) -> None:
    sandbox, _ = some_paused(serve)
    said = cli("pause", cli.source(sandbox.report_ids), flag)
    assert (said.code, said.err) == (0, "")
    assert operations(sandbox) == ({"list": lists, "pause": 8} if lists else {"pause": 8})
    assert cli.summary()["by_status"] == {"succeeded": 8}
    assert cli.summary()["listed"] == (8 if lists else None)
    assert {line["before"] for line in cli.ledger() if line["event"] == "outcome"} == before
    assert Path(cli.runs[-1], "snapshot.csv").exists() == bool(lists)


def test_a_report_that_is_not_listed_is_sent_and_flagged(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    said = cli("pause", cli.source([*sandbox.report_ids, STRANGER]))
    assert said.code == 1
    assert "; 1 report sent a request without being listed\n" in said.out
    assert cli.summary()["unlisted"] == 1
    (outcome,) = (line for line in cli.ledger() if line.get("report_id") == STRANGER and line["event"] == "outcome")
    assert (outcome["before"], outcome["status"]) == ("unlisted", "not_found")


def test_a_tenant_without_reports_has_every_report_sent_and_flagged(cli: Cli, serve: Serve) -> None:
    sandbox = serve("404@list")
    said = cli("pause", cli.source(sandbox.report_ids))
    assert (said.code, said.err) == (0, "")
    assert (cli.summary()["listed"], cli.summary()["unlisted"]) == (0, 8)


@pytest.mark.parametrize(
    ("faults", "settings", "flags"),
    [
        (["500@list"], {}, []),
        (["403@list"], {}, []),
        (["html@list"], {}, []),
        (["drop@list"], {}, []),
        (["hang@list"], {}, ["--timeout", "0.2"]),
        (["500@list,n=2..9"], {"page_size": 3}, []),
        (["404@list,n=2"], {"page_size": 3}, []),
        (["next-loop@list"], {"page_size": 3}, []),
        (["next-foreign@list"], {"page_size": 3}, []),
    ],
)
def test_a_list_that_cannot_be_read_to_its_end_is_said_loudly_and_stops_nothing(
    cli: Cli, serve: Serve, faults: list[str], settings: dict[str, Any], flags: list[str]
) -> None:
    sandbox = serve(*faults, **settings)
    said = cli("pause", cli.source(sandbox.report_ids), *flags)
    assert said.code == 0
    assert said.err.endswith(WITHOUT)
    assert "run.snapshot_failed" in said.err
    assert operations(sandbox)["pause"] == 8
    (failed,) = (line for line in cli.ledger() if line["event"] == "snapshot_failed")
    assert "list of reports" in failed["error"]
    assert failed["requests"] == operations(sandbox)["list"]
    assert not Path(cli.runs[-1], "snapshot.csv").exists()


def test_the_snapshot_is_kept_in_the_run_directory(cli: Cli, serve: Serve) -> None:
    sandbox, paused = some_paused(serve, page_size=3)
    cli("pause", cli.source(sandbox.report_ids))
    file = cli.runs[-1] / "snapshot.csv"
    with file.open(encoding="utf-8", newline="") as stream:
        rows = {row["report_id"]: row["report_status"] for row in csv.DictReader(stream)}
    assert rows == {one: "Paused" if one in paused else "Active" for one in sandbox.report_ids}
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="raises a POSIX signal")
def test_a_signal_ends_the_wait_for_the_list_and_nothing_is_sent(cli: Cli, serve: Serve) -> None:
    sandbox = serve("hang@list")
    with interrupted_at_list(sandbox):
        said = cli("pause", cli.source(sandbox.report_ids))
    assert said.code == 130
    assert "could not be read first" not in said.err
    assert operations(sandbox) == {"list": 1}
    assert cli.summary()["by_status"] == {"skipped": 8}
