"""What a rate rests on: the limit that was found, and the refusals that are going on. Values only."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from bulkpause.pacing.policy import PacePolicy

NEVER_S: Final = float("-inf")


class Reason(StrEnum):
    """Why the rate is as it is."""

    STARTED = "started"
    CONTENT = "content"
    """The service took all that was sent, and more is tried."""
    REFUSED = "refused"
    SHORT = "short"
    """The replies say that next to nothing is left of the quota."""
    QUOTA = "quota"
    """They say how much it is."""
    MEASURED = "measured"
    """It accepts again, and this is what it was seen to accept, less a little."""
    SLOW = "slow"
    """It takes several times longer than usual to answer."""
    REOPENED = "reopened"
    """Nothing has left for a while: begin gently, and climb back."""


class Limit(NamedTuple):
    """What the service was seen to allow."""

    per_s: float
    unit_s: float
    """The seconds it is measured over: one, or as long as the service's own period."""
    rest_units: float
    """How long to stay below it before more is tried."""
    first_step: float
    """By which part of it the first try goes up."""
    is_sure: bool = False
    """Whether two measurements agree on it."""


class Refusals(NamedTuple):
    """Refusals that go on: the service has accepted nothing since."""

    since_s: float
    at_per_s: float
    """The rate at which they began."""
    known: Limit | None
    """The limit that was known before."""
    was_probing: bool
    """Whether more than that was being tried."""
    beat_s: float
    """How long it was left alone before it is asked again."""
    asked: int = 0
    """How often it was asked again in vain."""


class Pace(NamedTuple):
    """A rate, and what it rests on."""

    per_s: float
    reason: Reason
    since_s: float
    open_since_s: float
    """Since when the service has accepted what was sent."""
    limit: Limit | None = None
    """None until one was met."""
    refusals: Refusals | None = None
    cut_s: float = NEVER_S
    """When the rate was last cut: what left before says nothing new."""
    resume_s: float = NEVER_S
    """Nobody leaves before."""
    hasty: int = 0
    """How many times in a row it was refused before a whole unit had passed."""
    step: float = 0.0
    """By which part of the limit the next try goes up; 0 while resting."""
    goal_per_s: float | None = None
    """Where a reopened rate climbs back to."""
    peak_per_s: float = 0.0
    """The highest limit that was measured twice."""


def started(policy: PacePolicy, *, now_s: float) -> Pace:
    """The pace that a run begins with."""
    return Pace(min(policy.start_per_s, policy.ceiling_per_s), Reason.STARTED, now_s, now_s)
