"""Every line that a run writes fits the published JSON Schema."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bulkpause import audit
from bulkpause.cli import main
from bulkpause.models import Operation
from tests.cli.calling import Cli, Serve, cli, killed, quick_to_settle, serve

__all__ = ["cli", "quick_to_settle", "serve"]

SCHEMA: dict[str, Any] = json.loads((files("bulkpause") / "schemas" / "audit-1.schema.json").read_bytes())
SAMPLE = str(Path(__file__).parent.parent / "configs" / "sample-reports.csv")


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The ledger of the demo, which holds nearly every event."""
    runs = tmp_path_factory.mktemp("runs")
    options = ["--rate", "500/s", "--max-tries", "3", "--progress", "none", "--runs-dir", str(runs)]
    with pytest.raises(SystemExit):
        main(["pause", "--sandbox", SAMPLE, *options])
    [ledger] = runs.glob("*/audit.jsonl")
    return [json.loads(line) for line in ledger.read_bytes().splitlines()]


def test_every_line_of_a_run_fits_the_published_schema(lines: list[dict[str, Any]]) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    assert [error.message for line in lines for error in validator.iter_errors(line)] == []


def test_the_run_wrote_every_event_that_needs_no_accident(lines: list[dict[str, Any]]) -> None:
    events = Counter(line["event"] for line in lines)
    assert {"run_started", "source_read", "attempt_started", "retry_scheduled", "rate_changed", "outcome"} <= set(
        events
    )
    assert events["rate_certified"] == 1
    assert lines[0]["event"] == "run_started"
    assert lines[-1]["event"] == "run_finished"


def test_seq_counts_the_lines_without_a_gap(lines: list[dict[str, Any]]) -> None:
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))


def test_a_line_that_lacks_a_field_does_not_fit(lines: list[dict[str, Any]]) -> None:
    outcome = next(line for line in lines if line["event"] == "outcome")
    del outcome["status"]
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(outcome)


def flaws(cli: Cli) -> list[str]:
    """What does not fit in the ledgers of all the runs there are."""
    validator = jsonschema.Draft202012Validator(SCHEMA)
    lines = [line for run in cli.runs for line in audit.read(run / "audit.jsonl")]
    return [error.message for line in lines for error in validator.iter_errors(line)]


def events(cli: Cli) -> set[str]:
    """What happened in the last run."""
    return {line["event"] for line in cli.ledger()}


def test_every_line_of_a_continued_run_fits(cli: Cli, serve: Serve) -> None:
    ids = serve().report_ids
    sandbox = serve(f"lost*2@id={ids[2]}")
    cli("pause", cli.source([*ids, "bad row"]), "--concurrency", "1", "--max-tries", "1")
    killed(cli.runs[-1], lines=[line["seq"] for line in cli.ledger() if line["event"] == "attempt_started"][4])
    cli("continue", "last", "--failed")
    assert set(sandbox.report_statuses.values()) == {"Paused"}
    assert events(cli) >= {"run_continued", "resolved", "run_finished"}
    assert flaws(cli) == []


@pytest.mark.usefixtures("quick_to_settle")
def test_every_line_of_a_verified_run_fits(cli: Cli, serve: Serve) -> None:
    ids = serve().report_ids
    sandbox = serve(f"lost@id={ids[3]}", f"lie-done@id={ids[1]}")
    cli("pause", cli.source(ids), "--max-tries", "1", "--verify")
    del sandbox._reports._reports[ids[2]]
    cli("verify", "last")
    assert events(cli) >= {"verification_started", "resolved", "finding", "verified"}
    *_, last = cli.ledger()
    assert (last["event"], last["lines"], len(last["head"])) == ("verified", len(cli.ledger()), 64)
    assert flaws(cli) == []


def test_every_line_of_an_undo_fits(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    cli("pause", cli.source(sandbox.report_ids))
    sandbox.change(sandbox.report_ids[0], Operation.RESUME)
    cli("undo", "last")
    assert events(cli) >= {"snapshot_taken", "left_alone", "outcome"}
    assert cli.ledger()[0]["undoes"] == cli.runs[0].name
    assert flaws(cli) == []


def test_every_line_of_a_run_that_a_guard_halted_fits(cli: Cli, serve: Serve) -> None:
    sandbox = serve("403")
    assert cli("pause", cli.source(sandbox.report_ids)).code == 3
    (line,) = [line for line in cli.ledger() if line["event"] == "halted"]
    assert line["causes"]
    assert flaws(cli) == []


def test_every_line_of_a_run_without_its_snapshot_fits(cli: Cli, serve: Serve) -> None:
    sandbox = serve("500@list")
    cli("pause", cli.source(sandbox.report_ids), "--verify")
    assert events(cli) >= {"snapshot_failed", "verified"}
    assert flaws(cli) == []


@pytest.mark.parametrize(
    "event", ["snapshot_failed", "resolved", "left_alone", "finding", "verified", "rate_certified"]
)
def test_a_line_of_a_look_that_lacks_what_it_is_about_does_not_fit(lines: list[dict[str, Any]], event: str) -> None:
    bare = {name: lines[0][name] for name in ("schema", "run_id", "seq", "prev", "at")}
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid({**bare, "event": event})
