"""What X-RateLimit headers tell of the quota: how much of it is left, and in what period it is granted. Pure.

They name no period. Where it is a window, what is left jumps back up as the window ends, and two ends make a period.
"""

from __future__ import annotations

import math
from typing import Final

from bulkpause.models import Quota

CLOSE: Final = 5.0
"""Departures this many times closer together than a period tell where it ends."""

LIES: Final = 3
"""Answers against what the headers say, after which they are not believed any more."""


SAME: Final = 10
"""So many replies in a row that all say one is left, or none, are no count of anything."""


class QuotaWatch:
    """The quota as replies have told of it, read in the order in which their requests left."""

    __slots__ = ("_departed_s", "_end_s", "_end_width_s", "_lies", "_limit", "_period_s", "_remaining", "_same", "left")

    def __init__(self) -> None:
        self.left = math.inf
        """Requests that may still leave in this period, those in flight being paid for."""
        self._limit = 0
        self._remaining: int | None = None
        self._departed_s = -math.inf
        self._end_s: float | None = None
        """When the latest window ended, at the earliest."""
        self._end_width_s = 0.0
        """How much later that may have been."""
        self._period_s: float | None = None
        self._lies = 0
        self._same = 0

    @property
    def is_known(self) -> bool:
        """Whether replies tell of a quota that is to be believed."""
        return self._remaining is not None and self._lies < LIES

    @property
    def per_s(self) -> float | None:
        """What the quota allows in a second; None while its period is not known."""
        return self._limit / self._period_s if self.is_known and self._period_s else None

    def is_short(self, *, now_s: float) -> bool:
        """Whether nothing may leave now, as far as the replies tell."""
        return self.left < 1 and not self._is_over(departed_s=self._departed_s, now_s=now_s)

    def depart(self) -> None:
        """One request of the quota is used."""
        self.left -= 1

    def observe(self, quota: Quota | None, *, departed_s: float, now_s: float, flying: int) -> None:
        """A reply to what left at `departed_s`; `flying` are on the way and not in its figures."""
        if quota is None or departed_s <= self._departed_s:
            return
        is_over = self._is_over(departed_s=departed_s, now_s=now_s)
        if self._remaining is not None and self._is_renewed(quota, self._remaining):
            self._end_window(earliest_s=self._departed_s, latest_s=departed_s)
        self._same = self._same + 1 if quota.remaining <= 1 and quota.remaining == self._remaining else 0
        if self._same >= SAME:
            self._lies = LIES
        self._limit, self._remaining, self._departed_s = quota.limit, quota.remaining, departed_s
        self.left = quota.remaining - flying if self.is_known and not is_over else math.inf

    def _is_over(self, *, departed_s: float, now_s: float) -> bool:
        """Whether the window that what left at `departed_s` belonged to must have ended."""
        if self._end_s is None or self._period_s is None:
            return False
        next_end_s = self._end_s + self._period_s
        return departed_s < next_end_s + self._end_width_s and now_s >= next_end_s

    def refused(self) -> None:
        """A request was refused although, by the headers, it should not have been."""
        if self.left >= 1:
            self._lies += 1
        if not self.is_known:
            self.left = math.inf

    def let_in(self) -> None:
        """A request was let in although nothing was left, and still nothing is said to be."""
        self._lies += 1
        if not self.is_known:
            self.left = math.inf

    @staticmethod
    def _is_renewed(quota: Quota, remaining: int) -> bool:
        """Whether at least half of what was used has come back at once, which a refill drop by drop never does."""
        return quota.remaining - remaining >= max(2, (quota.limit - remaining) / 2)

    def _end_window(self, *, earliest_s: float, latest_s: float) -> None:
        width_s, period_s = latest_s - earliest_s, self._period_s
        if self._end_s is not None and CLOSE * width_s <= latest_s - self._end_s:
            period_s = min(latest_s - self._end_s, math.inf if period_s is None else period_s)
        is_close = period_s is None or CLOSE * width_s <= period_s
        self._period_s, self._end_s, self._end_width_s = period_s, earliest_s if is_close else None, width_s
