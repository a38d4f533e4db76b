"""When to leave a failing service alone, and when to ask it again. Pure: time is passed in.

https://learn.microsoft.com/en-us/azure/architecture/patterns/circuit-breaker
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

from bulkpause.models import Verdict

WEIGHT: Final = 1 / 32
"""Of the latest answer in the share that fails."""

CHANCE: Final = 0.0005
"""How rarely chance alone may open the breaker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """How soon the breaker opens, and how long it asks in vain."""

    failures: int = 6
    """So many answers in a row open it, or as many more as would not be chance at the share that failed before,"""
    most_failures: int = 30
    least_s: float = 0.1
    """if they took this long from the first one's departure: a moment of bad luck at a high rate is no outage."""
    first_wait_s: float = 1.0
    longest_wait_s: float = 15.0
    give_up_after_s: float = 300.0
    """The run ends when nothing has succeeded for so long."""


class Breaker(NamedTuple):
    """Closed while the service works; open, with one attempt at a time to ask, while it does not."""

    share: float = 0.0
    """Which part of the latest answers failed, before those in a row."""
    failures: int = 0
    """In a row."""
    bad_since_s: float | None = None
    """When the first attempt left that failed or was refused since the latest success."""
    opened_s: float | None = None
    """None while it is closed."""
    wait_s: float = 0.0
    """Between the latest answer and the next attempt that may ask."""
    due_s: float = 0.0
    """When the next attempt may ask."""
    asked: int = 0

    @property
    def is_closed(self) -> bool:
        """Whether everything may pass."""
        return self.opened_s is None


def is_failure(verdict: Verdict) -> bool:
    """Whether it speaks of a service in trouble; a refusal for haste does not, nor does one about the report."""
    return verdict in (Verdict.FAULT, Verdict.UNANSWERED, Verdict.UNREADABLE)


def after_success(breaker: Breaker, *, departed_s: float) -> Breaker:
    """What left at `departed_s` has succeeded: the service works, unless that was before it broke."""
    if breaker.opened_s is not None and departed_s < breaker.opened_s:
        return breaker
    return Breaker(_share(breaker.share, breaker.failures) * (1 - WEIGHT))


def after_failure(policy: BreakerPolicy, breaker: Breaker, *, departed_s: float, now_s: float) -> Breaker:
    """What left at `departed_s` has failed: open if that is one too many, or wait longer before the next one asks."""
    bad_since_s = departed_s if breaker.bad_since_s is None else breaker.bad_since_s
    failures = breaker.failures + 1
    if breaker.opened_s is None:
        if failures < _needed(policy, breaker.share) or now_s - bad_since_s < policy.least_s:
            return breaker._replace(failures=failures, bad_since_s=bad_since_s)
        wait_s, opened_s, asked = policy.first_wait_s, now_s, 0
    elif departed_s < breaker.opened_s:
        return breaker._replace(failures=failures)
    else:
        wait_s, opened_s, asked = 2 * breaker.wait_s, breaker.opened_s, breaker.asked + 1
    wait_s = min(wait_s, policy.longest_wait_s)
    due_s = max(now_s, min(now_s + wait_s, bad_since_s + policy.give_up_after_s))  # the last one asks when time is up
    return Breaker(breaker.share, failures, bad_since_s, opened_s, wait_s, due_s, asked)


def is_hopeless(policy: BreakerPolicy, breaker: Breaker, *, now_s: float) -> bool:
    """Whether nothing has succeeded for so long that the run should end."""
    return breaker.bad_since_s is not None and now_s - breaker.bad_since_s >= policy.give_up_after_s


def _share(share: float, failures: int) -> float:
    """The share after so many failures more."""
    return 1 - (1 - share) * (1 - WEIGHT) ** failures


def _needed(policy: BreakerPolicy, share: float) -> int:
    """Failures in a row that come by chance less than once in so many answers, if that share fails."""
    if share <= 0:
        return policy.failures
    by_chance = math.ceil(math.log(CHANCE) / math.log(share)) if share < 1 else policy.most_failures
    return max(policy.failures, min(policy.most_failures, by_chance))
