"""What retries may cost a run altogether, so that a failing service is not sent its trouble twice over. Pure.

https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter: retries draw on a token bucket.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bulkpause.models import Status, Verdict

AT_FIRST: Final = 10.0
"""Tokens that a run begins with, so that a small one may retry, too."""

MOST: Final = 500.0

PER_REPORT: Final = 0.2
"""Tokens that each report brings: a service that fails everything sees a fifth more than one request per report."""

PER_SUCCESS: Final = 1.0

PRICES: Final[Mapping[Verdict, float]] = {Verdict.FAULT: 1.0, Verdict.UNREADABLE: 1.0, Verdict.UNANSWERED: 2.0}
"""What a retry costs by what it follows: a timeout has cost the service more than an error. A 429 is paid for by the
pace and the hold, a 401 by the fresh token."""


class RetryBudget:
    """Tokens for retries. One owner."""

    __slots__ = ("is_spent", "retries", "tokens")

    def __init__(self) -> None:
        self.tokens = AT_FIRST
        self.retries = 0
        """How many were paid for."""
        self.is_spent = False
        """Whether one could not be had, and no report has succeeded since."""

    def note(self, number: int, status: Status | None) -> None:
        """A report's attempt has been answered: its `number`-th, which may have ended the report."""
        if number == 1:
            self.tokens = min(MOST, self.tokens + PER_REPORT)
        if status is Status.SUCCEEDED:
            self.is_spent = False
            self.tokens = min(MOST, self.tokens + PER_SUCCESS)

    def draw(self, verdict: Verdict) -> bool:
        """Whether a retry after `verdict` may be had; it is paid for then."""
        price = PRICES.get(verdict, 0.0)
        if price > self.tokens:
            self.is_spent = True
            return False
        self.tokens -= price
        self.retries += price > 0
        return True
