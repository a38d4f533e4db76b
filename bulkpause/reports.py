"""Reads what the tenant has: the list of its reports, page by page, whole or with the reason why not."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from bulkpause.clock import Clock
from bulkpause.models import Attempt, Halt, Page, Reply, Report, ReportId, Verdict
from bulkpause.replies.pages import NO_QUERY
from bulkpause.retry import RetryPolicy, Stop, decide

BUDGET: Final = 1000
"""Requests that reading a list may take, retries included."""


_UNUSABLE: Final = Verdict.UNREADABLE
"""The verdict on pages that can each be read, and yet make no list."""


class PageApi(Protocol):
    """One exchange with the far side about its list of reports."""

    async def read(self, target: str | None, *, query: Mapping[str, str]) -> Page:
        """The first page that passes `query`, or the one at the nextLink `target`. Failures of the far side are a Page.

        Raises AuthError if there is no token.
        """


@dataclass(slots=True)
class FakePages:
    """A PageApi that answers with `pages` in turn, and with the last of them from then on."""

    pages: Sequence[Page]
    calls: list[tuple[str | None, Mapping[str, str]]] = field(default_factory=list)
    """(target, query) of each call in order."""

    async def read(self, target: str | None, *, query: Mapping[str, str]) -> Page:
        """Answer as told."""
        self.calls.append((target, query))
        return self.pages[min(len(self.calls), len(self.pages)) - 1]


@dataclass(frozen=True, slots=True)
class Listing:
    """What was read of the tenant's reports."""

    reports: Sequence[Report]
    """Every report once. If there is an `error` these are some of them only, and must not be mistaken for all."""
    error: str | None
    """Why the list could not be read to its end, in one line; None when everything was read."""
    requests: int
    """How many requests left for it, retries included."""
    unreadable: int
    """Items that name no report."""
    verdict: Verdict = Verdict.CONFIRMED
    """What the last reply meant: for an exit code, where there is an `error`."""
    halt: Halt | None = None
    """Why nothing more may be sent, if `observe` said so or a reply did."""


async def read_reports(
    api: PageApi,
    *,
    admit: Callable[[], Awaitable[None]],
    observe: Callable[[Attempt], Halt | None] = lambda _attempt: None,
    policy: RetryPolicy,
    clock: Clock,
    rng: random.Random,
    query: Mapping[str, str] = NO_QUERY,
    budget: int = BUDGET,
) -> Listing:
    """The tenant's reports that pass `query`, in the order of the list; one that is listed twice counts as the last.

    Follows every nextLink. Each request passes `admit` first, and `observe` hears of each that fails; a Halt from it,
    or in the reply, ends the reading. What can heal is retried page for page, by the rules that reports are retried by.
    A failure, a link that was followed before, or a list that needs more than `budget` requests ends it with an error.
    Raises AuthError if no token is to be had.
    """
    reader = _Reader(api, admit, observe, policy, clock, rng, query, budget)
    found: dict[ReportId, Report] = {}
    followed: set[str] = set()
    target: str | None = None
    unreadable = 0
    while True:
        page, error = await reader.read(target)
        verdict, target = page.reply.verdict, page.next_link
        if error is None:
            found |= {report.report_id: report for report in page.reports}
            unreadable += page.unreadable
            if target in followed:
                error, verdict = f"the list of reports runs in a circle: page {reader.pages} leads back", _UNUSABLE
            elif target is not None and reader.is_spent():
                error, verdict = f"the list of reports goes on after {budget:,} requests", _UNUSABLE
        if error is not None or target is None:
            return Listing(tuple(found.values()), error, reader.requests, unreadable, verdict, reader.halt)
        followed.add(target)


@dataclass(slots=True)
class _Reader:
    """One reading of a list, and what it has cost so far."""

    api: PageApi
    admit: Callable[[], Awaitable[None]]
    observe: Callable[[Attempt], Halt | None]
    policy: RetryPolicy
    clock: Clock
    rng: random.Random
    query: Mapping[str, str]
    budget: int
    pages: int = 0
    tries: int = 0
    requests: int = 0
    halt: Halt | None = None

    def is_spent(self) -> bool:
        """Whether the budget allows no further request."""
        return self.tries >= self.budget

    async def read(self, target: str | None) -> tuple[Page, str | None]:
        """The next page, tried until it is had, and None; or the last failure and the error it comes to."""
        self.pages += 1
        attempts: list[Attempt] = []
        started_s = self.clock.monotonic_s()
        while True:
            await self.admit()
            page = await self.api.read(target, query=self.query)
            self.tries += 1
            self.requests += page.sent
            verdict = page.reply.verdict
            if verdict is Verdict.CONFIRMED or (verdict is Verdict.NOT_FOUND and target is None):
                return page, None
            attempts.append(Attempt(len(attempts) + 1, "", "", page.sent, 0.0, page.reply))
            asked = self.observe(attempts[-1])
            if page.reply.halt is not None:
                self.halt = page.reply.halt
                return page, f"{self._page()}: {self.halt.message}"
            if asked is not None:
                self.halt = asked
                return page, f"{self._failure(attempts).rstrip('.')}; {asked.message}"
            elapsed_s = self.clock.monotonic_s() - started_s
            step = decide(self.policy, attempts, elapsed_s=elapsed_s, rng=self.rng)
            # Unlike a report's, a page's tries are all its tries: the run could do without, and waits no longer for it.
            if isinstance(step, Stop) or self.is_spent() or len(attempts) >= self.policy.max_tries:
                return page, self._failure(attempts)
            await self.clock.sleep(step.delay_s)

    def _page(self) -> str:
        return "the list of reports" if self.pages == 1 else f"page {self.pages} of the list of reports"

    def _failure(self, attempts: Sequence[Attempt]) -> str:
        """What the last of the attempts at a page came to, in one line."""
        reply = attempts[-1].reply
        tries = f" after {len(attempts)} tries" if len(attempts) > 1 else ""
        return ": ".join(filter(None, (f"{self._page()}{tries}", _http(reply), reply.message or reply.error)))


def _http(reply: Reply) -> str:
    """The code or codes that a reply came with."""
    if reply.http_status is None:
        return "no answer" if reply.verdict is Verdict.UNANSWERED else ""
    if reply.status_code in (None, reply.http_status):
        return f"HTTP {reply.http_status}"
    return f"HTTP {reply.http_status} with StatusCode {reply.status_code}"
