"""Guards: how many bad outcomes an operator puts up with, and whether there are more by now. Pure.

A guard counts the reports that have ended in this part of the run after a request: what needed none, was never sent or
is no report id counts neither for nor against. What a continuation tries again and finds as it was counts only among
the last so many: it is no news, but so many of it in a row are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bulkpause.models import Outcome, Status

FORMS: Final = "failed>5, failed>2%, failed>10% of last 200, denied>3 of first 4, consecutive>20, 403>3"

ENOUGH: Final = 20
"""A percentage of all is not judged before so many have ended: one failure of one is not a hundred per cent."""

MOST_SPAN: Final = 100_000
"""The most reports that a guard looks back on."""

FAILED: Final = "failed"
"""Every outcome that is not good."""
CONSECUTIVE: Final = "consecutive"
"""The same, in a row: a good outcome begins anew."""
UNANSWERED: Final = "none"
"""Outcomes without a status code."""

_STATUSES: Final = (Status.NOT_FOUND, Status.DENIED, Status.REJECTED, Status.EXHAUSTED, Status.UNKNOWN)
_WORDS: Final = (FAILED, CONSECUTIVE, *(status.value for status in _STATUSES), UNANSWERED)
_LIMIT: Final = re.compile(r"(?P<most>\d{1,9}(\.\d{1,9})?)\s*(?P<percent>%)?\s*(?P<span>\S.*)?", re.ASCII)
_SPAN: Final = re.compile(r"of\s+(the\s+)?(?P<side>first|last)\s+(?P<span>\d{1,9})", re.ASCII)


class Side(StrEnum):
    """Which end of what has ended a span is counted from."""

    FIRST = "first"
    LAST = "last"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """More than `most` (per cent) of `what`, among the first or the last `span`, and the run halts."""

    what: str
    """`failed`, `consecutive`, `none`, a status or a status code."""
    most: float
    is_percent: bool = False
    side: Side | None = None
    span: int = 0

    def __str__(self) -> str:
        of = f" of {self.side} {self.span}" if self.side is not None else ""
        return f"{self.what}>{self.limit}{of}"

    @property
    def limit(self) -> str:
        """What is allowed, as it is typed."""
        number = f"{self.most:.9f}".rstrip("0").rstrip(".")
        return f"{number}%" if self.is_percent else number

    def counts(self, outcome: Outcome) -> bool:
        """Whether the outcome is one of those it counts."""
        match self.what:
            case "failed" | "consecutive":
                return not outcome.status.is_good
            case "none":
                return outcome.status_code is None and not outcome.status.is_good
            case code if code.isdecimal():
                return outcome.status_code == int(code)
            case word:
                return outcome.status.value == word


def parse_guard(text: str) -> Guard:
    """A guard from one of FORMS, blanks as you like; ValueError says which part is not understood, and the forms."""
    try:
        return _parse(text)
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}; write {FORMS}") from None


def _parse(text: str) -> Guard:
    before, sign, after = text.partition(">")
    if not sign:
        raise ValueError("there is no > in it")
    what = before.strip().lower()
    if what not in _WORDS and not re.fullmatch(r"[1-9]\d{2,5}", what, re.ASCII):
        raise ValueError(f"{what!r} is no status code and none of {', '.join(_WORDS)}")
    limit = _LIMIT.fullmatch(after.strip().lower())
    if limit is None:
        raise ValueError(f"{after.strip()!r} is no number or percentage")
    side, span = _parse_span(limit["span"])
    guard = Guard(what=what, most=float(limit["most"]), is_percent=limit["percent"] is not None, side=side, span=span)
    _check(guard)
    return guard


def _parse_span(text: str | None) -> tuple[Side | None, int]:
    if text is None:
        return None, 0
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is neither 'of last N' nor 'of first N'")
    span = int(found["span"])
    if not 1 <= span <= MOST_SPAN:
        raise ValueError(f"{span} is not between 1 and {MOST_SPAN}")
    return Side(found["side"]), span


def _check(guard: Guard) -> None:
    """ValueError for what is no whole number, or can never happen."""
    if guard.what == CONSECUTIVE and (guard.is_percent or guard.side is not None):
        raise ValueError("consecutive takes a number alone")
    if guard.is_percent:
        if guard.most >= 100:  # noqa: PLR2004 - per cent
            raise ValueError(f"there is never more than {guard.limit}")
    elif guard.most != int(guard.most):
        raise ValueError(f"{guard.limit} is no whole number")
    elif guard.side is not None and guard.most >= guard.span:
        raise ValueError(f"there are never more than {guard.limit} of {guard.span}")


class Guards:
    """Counts outcomes as they come, in constant time each, and says which guard has had enough."""

    def __init__(self, guards: Sequence[Guard]) -> None:
        self._tallies = [_Tally(guard) for guard in guards]

    def add(self, outcome: Outcome, *, is_news: bool = True) -> str | None:
        """Count one more. The first guard it is too much for, in words; None if there is none.

        `is_news`: whether the report had not ended just so in an earlier part of the run.
        """
        if not outcome.tries or outcome.status in {Status.SKIPPED, Status.INVALID}:
            return None
        concerned = [tally for tally in self._tallies if is_news or tally.guard.side is Side.LAST]
        exceeded = [tally for tally in concerned if tally.add(tally.guard.counts(outcome))]
        return exceeded[0].words() if exceeded else None


class _Tally:
    """What one guard has counted."""

    __slots__ = ("_count", "_ended", "_ring", "guard")

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._ended = 0
        self._count = 0
        self._ring = bytearray(guard.span if guard.side is Side.LAST else 0)
        """Of the last ones, which were counted."""

    def add(self, is_counted: bool) -> bool:  # noqa: FBT001 - it is what is added
        """Count one more report that has ended; whether there are too many now."""
        guard = self.guard
        if guard.side is Side.FIRST and self._ended >= guard.span:
            return False
        if guard.side is Side.LAST:
            place = self._ended % guard.span
            self._count -= self._ring[place]
            self._ring[place] = is_counted
        elif guard.what == CONSECUTIVE and not is_counted:
            self._count = 0
        self._ended += 1
        self._count += is_counted
        return is_counted and self._is_exceeded()

    def _is_exceeded(self) -> bool:
        """Of a span it is certain, and said, before the span is full."""
        guard = self.guard
        if not guard.is_percent:
            return self._count > guard.most
        if guard.side is None:
            return self._ended >= ENOUGH and self._count * 100 > guard.most * self._ended
        return self._count * 100 > guard.most * guard.span

    def words(self) -> str:
        """What there is, and what was allowed."""
        guard = self.guard
        of = ""
        if guard.side is not None:
            of = f" of the {guard.side} {min(self._ended, guard.span):,}"
        elif guard.is_percent:
            of = f" of {self._ended:,}"
        match guard.what:
            case "failed":
                how = "failed"
            case "consecutive":
                how = "in a row failed"
            case "none":
                how = "ended without an answer"
            case code if code.isdecimal():
                how = f"ended with {code}"
            case word:
                how = f"ended {word}"
        return f"{self._count:,}{of} {how}, more than the {guard.limit} that the guard '{guard}' allows"
