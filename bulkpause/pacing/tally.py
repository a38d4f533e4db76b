"""What the service has answered of late, as far as the pace goes: when it accepted, and how long it took. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

REMEMBERED: Final = 4096
"""Acceptances that are remembered: at 60 a second more than a minute, and beyond that the mean over fewer seconds."""

WEIGHT: Final = 1 / 16
"""Of the latest reply in the recent latency."""

DRIFT_PER_S: Final = 0.01
"""How fast the usual latency gives way to one that stays above it, as a share of itself."""


class Tally:
    """The answers that the decisions on the pace are made from, in constant memory."""

    __slots__ = ("_accepted_s", "_usual_at_s", "departed", "recent_s", "usual_s")

    def __init__(self) -> None:
        self._accepted_s: deque[float] = deque(maxlen=REMEMBERED)
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
        return self._exceeds(2.0, 0.05)

    @property
    def is_slow(self) -> bool:
        """Whether they take so long that less must be sent."""
        return self._exceeds(3.0, 0.1)

    def _exceeds(self, times: float, more_s: float) -> bool:
        return self.recent_s is not None and self.usual_s is not None and self.recent_s > times * self.usual_s + more_s

    def get_used(self) -> None:
        """The pace was cut for that: what is long now may be usual from here on."""
        if self.recent_s is not None and self.usual_s is not None:
            self.usual_s = max(self.usual_s, self.recent_s / 2)

    def depart(self) -> None:
        """One more attempt leaves."""
        self.departed += 1

    def accept(self, *, now_s: float, latency_s: float | None) -> None:
        """The service let a request in; `latency_s` is how long it took, None if that says nothing of its ease."""
        self._accepted_s.append(now_s)
        if latency_s is None:
            return
        if self.recent_s is None or self.usual_s is None:
            self.recent_s = self.usual_s = latency_s
        else:
            self.recent_s += WEIGHT * (latency_s - self.recent_s)
            drifted_s = self.usual_s * (1 + DRIFT_PER_S * (now_s - self._usual_at_s))
            self.usual_s = min(drifted_s, self.recent_s)
        self._usual_at_s = now_s

    def accepted_per_s(self, horizon_s: float, *, now_s: float) -> float:
        """Acceptances per second over the last `horizon_s` seconds, or over as many of them as are remembered."""
        since_s = now_s - horizon_s
        if len(self._accepted_s) == REMEMBERED and self._accepted_s[0] > since_s:
            return REMEMBERED / max(now_s - self._accepted_s[0], 1e-9)
        count = 0
        for at_s in reversed(self._accepted_s):
            if at_s <= since_s:
                break
            count += at_s <= now_s
        return count / horizon_s
