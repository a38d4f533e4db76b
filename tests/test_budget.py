"""What retries may cost a run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulkpause.budget import AT_FIRST, MOST, PER_REPORT, PRICES, RetryBudget
from bulkpause.models import Status, Verdict
from bulkpause.retry import RetryPolicy
from tests.gates.services import CONFIRMED, FAILED, Service, run


def test_a_small_run_may_retry_too() -> None:
    budget = RetryBudget()
    assert all(budget.draw(Verdict.FAULT) for _ in range(10))
    assert not budget.draw(Verdict.FAULT)
    assert (budget.retries, budget.is_spent) == (10, True)


def test_a_timeout_costs_more_than_an_error() -> None:
    assert PRICES[Verdict.UNANSWERED] > PRICES[Verdict.FAULT]


def test_a_refusal_for_haste_and_a_refused_token_are_paid_for_elsewhere() -> None:
    budget = RetryBudget()
    while budget.draw(Verdict.FAULT):
        pass
    assert budget.draw(Verdict.THROTTLED)
    assert budget.draw(Verdict.UNAUTHORISED)


def test_a_success_gives_back() -> None:
    budget = RetryBudget()
    while budget.draw(Verdict.FAULT):
        pass
    budget.note(2, Status.SUCCEEDED)
    assert budget.draw(Verdict.FAULT)


@given(steps=st.lists(st.tuples(st.integers(1, 3), st.sampled_from([None, *Status]), st.sampled_from(Verdict))))
def test_it_is_never_overdrawn_and_never_grows_without_bound(
    steps: list[tuple[int, Status | None, Verdict]],
) -> None:
    budget, firsts, successes = RetryBudget(), 0, 0
    for number, status, verdict in steps:
        budget.note(number, status)
        firsts += number == 1
        successes += status is Status.SUCCEEDED
        budget.draw(verdict)
        assert 0 <= budget.tokens <= MOST
        assert budget.retries <= AT_FIRST + PER_REPORT * firsts + successes + 1e-9


def test_without_tokens_a_report_ends_interrupted_and_a_notice_says_so_once() -> None:
    done = run(Service(lambda _: FAILED), lambda *_: (), reports=100, per_s=1000, retry=RetryPolicy(max_tries=6))
    assert done.count(Status.EXHAUSTED) == 100
    assert 100 + 10 + 19 <= len(done.service.ids) <= 100 + 10 + 20
    assert len(done.events("budget_spent")) == 1
    assert sum(outcome.interrupted for outcome in done.outcomes) >= 70


def test_a_service_that_fails_half_of_all_requests_costs_no_report() -> None:
    answers = iter([FAILED, CONFIRMED] * 10_000)
    done = run(Service(lambda _: next(answers)), lambda *_: (), reports=1000, concurrency=1, per_s=1000)
    assert done.count(Status.SUCCEEDED) == 1000
