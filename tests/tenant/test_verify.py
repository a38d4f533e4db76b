"""What a look at the reports says of what a run claims."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.models import UNLISTED, Operation, Outcome, Report, ReportId, Status, Verdict
from bulkpause.tenant.verify import Finding, Verification, first_look, is_claimed, judge, resolved
from tests.tenant.made import ended, listed, look, report_id

PAUSE, RESUME = Operation.PAUSE, Operation.RESUME
INVALID = Outcome(Status.INVALID, row=9)


@pytest.mark.parametrize("status", Status)
def test_only_what_is_good_or_in_doubt_is_looked_at(status: Status) -> None:
    assert is_claimed(ended(status)) == (status in {Status.SUCCEEDED, Status.UNCHANGED, Status.UNKNOWN})
    assert not is_claimed(INVALID)


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.UNCHANGED])
@pytest.mark.parametrize(
    ("shown", "operation", "finding"),
    [
        ("Paused", PAUSE, Finding.CONVERGED),
        ("Active", PAUSE, Finding.CONTRADICTED),
        ("Inactive", PAUSE, Finding.CONTRADICTED),
        ("Paused", RESUME, Finding.CONTRADICTED),
        ("Active", RESUME, Finding.CONVERGED),
        (None, PAUSE, Finding.UNREADABLE),
    ],
)
def test_a_claim_is_judged_by_the_status_that_is_shown(
    status: Status, shown: str | None, operation: Operation, finding: Finding
) -> None:
    assert judge(ended(status), look(listed(1, shown)), operation=operation) is finding


@pytest.mark.parametrize(
    ("before", "finding"),
    [("Active", Finding.MISSING), (None, Finding.MISSING), (UNLISTED, Finding.UNREADABLE)],
)
def test_a_report_that_is_not_listed_is_missing_unless_it_never_was_listed(
    before: str | None, finding: Finding
) -> None:
    assert judge(ended(Status.SUCCEEDED, before=before), look(), operation=PAUSE) is finding


@pytest.mark.parametrize(
    ("before", "shown", "status"),
    [
        ("Active", "Paused", Status.SUCCEEDED),
        (None, "Paused", Status.SUCCEEDED),
        (UNLISTED, "Paused", Status.SUCCEEDED),
        ("Paused", "Paused", Status.UNCHANGED),
        ("Active", "Active", Status.EXHAUSTED),
        (None, "Inactive", Status.EXHAUSTED),
        ("Paused", "Active", Status.EXHAUSTED),
    ],
)
def test_a_doubt_is_settled_by_what_is_shown_and_what_was_before(
    before: str | None, shown: str, status: Status
) -> None:
    doubt = ended(Status.UNKNOWN, before=before, error="no reply within 30 s", tries=3, sent=3)
    now = resolved(doubt, look(listed(1, shown, "2026-11-24T10:00:00Z")), operation=PAUSE)
    assert now is not None
    assert (now.status, now.report_status, now.message) == (status, shown, f"read back: the report is {shown}")
    assert (now.error, now.tries, now.sent, now.before) == (None, 3, 3, before)
    assert now.modified_time == ("2026-11-24T10:00:00Z" if status.is_good else None)


def test_a_report_in_doubt_that_was_listed_and_is_no_longer_is_not_found() -> None:
    now = resolved(ended(Status.UNKNOWN, before="Active", interrupted=True), look(), operation=PAUSE)
    assert now is not None
    assert (now.status, now.interrupted) == (Status.NOT_FOUND, False)
    assert now.message == "read back: the tenant's list does not have the report"


@pytest.mark.parametrize(("before", "reports"), [(None, ()), (UNLISTED, ()), ("Active", (listed(1, None),))])
def test_a_doubt_stays_where_the_list_does_not_say(before: str | None, reports: tuple[Report, ...]) -> None:
    assert resolved(ended(Status.UNKNOWN, before=before), look(*reports), operation=PAUSE) is None


def test_a_row_without_an_id_can_be_neither_judged_nor_resolved() -> None:
    assert judge(INVALID, look(listed(1)), operation=PAUSE) is Finding.MISSING
    assert resolved(INVALID, look(listed(1)), operation=PAUSE) is None


@pytest.mark.parametrize(("shown", "interrupted"), [("Active", True), ("Paused", False)])
def test_a_report_whose_tries_were_cut_short_is_owed_more_of_them_unless_it_is_so(
    shown: str, interrupted: bool
) -> None:
    now = resolved(ended(Status.UNKNOWN, interrupted=True), look(listed(1, shown)), operation=PAUSE)
    assert now is not None
    assert now.interrupted is interrupted


def test_a_first_look_counts_what_holds_and_keeps_the_rest_in_order() -> None:
    outcomes = [
        ended(Status.SUCCEEDED, 1),
        ended(Status.SUCCEEDED, 2),
        ended(Status.UNKNOWN, 3),
        ended(Status.DENIED, 4),
        ended(Status.UNCHANGED, 5),
        ended(Status.SUCCEEDED, 6),
        INVALID,
    ]
    shown = [listed(1), listed(2, "Active"), listed(3), listed(4, "Active"), listed(5)]
    converged, pending = first_look(outcomes, look(*shown), operation=PAUSE)
    assert converged == 2
    assert [outcome.row for outcome in pending] == [2, 3, 6]


OUTCOMES = st.builds(
    ended,
    st.sampled_from(Status),
    st.integers(1, 9),
    before=st.sampled_from([None, UNLISTED, "Active", "Paused", "Inactive"]),
)
LOOKS = st.dictionaries(
    st.integers(1, 9).map(report_id),
    st.sampled_from([None, "Active", "Paused", "Inactive"]).map(lambda s: listed(1, s)),
)


@given(st.lists(OUTCOMES), LOOKS)
def test_every_claim_holds_or_is_looked_at_again(outcomes: list[Outcome], shown: dict[ReportId, Report]) -> None:
    converged, pending = first_look(outcomes, shown.get, operation=PAUSE)
    assert converged + len(pending) == sum(map(is_claimed, outcomes))
    assert all(outcome in pending for outcome in outcomes if outcome.status is Status.UNKNOWN)


@given(OUTCOMES, LOOKS)
def test_a_resolved_outcome_is_good_exactly_if_the_report_is_in_the_wanted_state(
    outcome: Outcome, shown: dict[ReportId, Report]
) -> None:
    now = resolved(outcome, shown.get, operation=PAUSE)
    if now is not None:
        assert now.status is not Status.UNKNOWN
        assert now.status.is_good == (judge(outcome, shown.get, operation=PAUSE) is Finding.CONVERGED)


@pytest.mark.parametrize(
    ("finding", "is_mismatch", "is_in_doubt"),
    [
        (Finding.CONVERGED, False, False),
        (Finding.LATE, False, False),
        (Finding.RESOLVED, False, False),
        (Finding.CONTRADICTED, True, False),
        (Finding.MISSING, True, False),
        (Finding.UNREADABLE, False, True),
    ],
)
def test_a_verification_is_a_mismatch_or_in_doubt_by_what_it_found(
    finding: Finding, is_mismatch: bool, is_in_doubt: bool
) -> None:
    found = Verification()
    found.counts[finding] += 1
    assert (found.is_mismatch, found.is_in_doubt) == (is_mismatch, is_in_doubt)


def test_a_verification_says_every_count_the_requests_and_the_error() -> None:
    found = Verification(requests=3, error="HTTP 500", verdict=Verdict.FAULT)
    found.counts[Finding.LATE] = 2
    assert found.to_dict() == {
        "converged": 0,
        "late": 2,
        "contradicted": 0,
        "missing": 0,
        "unreadable": 0,
        "resolved": 0,
        "requests": 3,
        "error": "HTTP 500",
    }
