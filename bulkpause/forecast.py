"""How much longer a run takes, and whether that fits: reports left over the learned rate and retry share. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

SHORTEST_SPAN_S: Final = 10.0
"""The rate is learned over the later half of the run so far, but not over less than this."""

MOST_MARKS: Final = 256
"""Marks kept of the past; of more, every other one is forgotten."""


PRESUMED: Final = 10
"""Reports of one attempt each that are taken as seen before a run: the luck of its first ones counts for less."""


class Fit(StrEnum):
    """Whether the reports that are left fit into the time that is left."""

    FITS = "fits"
    FITS_FASTER = "fits_faster"
    """At a higher rate than the one learned, which the settings allow."""
    DOES_NOT_FIT = "does_not_fit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is left of a run at one moment, at the pace it has had."""

    left: int
    """Reports without an outcome."""
    attempts_per_s: float
    attempts_per_report: float = 1.0
    """The retry share, and below one where reports need no request."""
    held_s: float = 0.0
    """How long nobody may send anything."""
    most_per_s: float
    """Attempts a second that the settings allow."""
    time_left_s: float | None = None
    """Seconds in which reports may still be begun; None without a limit."""

    @property
    def left_s(self) -> float:
        """Seconds that the reports left take; infinite while nothing moves."""
        if not self.left:
            return 0.0
        attempts = self.left * self.attempts_per_report
        return self.held_s + (attempts / self.attempts_per_s if self.attempts_per_s > 0 else math.inf)

    @property
    def reports_per_s(self) -> float:
        """Outcomes a second."""
        return self.attempts_per_s / self.attempts_per_report if self.attempts_per_report > 0 else 0.0

    @property
    def needed_per_s(self) -> float | None:
        """Attempts a second with which they would just fit; None without a limit, infinite if nothing would help."""
        if self.time_left_s is None:
            return None
        attempts, sending_s = self.left * self.attempts_per_report, self.time_left_s - self.held_s
        return attempts / sending_s if sending_s > 0 else math.inf if attempts else 0.0

    @property
    def fit(self) -> Fit | None:
        """The verdict; None without a limit."""
        if self.time_left_s is None or self.needed_per_s is None:
            return None
        if self.left_s <= self.time_left_s:
            return Fit.FITS
        return Fit.FITS_FASTER if self.needed_per_s <= self.most_per_s else Fit.DOES_NOT_FIT

    def to_dict(self) -> dict[str, Any]:
        """JSON form; null for what is not known, or would be infinite."""
        return {
            "left": self.left,
            "left_s": _finite(self.left_s),
            "attempts_per_s": _finite(self.attempts_per_s),
            "attempts_per_report": _finite(self.attempts_per_report),
            "time_left_s": _finite(self.time_left_s),
            "fit": None if self.fit is None else self.fit.value,
            "needed_per_s": _finite(self.needed_per_s),
        }


def said_fit(forecast: Forecast) -> str | None:
    """The verdict in words: `fits`, `fits at 14/s`, `does not fit`; None without a limit."""
    match forecast.fit:
        case Fit.FITS_FASTER:
            return f"fits at {said_rate(forecast.needed_per_s or 0.0)}"
        case None:
            return None
        case fit:
            return fit.value.replace("_", " ")


def said_rate(per_s: float) -> str:
    """A rate in round figures, rounded up, as `--rate` takes it: `14/s`, `0.4/s`, `9/min`."""
    for unit, seconds in (("s", 1), ("min", 60)):
        if per_s * seconds >= 1:
            tenths = math.ceil(per_s * seconds * 10)
            return f"{math.ceil(tenths / 10) if tenths > 100 else tenths / 10:g}/{unit}"  # noqa: PLR2004 - ten
    return f"{math.ceil(per_s * 3600):g}/h"


class _Mark(NamedTuple):
    at_s: float
    left: int
    """Attempts that had left by then."""


class Course:
    """What is learned from the counts of a run as it goes. One owner; `now_s` is monotonic.

    The rate is that of the attempts that left in the later half of the run, so that no slow start stays in it; the
    attempts per report are those of the whole run, where luck counts least.
    """

    def __init__(self, now_s: float) -> None:
        self._marks = [_Mark(now_s, 0)]
        self._done = self._answered = 0

    def update(self, now_s: float, *, done: int, answered: int, in_flight: int) -> None:
        """So many reports have ended, so many attempts were answered, and so many are waiting for that."""
        if not self._marks[-1].left:
            self._marks, self._began_s = [], now_s  # what comes before the first attempt says nothing of the rate
        self._done, self._answered = done, answered
        self._marks.append(_Mark(now_s, answered + in_flight))
        begin_s = now_s - max(SHORTEST_SPAN_S, (now_s - self._began_s) / 2)
        first = next(place for place, mark in enumerate(self._marks) if mark.at_s >= begin_s or mark is self._marks[-1])
        del self._marks[: max(0, min(first - 1, len(self._marks) - 2))]
        if len(self._marks) > MOST_MARKS:
            del self._marks[1:-1:2]

    @property
    def attempts_per_s(self) -> float:
        """Attempts that left a second, lately."""
        first, last = self._marks[0], self._marks[-1]
        return (last.left - first.left) / (last.at_s - first.at_s) if last.at_s > first.at_s else 0.0

    @property
    def attempts_per_report(self) -> float:
        """Attempts that were answered for each report that has ended; one at first."""
        return (self._answered + PRESUMED) / (self._done + PRESUMED)


def _finite(number: float | None) -> float | None:
    return round(number, 3) if number is not None and math.isfinite(number) else None
