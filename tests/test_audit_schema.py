"""Every line that a run writes fits the published JSON Schema."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bulkpause.cli import main

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
    assert {"run_started", "source_read", "attempt_started", "retry_scheduled", "hold", "outcome"} <= set(events)
    assert lines[0]["event"] == "run_started"
    assert lines[-1]["event"] == "run_finished"


def test_seq_counts_the_lines_without_a_gap(lines: list[dict[str, Any]]) -> None:
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))


def test_a_line_that_lacks_a_field_does_not_fit(lines: list[dict[str, Any]]) -> None:
    outcome = next(line for line in lines if line["event"] == "outcome")
    del outcome["status"]
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(outcome)
