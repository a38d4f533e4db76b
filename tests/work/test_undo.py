"""Whom an undo sends a request, and whom it leaves alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.models import UNLISTED, Entry, Operation, Outcome, Report, ReportId, Status
from bulkpause.work.undo import UndoPlan, Why, plan_from_ledger, plan_from_look
from tests.tenant.made import NEVER_LISTED, ended, listed, look, report_id

PAUSE = Operation.PAUSE
THEN, LATER = "2026-11-24T10:00:00Z", "2026-11-24T10:00:01Z"
INVALID = Outcome(Status.INVALID, row=9)
NOTHING_CHANGED = [
    *(Status.NOT_FOUND, Status.DENIED, Status.REJECTED, Status.EXHAUSTED, Status.SKIPPED),
]


def verdict_on(plan: UndoPlan) -> Why | str:
    """What becomes of the one report that a plan is about."""
    if plan.entries:
        assert (plan.entries, plan.left_alone) == ([Entry(report_id(1), 1)], [])
        return "undone"
    return plan.left_alone[0].why if plan.left_alone else "nothing to undo"


@pytest.mark.parametrize(
    ("status", "before", "shown", "verdict"),
    [
        (Status.SUCCEEDED, "Active", "Paused", "undone"),
        (Status.SUCCEEDED, None, "Paused", "undone"),
        (Status.SUCCEEDED, UNLISTED, "Paused", "undone"),
        (Status.SUCCEEDED, "Paused", "Paused", Why.WAS_SO_BEFORE),
        (Status.SUCCEEDED, "Active", "Active", Why.CHANGED_SINCE),
        (Status.SUCCEEDED, "Paused", "Active", Why.CHANGED_SINCE),
        (Status.SUCCEEDED, "Active", "Inactive", Why.CHANGED_SINCE),
        (Status.SUCCEEDED, "Active", None, Why.IN_DOUBT),
        (Status.SUCCEEDED, "Active", NEVER_LISTED, Why.MISSING),
        (Status.UNCHANGED, "Paused", "Paused", "nothing to undo"),
        (Status.UNCHANGED, None, "Paused", "nothing to undo"),
        (Status.UNCHANGED, "Paused", "Active", Why.CHANGED_SINCE),
        (Status.UNCHANGED, "Paused", None, "nothing to undo"),
        (Status.UNCHANGED, "Paused", NEVER_LISTED, "nothing to undo"),
        (Status.UNKNOWN, "Active", "Paused", "undone"),
        (Status.UNKNOWN, "Inactive", "Paused", "undone"),
        (Status.UNKNOWN, "Active", "Active", "nothing to undo"),
        (Status.UNKNOWN, "Paused", "Paused", Why.WAS_SO_BEFORE),
        (Status.UNKNOWN, "Paused", "Active", "nothing to undo"),
        (Status.UNKNOWN, None, "Paused", Why.IN_DOUBT),
        (Status.UNKNOWN, UNLISTED, "Paused", Why.IN_DOUBT),
        (Status.UNKNOWN, None, "Active", "nothing to undo"),
        (Status.UNKNOWN, "Active", None, Why.IN_DOUBT),
        (Status.UNKNOWN, "Active", NEVER_LISTED, Why.MISSING),
    ],
)
def test_after_a_look_a_report_is_judged_by_what_it_was_what_the_run_did_and_what_it_is(
    status: Status, before: str | None, shown: str | None, verdict: Why | str
) -> None:
    reports = () if shown == NEVER_LISTED else (listed(1, shown),)
    plan = plan_from_look([ended(status, before=before)], look(*reports), operation=PAUSE)
    assert verdict_on(plan) == verdict


@pytest.mark.parametrize("status", NOTHING_CHANGED)
@pytest.mark.parametrize("shown", ["Active", "Paused", None])
def test_what_the_run_did_not_change_is_no_business_of_an_undo(status: Status, shown: str | None) -> None:
    outcomes = [ended(status), INVALID]
    plan = plan_from_look(outcomes, look(listed(1, shown)), operation=PAUSE)
    assert plan == UndoPlan() == plan_from_ledger(outcomes, operation=PAUSE)


@pytest.mark.parametrize(
    ("run_left_it_at", "changed_at", "by_status", "verdict"),
    [
        (THEN, THEN, False, "undone"),
        (THEN, LATER, False, Why.CHANGED_SINCE),
        (LATER, THEN, False, Why.CHANGED_SINCE),
        (THEN, LATER, True, "undone"),
        ("2026-11-24T10:00:00.123Z", THEN, False, "undone"),
        (THEN, "2026-11-24T10:00:00.999999+00:00", False, "undone"),
        (None, LATER, False, "undone"),
        (THEN, None, False, "undone"),
    ],
)
def test_another_time_of_change_means_somebody_else_unless_only_the_status_counts(
    run_left_it_at: str | None, changed_at: str | None, by_status: bool, verdict: Why | str
) -> None:
    outcome = ended(Status.SUCCEEDED, before="Active", modified_time=run_left_it_at)
    plan = plan_from_look([outcome], look(listed(1, "Paused", changed_at)), operation=PAUSE, by_status=by_status)
    assert verdict_on(plan) == verdict


def test_by_status_alone_a_report_in_another_state_is_left_alone_all_the_same() -> None:
    outcome = ended(Status.SUCCEEDED, modified_time=THEN)
    plan = plan_from_look([outcome], look(listed(1, "Active", THEN)), operation=PAUSE, by_status=True)
    assert verdict_on(plan) is Why.CHANGED_SINCE


@pytest.mark.parametrize(
    ("status", "before", "verdict"),
    [
        (Status.SUCCEEDED, "Active", "undone"),
        (Status.SUCCEEDED, None, "undone"),
        (Status.SUCCEEDED, UNLISTED, "undone"),
        (Status.SUCCEEDED, "Paused", Why.WAS_SO_BEFORE),
        (Status.UNCHANGED, "Paused", "nothing to undo"),
        (Status.UNKNOWN, "Active", Why.IN_DOUBT),
        (Status.UNKNOWN, None, Why.IN_DOUBT),
    ],
)
def test_without_a_look_only_what_surely_changed_is_undone(
    status: Status, before: str | None, verdict: Why | str
) -> None:
    assert verdict_on(plan_from_ledger([ended(status, before=before)], operation=PAUSE)) == verdict


def test_what_is_left_alone_is_told_with_what_it_is_now() -> None:
    outcomes = [
        ended(Status.SUCCEEDED, 1, before="Active", modified_time=THEN),
        ended(Status.SUCCEEDED, 2, before="Active", modified_time=THEN),
        ended(Status.SUCCEEDED, 3, before="Active"),
    ]
    plan = plan_from_look(outcomes, look(listed(1, "Active", LATER), listed(2, "Paused", LATER)), operation=PAUSE)
    assert [one.said for one in plan.left_alone] == [
        "it is Active, the run left it Paused",
        f"it was changed at {LATER}, the run left it at {THEN}",
        "the tenant's list does not have it",
    ]
    assert plan.counts == {Why.CHANGED_SINCE: 2, Why.MISSING: 1}
    assert plan.left_alone[0].to_dict() == {
        "report_id": report_id(1),
        "why": "changed_since",
        "said": "it is Active, the run left it Paused",
        "report_status": "Active",
        "modified_time": LATER,
        "name": "Report 1",
        "row": 1,
    }


OUTCOMES = st.lists(
    st.builds(
        ended,
        st.sampled_from(Status),
        st.integers(1, 12),
        before=st.sampled_from([None, UNLISTED, "Active", "Paused", "Inactive"]),
        modified_time=st.sampled_from([None, THEN, LATER]),
    ),
    unique_by=lambda outcome: outcome.row,
)
LOOKS = st.dictionaries(
    st.integers(1, 12).map(report_id),
    st.builds(
        listed, st.just(1), st.sampled_from([None, "Active", "Paused", "Inactive"]), st.sampled_from([None, THEN])
    ),
)


@given(OUTCOMES, LOOKS, st.sampled_from(Operation), st.booleans())
def test_every_report_lands_in_one_place_at_most_and_only_what_the_run_changed_is_sent(
    outcomes: Sequence[Outcome], shown: dict[ReportId, Report], operation: Operation, by_status: bool
) -> None:
    looked = plan_from_look(outcomes, shown.get, operation=operation, by_status=by_status)
    blind = plan_from_ledger(outcomes, operation=operation)
    known = {outcome.report_id: outcome for outcome in outcomes}
    for plan in (looked, blind):
        sent = [entry.report_id for entry in plan.entries]
        named = [one.report_id for one in plan.left_alone]
        assert len({*sent, *named}) == len(sent) + len(named)
        for one in plan.entries:
            outcome = known[one.report_id]
            assert outcome.row == one.row
            assert outcome.status in {Status.SUCCEEDED, Status.UNKNOWN}
            assert outcome.before != operation.wanted
    for one in looked.entries:
        assert shown[one.report_id].report_status == operation.wanted
    for one in blind.entries:
        assert known[one.report_id].status is Status.SUCCEEDED
