"""What is kept of the reports that have ended, in bounded memory: the latest, and a fair sample of those before."""

from __future__ import annotations

import random
from collections import deque
from datetime import datetime
from typing import Final, NamedTuple

from bulkpause.models import Outcome, ReportId
from bulkpause.summary import without_varying

LATEST: Final = 3000
EARLIER: Final = 1000
"""How many are kept of the latest, and of all before them."""

RENEWALS: Final = 200
"""How many renewals of the token."""


class Symptom(NamedTuple):
    """One report that has ended after a request. Times are in seconds since 1970."""

    left_s: float
    """When its last attempt left."""
    ended_s: float
    row: int
    report_id: str
    before: str | None
    """Its report_status before the run."""
    failure: tuple[str, str] | None = None
    """How it failed, as the code and the words without what varies; None if it did not."""
    words: str = ""
    """What the service said, or what went wrong on the wire."""


class Symptoms:
    """The accumulator, told what ends and when the token is renewed. `rng` chooses which of the earlier ones stay."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._latest: deque[Symptom] = deque()
        self._earlier: list[Symptom] = []
        self._passed_on = 0
        """How many are not among the latest any more."""
        self.renewals_s: deque[float] = deque(maxlen=RENEWALS)
        """When a token took the place of another."""

    @property
    def is_whole(self) -> bool:
        """Whether all that ended is kept."""
        return self._passed_on == len(self._earlier)

    def kept(self) -> list[Symptom]:
        """What is kept, in the order in which it ended."""
        return [*sorted(self._earlier, key=lambda one: one.ended_s), *self._latest]

    def add(self, outcome: Outcome, *, words: str, now: datetime) -> None:
        """A report has ended now; `words` are what was said of its failure, without secrets."""
        ended_s = now.timestamp()
        symptom = Symptom(
            ended_s - (outcome.attempt_ms or 0.0) / 1000,
            ended_s,
            outcome.row,
            outcome.report_id or ReportId(""),
            outcome.before,
            None if outcome.status.is_good else (_code(outcome), without_varying(words)),
            words,
        )
        self._latest.append(symptom)
        if len(self._latest) > LATEST:
            self._pass_on(self._latest.popleft())

    def renewed(self, now: datetime) -> None:
        """A token has taken the place of another."""
        self.renewals_s.append(now.timestamp())

    def _pass_on(self, symptom: Symptom) -> None:
        """Keep it with the same chance as every other one before the latest (Vitter's algorithm R)."""
        self._passed_on += 1
        if len(self._earlier) < EARLIER:
            self._earlier.append(symptom)
        elif (place := self._rng.randrange(self._passed_on)) < EARLIER:
            self._earlier[place] = symptom


def _code(outcome: Outcome) -> str:
    """What stands for the way it failed: a code below 300 says nothing of that."""
    if outcome.status_code is None:
        return "unanswered"
    contradicts = outcome.status_code < 300  # noqa: PLR2004 - the HTTP class of success
    return f"{outcome.status.value} ({outcome.status_code})" if contradicts else str(outcome.status_code)
