"""Rows that end again: the latest end counts, the wire adds up, and decisions are counted by their lines."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkpause.models import UNLISTED, Outcome, Status
from bulkpause.summary import NAMED, RunSummary
from bulkpause.summary.ends import End, Ends
from tests.cli.made import report_id

ROWS = st.integers(1, 9)
OUTCOMES = st.builds(
    lambda row, status, code, message, tries, **more: Outcome(
        status, row, None if status is Status.INVALID else report_id(row), code, message=message, tries=tries, **more
    ),
    row=ROWS,
    status=st.sampled_from(Status),
    code=st.none() | st.sampled_from([200, 404, 500]),
    message=st.none() | st.sampled_from(["busy", "busy 7", "gone: away"]),
    tries=st.integers(0, 3),
    sent=st.integers(0, 4),
    before=st.none() | st.sampled_from(["Active", UNLISTED]),
    interrupted=st.booleans(),
)


@settings(deadline=None)
@given(st.lists(st.tuples(OUTCOMES, st.booleans()), max_size=60))
def test_whatever_rows_end_again_the_counts_are_those_of_the_latest_ends(told: list[tuple[Outcome, bool]]) -> None:
    summary = RunSummary()
    for seq, (outcome, is_look) in enumerate(told, 1):
        (summary.resolve if is_look else summary.add)(outcome, seq=seq)
    latest = {outcome.row: (seq, outcome) for seq, (outcome, _) in enumerate(told, 1)}
    counted = [outcome for _, outcome in latest.values()]
    assert summary.done == len(latest)
    assert summary.by_status == Counter(outcome.status for outcome in counted)
    assert summary.by_status_code == Counter(str(outcome.status_code or "none") for outcome in counted)
    assert summary.interrupted == sum(outcome.interrupted for outcome in counted)
    assert summary.unlisted == sum(outcome.before == UNLISTED and outcome.tries > 0 for outcome in counted)
    sent = [outcome for outcome, is_look in told if not is_look and outcome.tries]
    assert summary.sent == sum(outcome.sent for outcome in sent)
    assert (summary.attempts, summary.retries) == (
        sum(outcome.tries for outcome in sent),
        sum(outcome.tries - 1 for outcome in sent),
    )
    assert summary.failed == sum(failure.count for failure in summary.failures.values())
    for failure in summary.failures.values():
        assert failure.count > 0
        assert len(failure.examples) <= min(failure.count, NAMED)
    for row, (seq, outcome) in latest.items():
        end = summary.ends.get(row)
        assert end is not None
        assert (end.status, end.interrupted, summary.ends.seq(row)) == (outcome.status, outcome.interrupted, seq)


def test_a_failure_that_turns_out_well_takes_its_example_with_it() -> None:
    summary = RunSummary()
    for row in range(1, NAMED + 3):
        summary.add(Outcome(Status.DENIED, row, report_id(row), 403, message="no"))
    summary.add(Outcome(Status.SUCCEEDED, 2, report_id(2), 200, tries=1, sent=1))
    (failure,) = summary.failures.values()
    assert (failure.count, failure.examples) == (NAMED + 1, [report_id(row) for row in (1, 3, 4, 5)])
    for row in (1, 3, 4, 5, 6, 7):
        summary.add(Outcome(Status.SUCCEEDED, row, report_id(row), 200, tries=1, sent=1))
    assert (summary.failures, summary.is_good) == ({}, True)


def test_a_row_that_was_never_heard_of_has_no_end() -> None:
    ends = Ends()
    ends.put(5, End(Status.SUCCEEDED, 200), seq=3)
    assert [ends.get(row) for row in (1, 4, 6, 10**6)] == [None] * 4
    assert [ends.seq(row) for row in (1, 5, 6, 10**6)] == [0, 3, 0, 0]


def test_rows_far_apart_and_out_of_order_keep_their_ends() -> None:
    ends, rows = Ends(), [70_000, 3, 1_000_000, 69_999, 1]
    for seq, row in enumerate(rows, 1):
        ends.put(row, End(Status.DENIED, row), seq=seq)
    assert [(ends.seq(row), end and end.status_code) for row in rows for end in [ends.get(row)]] == [
        (seq, row) for seq, row in enumerate(rows, 1)
    ]


def test_ends_alike_cost_eight_bytes_a_row() -> None:
    ends = Ends()
    for row in range(1, 100_001):
        ends.put(row, End(Status.SUCCEEDED, 200), seq=row)
    assert len(ends._kinds) == 2
    assert len(ends._seq_of_row) <= 100_001 * 9 // 8 + 1


@pytest.mark.parametrize(
    ("event", "fields", "key", "counted"),
    [
        ("hold", {}, "holds", 1),
        ("token_refreshed", {}, "token_refreshes", 1),
        ("snapshot_taken", {"reports": 12}, "listed", 12),
        ("verified", {"counts": {"converged": 3}}, "verified", {"converged": 3}),
        (
            "finding",
            {"finding": "contradicted", "report_id": "a", "report_status": "Active"},
            "findings",
            {"contradicted": {"count": 1, "examples": ["a is Active"]}},
        ),
        (
            "finding",
            {"finding": "missing", "report_id": "a", "report_status": None},
            "findings",
            {"missing": {"count": 1, "examples": ["a is not listed"]}},
        ),
        (
            "left_alone",
            {"why": "in_doubt", "report_id": "a", "said": "who knows"},
            "left_alone",
            {"in_doubt": {"count": 1, "examples": ["a: who knows"]}},
        ),
    ],
)
def test_a_decision_is_counted_by_the_line_that_tells_of_it(
    event: str, fields: dict[str, Any], key: str, counted: Any
) -> None:
    summary, blank = RunSummary(), RunSummary().to_dict()
    summary.add_event(event, fields)
    assert summary.to_dict() == {**blank, key: counted}


def test_a_decision_that_is_none_of_these_changes_no_count() -> None:
    summary = RunSummary()
    summary.add_event("stop_requested", {"signal": 2})
    assert summary.to_dict() == RunSummary().to_dict()


def test_a_new_verification_begins_with_no_findings_and_names_only_the_first_few() -> None:
    summary = RunSummary()
    for number in range(2 * NAMED):
        summary.add_event("finding", {"finding": "late", "report_id": number, "report_status": "Paused"})
    assert summary.to_dict()["findings"]["late"]["count"] == 2 * NAMED
    assert len(summary.to_dict()["findings"]["late"]["examples"]) == NAMED
    summary.add_event("verification_started", {})
    assert summary.to_dict()["findings"] == {}
