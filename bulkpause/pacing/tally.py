"""What the service has answered of late, as far as the pace goes: what it let in, and how long it took. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

REMEMBERED: Final = 4096
"""Departures that are remembered: at 60 a second more than a minute, and beyond that the mean over fewer seconds."""

WEIGHT: Final = 1 / 16
"""Of the latest reply in the recent latency."""

DRIFT_PER_S: Final = 0.01
"""How fast the usual latency gives way to one that stays above it, as a share of itself."""

SLOWING: Final = (2.0, 0.05)
SLOW: Final = (3.0, 0.1)
"""How many times the usual latency, and how many seconds more."""


class Tally:
    """The answers that the decisions on the pace are made from, in constant memory."""

    __slots__ = ("_answers", "_departed_s", "_refused_s", "_usual_at_s", "departed", "recent_s", "usual_s")

    def __init__(self) -> None:
        self._departed_s: deque[float] = deque(maxlen=REMEMBERED)
        self._refused_s: deque[float] = deque(maxlen=REMEMBERED)
        self._answers = 0
        self._usual_at_s = 0.0
        self.departed = 0
        """Attempts that have left since the pace last changed."""
        self.recent_s: float | None = None
        """How long replies take of late; None before the first."""
        self.usual_s: float | None = None
        """How long they take when the service is at ease: the least of the former, forgotten slowly."""

    @property
    def is_slowing(self) -> bool:
        """Whether replies take long enough that trying more would be unkind."""
        return self._exceeds(*SLOWING)

    @property
    def is_slow(self) -> bool:
        """Whether they take so long that less must be sent."""
        return self._exceeds(*SLOW)

    def depart(self, now_s: float) -> None:
        """One more attempt leaves."""
        self.departed += 1
        self._departed_s.append(now_s)

    def refuse(self, departed_s: float) -> None:
        """What left then was refused."""
        self._refused_s.append(departed_s)

    def answer(self, *, now_s: float, latency_s: float) -> None:
        """A reply has come, after so long."""
        self._answers += 1
        if self.recent_s is None or self.usual_s is None:
            self.recent_s = self.usual_s = latency_s
        elif self._answers <= 1 / WEIGHT:  # a few replies may all have been lucky
            self.recent_s += (latency_s - self.recent_s) / self._answers
            self.usual_s = self.recent_s
        else:
            self.recent_s += WEIGHT * (latency_s - self.recent_s)
            drifted_s = self.usual_s * (1 + DRIFT_PER_S * (now_s - self._usual_at_s))
            self.usual_s = min(drifted_s, self.recent_s)
        self._usual_at_s = now_s

    def get_used(self) -> None:
        """The pace was cut for that: what is long now may be usual from here on."""
        if self.recent_s is not None and self.usual_s is not None:
            self.usual_s = max(self.usual_s, self.recent_s / 2)

    def let_in_per_s(self, horizon_s: float, *, until_s: float) -> float:
        """What left in the `horizon_s` seconds until then and was not refused, a second.

        What is still in flight counts: its reply would only say later what the service did at the same time.
        """
        since_s = until_s - horizon_s
        if len(self._departed_s) == REMEMBERED and self._departed_s[0] > since_s:
            since_s = self._departed_s[0]
            horizon_s = max(until_s - since_s, 1e-9)
        let_in = _count(self._departed_s, since_s, until_s) - _count(self._refused_s, since_s, until_s)
        return max(0, let_in) / horizon_s

    def _exceeds(self, times: float, more_s: float) -> bool:
        return self.recent_s is not None and self.usual_s is not None and self.recent_s > times * self.usual_s + more_s


def _count(moments: Iterable[float], since_s: float, until_s: float) -> int:
    """Of nearly sorted moments those after `since_s`, and until `until_s`."""
    return sum(since_s < at_s <= until_s for at_s in moments)
