"""The totals of a run: they add up, stay small, and group failures by their reason."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkpause.models import Attempt, Outcome, Reply, ReportId, Status, Verdict
from bulkpause.summary import NAMED, REASON_LIMIT, RunSummary
from bulkpause.summary.latencies import Latencies

REPORT = ReportId("0b9c7a52-8a5e-4f9b-9c1e-3d2f1a0b4c5d")


def summed(*outcomes: Outcome) -> RunSummary:
    summary = RunSummary()
    for outcome in outcomes:
        summary.add(outcome)
    return summary


def failed(message: str | None = None, *, code: int | None = 500, row: int = 1, error: str | None = None) -> Outcome:
    return Outcome(
        Status.EXHAUSTED, row=row, report_id=ReportId(f"id-{row}"), status_code=code, message=message, error=error
    )


def test_the_document_counts_every_row_by_status_and_by_status_code() -> None:
    summary = summed(
        Outcome(Status.SUCCEEDED, 1, REPORT, 200, 200, tries=1, sent=1, attempt_ms=10.0),
        Outcome(Status.SUCCEEDED, 2, REPORT, 200, 200, tries=3, sent=4, attempt_ms=10.0),
        Outcome(Status.UNCHANGED, 3, REPORT),
        Outcome(Status.NOT_FOUND, 4, REPORT, 404, 200, message="No item", tries=1, sent=1, attempt_ms=40.0),
        Outcome(Status.EXHAUSTED, 5, REPORT, 429, 429, message="Slow", tries=2, sent=2, attempt_ms=10.0),
        Outcome(Status.UNKNOWN, 6, REPORT, error="no reply within 30 s", tries=1, sent=2),
        Outcome(Status.INVALID, 7, message="32 hex digits without dashes: 0b9c"),
    )
    summary.duplicates = 2
    for code in (500, 429, 429):
        summary.add_retried(Attempt(1, "r", "c", 1, 10.0, Reply(Verdict.FAULT, code, code)))
    for event in ("hold", "token_refreshed", "hold", "halted", "hold"):
        summary.add_event(event, {})
    assert (summary.done, summary.failed, summary.is_good) == (7, 4, False)
    document = summary.to_dict()
    failures = document.pop("failures")
    assert document == {
        "read": 9,
        "duplicates": 2,
        "by_status_code": {"200": 2, "404": 1, "429": 1, "none": 3},
        "by_status": {
            "succeeded": 2,
            "unchanged": 1,
            "not_found": 1,
            "exhausted": 1,
            "unknown": 1,
            "invalid": 1,
        },
        "attempts": 8,
        "sent": 10,
        "retries": 3,
        "throttled": 3,
        "holds": 3,
        "token_refreshes": 1,
        "unlisted": 0,
        "interrupted": 0,
        "listed": None,
        "verified": None,
        "findings": {},
        "left_alone": {},
        "latency_ms": summary.latencies.to_dict(),
        "rate_windows": None,
        "outages": 0,
        "limit_found_per_s": None,
    }
    marks = {"p50": 10.0, "p90": 40.0, "p99": 40.0, "max": 40.0}
    assert document["latency_ms"] == pytest.approx(marks, rel=0.02)
    assert [(failure["status"], failure["reason"]) for failure in failures] == [
        ("not_found", "No item"),
        ("exhausted", "Slow"),
        ("unknown", "no reply within 30 s"),
        ("invalid", "32 hex digits without dashes"),
    ]


def test_an_empty_run_is_good_and_has_no_latencies() -> None:
    summary = RunSummary()
    assert (summary.done, summary.is_good) == (0, True)
    assert summary.to_dict()["latency_ms"] == {"p50": None, "p90": None, "p99": None, "max": None}


@pytest.mark.parametrize("status", Status)
def test_a_run_is_good_when_every_row_is_in_the_wanted_state(status: Status) -> None:
    summary = summed(Outcome(Status.SUCCEEDED, row=1), Outcome(status, row=2))
    assert summary.is_good is (status in {Status.SUCCEEDED, Status.UNCHANGED})
    assert summary.failed == len(summary.failures) == (not summary.is_good)


def test_an_attempt_that_was_counted_as_retried_is_not_counted_again_by_its_outcome() -> None:
    reply = Reply(Verdict.THROTTLED, 429, 429)
    summary = RunSummary()
    summary.add_retried(Attempt(1, "r", "c", sent=1, elapsed_ms=5.0, reply=reply))
    summary.add(Outcome(Status.EXHAUSTED, row=1, status_code=429, tries=1, sent=1, attempt_ms=None))
    assert summary.throttled == 1
    assert summary.latencies.percentile_ms(100) == pytest.approx(5, rel=0.01)
    assert (summary.attempts, summary.retries) == (1, 0)


def test_failures_that_differ_only_in_ids_and_numbers_are_one_reason_in_the_firsts_words() -> None:
    words = "Internal error. Correlation ID <{}>, node {}"
    ids = [REPORT, "9" * 8 + REPORT[8:], REPORT.replace("-", ""), "4BF92F3577B34DA6A3CE929D0E0E4736"]
    summary = summed(*(failed(words.format(one, row), row=row) for row, one in enumerate(ids)))
    assert [failure.to_dict() for failure in summary.failures.values()] == [
        {
            "status": "exhausted",
            "status_code": 500,
            "reason": words.format(REPORT, 0),
            "count": 4,
            "examples": ["id-0", "id-1", "id-2", "id-3"],
        }
    ]


def test_failures_of_another_status_code_or_words_are_another_reason() -> None:
    summary = summed(
        failed("busy"),
        failed("busy", code=503, row=2),
        failed("bad face", row=3),
        failed(error="busy", row=4),
        failed(row=5),
    )
    assert [(one.status_code, one.reason, one.count) for one in summary.failures.values()] == [
        (500, "busy", 2),
        (503, "busy", 1),
        (500, "bad face", 1),
        (500, "", 1),
    ]


def test_the_most_frequent_reason_comes_first_with_its_first_five_examples() -> None:
    summary = summed(failed("rare"), *(failed("frequent", row=row) for row in range(10, 30)))
    first, second = summary.to_dict()["failures"]
    assert (first["reason"], first["count"], first["examples"]) == (
        "frequent",
        20,
        ["id-10", "id-11", "id-12", "id-13", "id-14"],
    )
    assert second["count"] == 1
    assert len(first["examples"]) == NAMED


def test_invalid_rows_are_grouped_by_reason_and_named_by_line_and_text() -> None:
    rows = [Outcome(Status.INVALID, row=row, message=f"a spreadsheet formula: =A{row}: x") for row in (3, 9)]
    (failure,) = summed(*rows).failures.values()
    assert (failure.reason, failure.count) == ("a spreadsheet formula", 2)
    assert failure.examples == ["line 3: =A3: x", "line 9: =A9: x"]


def letters(number: int) -> str:
    """A word without digits for each number."""
    return "".join("ghijklmnop"[int(digit)] for digit in str(number))


def test_a_service_that_words_every_failure_anew_does_not_fill_the_memory() -> None:
    summary = summed(*(failed(letters(row), code=100 + row % 900, row=row) for row in range(5000)))
    assert len(summary.failures) == REASON_LIMIT + 1
    first = summary.to_dict()["failures"][0]
    assert (first["reason"], first["status_code"]) == ("other reasons; see the audit log", None)
    assert first["count"] == 5000 - REASON_LIMIT
    assert len(first["examples"]) == NAMED


def latencies(samples: Sequence[float]) -> Latencies:
    made = Latencies()
    for sample in samples:
        made.add(sample)
    return made


@settings(deadline=None)
@given(
    samples=st.lists(st.floats(0.001, 1e7), min_size=1, max_size=300),
    percent=st.sampled_from([0.1, 1, 25, 50, 90, 99, 99.9, 100]),
)
def test_a_percentile_is_within_one_percent_of_the_sample_at_its_rank(samples: list[float], percent: float) -> None:
    exact = sorted(samples)[math.ceil(len(samples) * percent / 100) - 1]
    found = latencies(samples).percentile_ms(percent)
    assert found is not None
    assert exact / 1.01 <= found <= min(exact * 1.01, max(samples))


def test_an_exchange_too_short_to_measure_counts_as_the_shortest() -> None:
    found = latencies([0.0, 0.0, 5.0])
    assert found.percentile_ms(50) == pytest.approx(0, abs=1e-6)
    assert found.to_dict() == {"p50": 0.0, "p90": 5.0, "p99": 5.0, "max": 5.0}


def test_the_histogram_stays_small_however_many_exchanges_it_counts() -> None:
    assert len(latencies([0.01 * number for number in range(1, 20_000)])._buckets) < 600


OUTCOMES = st.builds(
    Outcome,
    status=st.sampled_from(Status),
    row=st.integers(1, 99),
    report_id=st.none() | st.just(REPORT),
    status_code=st.none() | st.sampled_from([200, 404, 429, 500]),
    message=st.none() | st.sampled_from(["busy", "busy 7", "gone: away", f"no {REPORT}"]),
    error=st.none() | st.just("timed out"),
    tries=st.integers(0, 6),
    sent=st.integers(0, 8),
    attempt_ms=st.none() | st.floats(0, 1e6),
)
RUNS = st.lists(OUTCOMES, max_size=40, unique_by=lambda outcome: outcome.row)


@settings(deadline=None)
@given(outcomes=RUNS)
def test_the_counts_add_up_whatever_came(outcomes: list[Outcome]) -> None:
    summary = summed(*outcomes)
    assert summary.done == len(outcomes) == summary.by_status.total() == summary.by_status_code.total()
    assert summary.by_status == Counter(outcome.status for outcome in outcomes)
    assert summary.sent == sum(outcome.sent for outcome in outcomes if outcome.tries)
    assert summary.attempts - summary.retries == sum(outcome.tries > 0 for outcome in outcomes)
    assert summary.failed == sum(failure.count for failure in summary.failures.values())
    document = summary.to_dict()
    assert orjson.loads(orjson.dumps(document)) == document
