"""Ledger lines of attempts and outcomes: what is written is what is read back, and nothing else is taken for one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.events import MOST, intent_fields, outcome_fields, retry_fields, to_attempt, to_outcome
from bulkpause.models import Attempt, Entry, Operation, Outcome, Reply, Status, Verdict
from tests.cli.made import report_id
from tests.ledger_lines import as_read

TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
CODES = st.none() | st.integers(0, 999)
MS = st.floats(0, 1e9)
COUNTS = st.integers(0, 50)

OUTCOMES = st.builds(
    Outcome,
    status=st.sampled_from(Status),
    row=st.integers(1, MOST),
    report_id=st.none() | st.integers(0, 10**6).map(report_id),
    status_code=CODES,
    http_status=CODES,
    report_status=TEXTS,
    message=TEXTS,
    error=TEXTS,
    tries=COUNTS,
    sent=COUNTS,
    elapsed_ms=MS,
    attempt_ms=st.none() | MS,
    request_id=TEXTS,
    correlation_id=TEXTS,
    before=TEXTS,
    modified_time=TEXTS,
    interrupted=st.booleans(),
)
REPLIES = st.builds(
    Reply,
    verdict=st.sampled_from(Verdict),
    http_status=CODES,
    status_code=CODES,
    message=TEXTS,
    error=TEXTS,
    report_status=st.none(),
    retry_after_s=st.none(),
    modified_time=st.none(),
    quota=st.none(),
    claims=st.none(),
    halt=st.none(),
)
ATTEMPTS = st.builds(
    Attempt,
    number=COUNTS,
    request_id=st.just("request"),
    correlation_id=st.just("correlation"),
    sent=COUNTS,
    elapsed_ms=MS,
    reply=REPLIES,
)
BLANK = outcome_fields(Outcome(Status.DENIED, 7, report_id(1), 403), operation=Operation.PAUSE)
RETRY = retry_fields(
    Entry(report_id(1), 7), Attempt(1, "request", "correlation", 1, 2.5, Reply(Verdict.FAULT, 503, 503)), delay_s=0.5
)


@given(OUTCOMES, st.sampled_from(Operation))
def test_an_outcome_that_is_written_is_read_back_the_same(outcome: Outcome, operation: Operation) -> None:
    assert to_outcome(as_read(outcome_fields(outcome, operation=operation))) == outcome


@given(ATTEMPTS)
def test_an_attempt_that_is_written_is_read_back_the_same(attempt: Attempt) -> None:
    line = as_read(retry_fields(Entry(report_id(1), 2), attempt, delay_s=0.5))
    assert to_attempt(line, request_id="request", correlation_id="correlation") == attempt


@given(OUTCOMES)
def test_an_older_line_lacks_the_newer_fields_and_is_read_all_the_same(outcome: Outcome) -> None:
    line = outcome_fields(outcome, operation=Operation.PAUSE)
    for name in ("before", "modified_time", "interrupted"):
        del line[name]
    assert to_outcome(line) == outcome._replace(before=None, modified_time=None, interrupted=False)


def test_an_intent_names_report_row_and_attempt() -> None:
    fields = intent_fields(Entry(report_id(3), 4), 2, request_id="r", correlation_id="c", before="Active")
    named = {"report_id": report_id(3), "row": 4, "attempt": 2, "request_id": "r", "correlation_id": "c"}
    assert fields == {**named, "before": "Active"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "paused"),
        ("status", ["succeeded"]),
        ("row", 0),
        ("row", -1),
        ("row", True),
        ("row", "7"),
        ("row", MOST + 1),
        ("report_id", "../resume/1"),
        ("report_id", report_id(1).upper().replace("0", "A")),
        ("report_id", 7),
        ("status_code", "200"),
        ("http_status", 200.0),
        ("report_status", 1),
        ("message", ["busy"]),
        ("error", {}),
        ("tries", "1"),
        ("tries", -1),
        ("sent", None),
        ("sent", 2**63),
        ("elapsed_ms", None),
        ("attempt_ms", "1"),
        ("request_id", 1),
        ("correlation_id", 1),
        ("before", 1),
        ("modified_time", 1),
        ("interrupted", "yes"),
    ],
)
def test_a_line_with_a_field_that_cannot_be_is_no_outcome(name: str, value: Any) -> None:
    with pytest.raises((KeyError, TypeError)):
        to_outcome({**BLANK, name: value})


@pytest.mark.parametrize("name", sorted(BLANK.keys() - {"operation", "before", "modified_time", "interrupted"}))
def test_a_line_without_one_of_the_oldest_fields_is_no_outcome(name: str) -> None:
    with pytest.raises(KeyError):
        to_outcome({key: value for key, value in BLANK.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("verdict", "odd"),
        ("attempt", "1"),
        ("sent", -1),
        ("elapsed_ms", None),
        ("http_status", "503"),
        ("status_code", []),
        ("message", 1),
        ("error", 1),
    ],
)
def test_a_line_with_a_field_that_cannot_be_is_no_attempt(name: str, value: Any) -> None:
    with pytest.raises((KeyError, TypeError)):
        to_attempt({**RETRY, name: value}, request_id="r", correlation_id="c")
