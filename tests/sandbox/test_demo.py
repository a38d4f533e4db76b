"""The demo's script, played by hand."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from bulkpause.models import Status
from bulkpause.sandbox import DEMO_SCRIPT, SandboxSettings, demo_expectation
from bulkpause.sandbox.demo import DEMO_MAX_TRIES, DEMO_REPORTS, sample_csv
from bulkpause.sandbox.reports import parse_report_id
from tests.sandbox.tenant import Tenant

SAMPLE = Path(__file__).parents[2] / "configs" / "sample-reports.csv"
CAN_HEAL = {408, 429, 500, 502, 503, 504}


def test_the_sample_in_the_repository_is_the_scripts() -> None:
    assert SAMPLE.read_text(encoding="utf-8") == sample_csv()


@pytest.mark.parametrize("operation", ["pause", "resume"])
def test_a_run_over_the_sample_ends_as_the_script_says(operation: str) -> None:
    far_side = Tenant(SandboxSettings.demo())
    expected = demo_expectation()
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        rows = [row["ReportId"] for row in csv.DictReader(file)]
    parsed = [parse_report_id(row) for row in rows]
    accepted = list(dict.fromkeys(filter(None, parsed)))
    codes = Counter({"none": parsed.count(None)})
    puts = 0
    for report_id in accepted:
        statuses = [0]
        while statuses[-1] in CAN_HEAL | {0} and len(statuses) <= DEMO_MAX_TRIES:
            statuses.append(far_side.put(report_id, operation).status)
        puts += len(statuses) - 1
        codes[str(statuses[-1])] += 1
    assert codes == expected.by_status_code
    assert puts == expected.puts
    assert (len(rows), len(accepted), parsed.count(None)) == (expected.read, expected.accepted, expected.invalid)
    assert expected.read == expected.accepted + expected.duplicate + expected.invalid


def test_the_expectation_adds_up_and_fits_a_short_demo() -> None:
    expected = demo_expectation()
    assert sum(expected.by_status.values()) == sum(expected.by_status_code.values())
    assert expected.by_status["succeeded"] == expected.by_status_code["200"]
    assert {Status(word) for word in expected.by_status} == {
        Status.SUCCEEDED, Status.NOT_FOUND, Status.DENIED, Status.EXHAUSTED, Status.INVALID,
    }  # fmt: skip
    assert 60 <= expected.puts <= 75


def test_one_429_holds_everybody_for_three_seconds() -> None:
    throttled = [scene for scene in DEMO_SCRIPT if scene.fault.startswith("429")]
    assert [scene.fault for scene in throttled] == ["429:3*1"]


def test_the_demo_is_at_home_to_other_reports() -> None:
    far_side = Tenant(SandboxSettings.demo())
    assert len(far_side.reports) == DEMO_REPORTS
    assert far_side.put("00000000-0000-4000-8000-000000000000").status == 200
