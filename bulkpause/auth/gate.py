"""The gate that waits for a token, and halts a run whose fresh tokens are refused as well."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import assert_never

from bulkpause.auth.tokens import Tokens
from bulkpause.models import Attempt, Halt, HaltReason, ReportId, Verdict

REFUSED_REPORTS = 3
"""A report may answer 401 for reasons of its own; so many different ones in a row do not."""


@dataclass(slots=True)
class Refusals:
    """Which reports were refused, and refused again with a fresh token, since a token was last accepted."""

    refused: set[ReportId] = field(default_factory=set)
    refused_again: set[ReportId] = field(default_factory=set)
    ever_accepted: bool = False

    def add(self, report_id: ReportId, verdict: Verdict) -> None:
        """Count one attempt. Only a word from the API about the report proves that it took the token."""
        match verdict:
            case Verdict.UNAUTHORISED:
                (self.refused_again if report_id in self.refused else self.refused).add(report_id)
            case Verdict.CONFIRMED | Verdict.NOT_FOUND | Verdict.FORBIDDEN | Verdict.REJECTED | Verdict.CONTRADICTED:
                self.ever_accepted = True
                self.refused.clear()
                self.refused_again.clear()
            case Verdict.THROTTLED | Verdict.FAULT | Verdict.UNREADABLE | Verdict.UNANSWERED:
                pass  # a gateway may say so without a look at the token
            case _:
                assert_never(verdict)


class TokenGate:
    """Admits while a token is at hand, and ends the run after a handful of refusals instead of thousands.

    While every token so far was refused, one attempt at a time asks whether the next one is taken. `advice` is what
    to do about refused tokens of this way of signing in.
    """

    def __init__(self, tokens: Tokens, *, advice: str = "") -> None:
        self.tokens = tokens
        self._advice = advice
        self._refusals = Refusals()
        self._words = ""
        self._flying = 0
        self._landed = asyncio.Event()

    async def admit(self) -> None:
        """Wait for a token, and for one's turn to try it. Raises AuthError if none is to be had."""
        while self._is_asking():
            self._landed.clear()
            await self._landed.wait()
        await self.tokens.token()

    def is_open(self) -> bool:
        """Whether a token is still at hand and not due for renewal, and nobody else is trying it."""
        return self.tokens.ready() and not self._is_asking()

    def depart(self) -> None:
        """One more is in flight; its token is taken when the request is made."""
        self._flying += 1

    def observe(self, report_id: ReportId, attempt: Attempt) -> Halt | None:
        """Halt when several reports in a row refuse a fresh token too; at the start, when so many with one each do."""
        self._flying -= 1
        self._landed.set()
        self._refusals.add(report_id, attempt.reply.verdict)
        if attempt.reply.verdict is Verdict.UNAUTHORISED:
            self._words = attempt.reply.message or self._words
        return self._halt() if self._is_hopeless() else None

    def _is_asking(self) -> bool:
        """Whether an attempt is under way that will tell if any token is taken at all."""
        return self._flying > 0 and bool(self._refusals.refused) and not self._refusals.ever_accepted

    def _is_hopeless(self) -> bool:
        known = self._refusals
        if len(known.refused_again) >= REFUSED_REPORTS:
            return True
        return not known.ever_accepted and min(len(known.refused), self.tokens.refused) >= REFUSED_REPORTS

    def final(self) -> Halt | None:
        """Judge a run at its end: one too short to halt, in which no token was ever accepted, was not authorised."""
        return self._halt() if self._refusals.refused and not self._refusals.ever_accepted else None

    def _halt(self) -> Halt:
        said = f" ({self._words})" if self._words else ""
        return Halt(
            HaltReason.NOT_AUTHORISED,
            f"the API refuses fresh tokens too{said}; check the tenant and the app, that the app is registered "
            "in Partner Center with a role for Insights reports, and whether MFA is required (900421)"
            f"{'. ' if self._advice else ''}{self._advice}",
        )
