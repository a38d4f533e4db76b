"""Reading the whole list in virtual time: every page, what heals, and never a part that passes for the whole."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.errors import AuthError
from bulkpause.gates import HoldGate
from bulkpause.models import Attempt, Halt, HaltReason, Page, Reply, Report, ReportId, Verdict
from bulkpause.reports import FakePages, Listing, PageApi, read_reports
from bulkpause.retry import RetryPolicy
from bulkpause.session import NO_REPORT
from tests.virtual_time import VirtualClock, run_virtually

GOOD = Reply(Verdict.CONFIRMED, 200, 200)
NONE = Page(Reply(Verdict.NOT_FOUND, 404, 404, message="No item found with given filters."))
POLICY = RetryPolicy(max_tries=3, deadline_s=900.0, backoff_base_s=1.0, backoff_cap_s=60.0)


class Longest(random.Random):
    """Draws the longest wait allowed."""

    def uniform(self, a: float, b: float) -> float:
        return b


def listed(number: int, **changes: str) -> Report:
    return Report(ReportId(f"00000000-0000-4000-8000-{number:012}"), **changes)


def page(*numbers: int, to: str | None = None, **changes: Any) -> Page:
    return Page(GOOD, tuple(map(listed, numbers)), next_link=to, **changes)


def fault(verdict: Verdict = Verdict.FAULT, code: int | None = 500, *, sent: int = 1, **changes: Any) -> Page:
    return Page(Reply(verdict, code, code, **changes), sent=sent)


def reading(api: PageApi, **changes: Any) -> tuple[Listing, list[float]]:
    """What reading comes to, and when each request was admitted; a hold gate hears of it, but holds nobody."""
    admitted: list[float] = []

    async def read() -> Listing:
        clock = VirtualClock()

        async def admit() -> None:
            admitted.append(round(clock.monotonic_s(), 6))

        hold = HoldGate(cap_s=120.0, clock=clock, notify=lambda _notice: None)

        def observe(attempt: Attempt) -> Halt | None:
            return hold.observe(NO_REPORT, attempt)

        given = {"policy": POLICY, "observe": observe, "rng": Longest(), **changes}
        return await read_reports(api, admit=admit, clock=clock, **given)

    return run_virtually(read()), admitted


def numbers(reports: Sequence[Report]) -> list[int]:
    return [int(report.report_id[-12:]) for report in reports]


def test_every_page_is_followed_and_every_request_admitted() -> None:
    api = FakePages([page(1, 2, to="?skip=2"), page(3, to="https://here/?skip=3", unreadable=2), page(4, unreadable=1)])
    listing, admitted = reading(api, query={"queryId": "q"})
    assert (numbers(listing.reports), listing.error, listing.requests, listing.unreadable) == ([1, 2, 3, 4], None, 3, 3)
    assert api.calls == [(target, {"queryId": "q"}) for target in (None, "?skip=2", "https://here/?skip=3")]
    assert admitted == [0.0] * 3


def test_a_404_on_the_first_page_means_none() -> None:
    listing, _ = reading(FakePages([NONE]))
    assert (listing.reports, listing.error, listing.requests) == ((), None, 1)


def test_a_404_on_a_later_page_is_an_error() -> None:
    listing, _ = reading(FakePages([page(1, to="?skip=1"), NONE]))
    assert listing.error == "page 2 of the list of reports: HTTP 404: No item found with given filters."
    assert numbers(listing.reports) == [1]


def test_an_empty_page_in_the_middle_does_not_end_the_list() -> None:
    listing, _ = reading(FakePages([page(1, to="a"), page(to="b"), page(2)]))
    assert numbers(listing.reports) == [1, 2]


def test_a_report_listed_twice_counts_once_as_it_was_last() -> None:
    first, last = listed(1, report_status="Active"), listed(1, report_status="Paused")
    listing, _ = reading(FakePages([Page(GOOD, (first, listed(2)), next_link="a"), Page(GOOD, (last,))]))
    assert listing.reports == (last, listed(2))


@pytest.mark.parametrize("links", [["a", "a"], ["a", "b", "a"], ["a", "b", "c", "b"]])
def test_a_list_that_leads_back_to_a_page_read_before_ends_with_an_error(links: list[str]) -> None:
    listing, _ = reading(FakePages([page(number, to=link) for number, link in enumerate(links)]))
    assert listing.error == f"the list of reports runs in a circle: page {len(links)} leads back"
    assert listing.requests == len(links)


def test_a_list_that_never_ends_stops_at_its_budget() -> None:
    class Endless:
        async def read(self, target: str | None, *, query: object) -> Page:
            return page(1, to=f"?skip={int((target or '0').removeprefix('?skip=')) + 1}")

    listing, admitted = reading(Endless(), budget=7)
    assert (listing.error, len(admitted)) == ("the list of reports goes on after 7 requests", 7)


def test_retries_count_against_the_budget() -> None:
    listing, admitted = reading(FakePages([page(1, to="a"), fault(message="Busy")]), budget=2)
    assert (listing.error, len(admitted)) == ("page 2 of the list of reports: HTTP 500: Busy", 2)


@pytest.mark.parametrize(
    "failure",
    [
        fault(),
        fault(Verdict.THROTTLED, 429),
        fault(Verdict.UNREADABLE, 200),
        fault(Verdict.UNANSWERED, None, error="connection closed before the reply"),
    ],
    ids=lambda failure: str(failure.reply.verdict),
)
def test_what_can_heal_is_retried_with_backoff_where_it_stood(failure: Page) -> None:
    api = FakePages([page(1, to="a"), failure, failure, page(2)])
    listing, admitted = reading(api)
    assert (numbers(listing.reports), listing.error, listing.requests) == ([1, 2], None, 4)
    assert admitted == [0.0, 0.0, 1.0, 3.0]
    assert [target for target, _ in api.calls] == [None, "a", "a", "a"]


def test_a_wait_that_was_asked_for_is_kept() -> None:
    listing, admitted = reading(FakePages([fault(Verdict.THROTTLED, 429, retry_after_s=57.0), page(1)]))
    assert (listing.error, listing.halt, admitted) == (None, None, [0.0, 57.0])


@pytest.mark.parametrize("asked_s", [121, 100_000])
def test_a_wait_above_the_cap_is_not_begun(asked_s: int) -> None:
    throttled = fault(Verdict.THROTTLED, 429, retry_after_s=asked_s, message="Slow down.")
    listing, admitted = reading(FakePages([throttled, page(1)]))
    asked = (
        f"the service asks for a wait of {asked_s} s, longer than retry.retry_after_cap_s (120 s). "
        "Try again later, or allow a longer wait."
    )
    assert listing.halt == Halt(HaltReason.THROTTLED_OUT, asked)
    assert listing.error == f"the list of reports: HTTP 429: Slow down; {asked}"
    assert (listing.verdict, listing.reports, admitted) == (Verdict.THROTTLED, (), [0.0])


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (fault(message="Busy"), "HTTP 500: Busy"),
        (fault(Verdict.THROTTLED, 429), "HTTP 429"),
        (fault(Verdict.UNANSWERED, None, error="no reply within 30 s"), "no answer: no reply within 30 s"),
        (Page(Reply(Verdict.FAULT, 200, 503, message="Busy")), "HTTP 200 with StatusCode 503: Busy"),
    ],
)
def test_what_does_not_heal_in_time_ends_with_an_error_that_says_what_it_was(failure: Page, said: str) -> None:
    listing, admitted = reading(FakePages([failure]))
    assert listing.error == f"the list of reports after 3 tries: {said}"
    assert (listing.verdict, listing.reports, admitted) == (failure.reply.verdict, (), [0.0, 1.0, 3.0])


@pytest.mark.parametrize(
    "failure", [fault(Verdict.FORBIDDEN, 403, message="No"), fault(Verdict.REJECTED, 400, message="No")]
)
def test_what_cannot_heal_is_not_retried(failure: Page) -> None:
    listing, admitted = reading(FakePages([failure]))
    assert listing.error == f"the list of reports: HTTP {failure.reply.http_status}: No"
    assert (listing.verdict, admitted) == (failure.reply.verdict, [0.0])


@pytest.mark.parametrize("verdict", [Verdict.UNANSWERED, Verdict.UNAUTHORISED])
@pytest.mark.parametrize("reason", [HaltReason.UNREACHABLE, HaltReason.NOT_AUTHORISED])
def test_a_reply_that_no_other_can_better_ends_it_at_once(verdict: Verdict, reason: HaltReason) -> None:
    halt = Halt(reason, "the proxy refuses. Set another password")
    listing, admitted = reading(FakePages([page(1, to="a"), fault(verdict, None, error=halt.message, halt=halt)]))
    assert listing.error == "page 2 of the list of reports: the proxy refuses. Set another password"
    assert (listing.verdict, listing.halt, admitted) == (verdict, halt, [0.0, 0.0])


def test_a_page_that_was_not_asked_for_costs_no_request() -> None:
    foreign = Page(Reply(Verdict.REJECTED, message="its link leads elsewhere"), sent=0)
    listing, _ = reading(FakePages([page(1, to="https://evil.example/"), foreign]))
    assert (listing.error, listing.requests) == ("page 2 of the list of reports: its link leads elsewhere", 1)


def test_a_refused_token_is_retried_once_and_at_once() -> None:
    refused = fault(Verdict.UNAUTHORISED, 401, message="Unauthorized")
    listing, admitted = reading(FakePages([refused, page(1)]))
    assert (listing.error, admitted) == (None, [0.0, 0.0])
    listing, admitted = reading(FakePages([refused]))
    assert listing.error == "the list of reports after 2 tries: HTTP 401: Unauthorized"
    assert (listing.verdict, admitted) == (Verdict.UNAUTHORISED, [0.0, 0.0])


def test_without_a_token_there_is_no_list() -> None:
    class Locked:
        async def read(self, target: str | None, *, query: object) -> Page:
            raise AuthError("no token")

    with pytest.raises(AuthError, match="no token"):
        reading(Locked())


HAPPENINGS = st.lists(
    st.sampled_from([page(1, to="a"), page(2, to="b"), page(3), NONE, fault(), fault(Verdict.FORBIDDEN, 403)]),
    min_size=1,
    max_size=8,
)


@given(pages=HAPPENINGS, budget=st.integers(1, 9))
def test_a_list_is_whole_only_if_its_last_page_was_read(pages: list[Page], budget: int) -> None:
    api = FakePages(pages)
    listing, admitted = reading(api, budget=budget)
    assert len(api.calls) == len(admitted) == listing.requests <= budget
    last = pages[min(len(api.calls), len(pages)) - 1]
    is_whole = last.next_link is None and (last.reply is GOOD or (last is NONE and api.calls[-1][0] is None))
    assert (listing.error is None) == is_whole
