"""How boldly a rate is sought: every constant of the search, with what it trades."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PacePolicy:
    """The defaults were chosen on the servers of `benchmarks/limits.py`, and are held against others there."""

    ceiling_per_s: float
    """What was agreed: never faster."""
    start_per_s: float = 25.0
    floor_per_s: float = 1 / 120
    unit_s: float = 1.0
    """What a limit is measured over, until the service shows a longer period."""
    most_unit_s: float = 600.0

    growth: float = 1.15
    """By which the rate grows with each round trip while no limit has been met, but not sooner than `growth_s`.

    Faster finds the limit sooner and overshoots it by more: a fixed window says no only when it is used up.
    """
    growth_s: float = 0.15

    used: float = 0.7
    """A rate of which less than this part leaves is not what holds the run up."""

    kept: float = 0.985
    """The part of a limit that is used when it was met by trying more, and was the one that was known."""
    kept_at_first: float = 0.96
    """The part of one that was measured otherwise."""
    kept_by_quota: float = 0.99
    """Where replies say how much is left, so that a limit is met without a refusal."""

    least_left: float = 0.1
    """No single refusal lowers the rate to less than this part of it."""

    beat: float = 0.1
    """After a refusal nobody leaves for this part of a unit, nor for `beat_slots` slots; then one attempt asks."""
    beat_slots: float = 3.0
    beat_growth: float = 1.6

    rest_units: float = 1.0
    """Before more is tried; doubled each time that finds the same limit again, up to `most_rest_units`."""
    most_rest_units: float = 48.0
    step: float = 0.01
    """What the first step beyond a confirmed limit adds to it; each further step adds twice the one before."""
    bold_step: float = 0.04
    """The same for a limit that was measured once."""
    most_step: float = 0.4
    agreement: float = 0.06
    """Two measurements that differ by less than this are of one limit; where only a few requests were counted, by one
    and a half of them, but not by more than `most_agreement`."""
    most_agreement: float = 0.2
    certain: float = 0.01
    """A quota that differs by less is the same."""
    lowered: float = 0.8
    """A limit below this part of an earlier one may well come back: it is probed twice as boldly."""
