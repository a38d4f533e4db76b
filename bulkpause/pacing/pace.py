"""How fast to go on: from what the service has answered to the next rate. Pure: time is passed in.

While no limit has been met the rate grows with each round trip. A refusal tells where the limit is: at what was let in
during the last second. The rate goes a little below it, rests there, and then tries a little more, each step twice the
last.
"""

from __future__ import annotations

import math
from typing import Final

from bulkpause.pacing.policy import PacePolicy
from bulkpause.pacing.state import Limit, Pace, Reason, Refusals
from bulkpause.pacing.tally import Tally

LONG_S: Final = 2.5
"""Refusals that go on for longer than this come of a period longer than a unit, not of the time it took to ask."""

SOME: Final = 10
"""So many requests, at least, a limit is measured by."""

FEW: Final = 3
"""So few say nothing."""

BOLD_RESTS: Final = 8
"""After so many units a limit that was higher once is taken for the new one."""


def after_refusal(
    policy: PacePolicy, pace: Pace, tally: Tally, *, departed_s: float, now_s: float, is_short: bool = False
) -> Pace:
    """The service refused what left at `departed_s`, or said that hardly more is left: slow down, if that is news."""
    if departed_s < pace.cut_s:  # known already; but when it began may be
        return _begun_earlier(pace, departed_s)
    unit_s = _unit_s(policy, pace)
    if pace.refusals is not None:  # it goes on refusing: ask again later, one at a time
        beat_s = min(policy.beat_growth * pace.refusals.beat_s, unit_s)
        refusals = pace.refusals._replace(beat_s=beat_s, asked=pace.refusals.asked + 1)
        return pace._replace(refusals=refusals, cut_s=now_s, resume_s=now_s + beat_s)
    if pace.limit is not None and now_s - pace.open_since_s < policy.unit_s:  # too soon to measure anew
        hasty = 0 if is_short else pace.hasty + 1
        per_s = pace.per_s * (policy.lowered if pace.hasty else 1.0)
    elif is_short and pace.limit is not None and pace.reason is Reason.QUOTA:
        hasty, per_s = 0, pace.limit.per_s
    else:
        let_in_per_s = _let_in_per_s(policy, pace, tally, until_s=departed_s)
        hasty, per_s = 0, min(pace.per_s, max(let_in_per_s, policy.least_left * pace.per_s))
    per_s = max(policy.floor_per_s, per_s)
    beat_s = min(unit_s, max(policy.beat * unit_s, policy.beat_slots / per_s))
    known = pace.limit or Limit(per_s, unit_s, policy.rest_units, policy.bold_step)
    return pace._replace(
        per_s=min(pace.per_s, (policy.kept_by_quota if is_short else policy.kept) * per_s),
        reason=Reason.SHORT if is_short else Reason.REFUSED,
        since_s=now_s,
        limit=known._replace(per_s=per_s),
        refusals=Refusals(departed_s, pace.per_s, pace.limit, pace.step > 0, beat_s),
        cut_s=now_s,
        resume_s=now_s + beat_s,
        hasty=hasty,
        step=0.0,
        goal_per_s=None,
    )


def _begun_earlier(pace: Pace, departed_s: float) -> Pace:
    """Replies overtake each other: what left first and was refused is where the refusals began."""
    if pace.refusals is None or departed_s >= pace.refusals.since_s:
        return pace
    return pace._replace(refusals=pace.refusals._replace(since_s=departed_s))


def after_acceptance(
    policy: PacePolicy,
    pace: Pace,
    tally: Tally,
    *,
    departed_s: float,
    now_s: float,
    has_quota: bool = False,
    quota_per_s: float | None = None,
) -> Pace:
    """The service took what left at `departed_s`: go on so, or try a little more.

    `has_quota`: its replies tell what is left; `quota_per_s`: and they have told what that comes to in a second.
    """
    if departed_s < pace.cut_s:
        return pace
    if pace.refusals is not None and pace.limit is not None:
        return _measured(
            policy, pace, pace.refusals, pace.limit, tally, departed_s=departed_s, now_s=now_s, has_quota=has_quota
        )
    if tally.is_slow and now_s - pace.since_s > max(_unit_s(policy, pace), 2 * (tally.recent_s or 0.0)):
        return _slowed(policy, pace, tally, now_s=now_s)
    if departed_s < pace.since_s or tally.is_slowing:
        return pace
    if quota_per_s is not None and pace.goal_per_s is None:
        return _by_quota(policy, pace, quota_per_s, now_s=now_s)
    if pace.per_s >= policy.ceiling_per_s:
        return pace
    if tally.departed < policy.used * pace.per_s * (now_s - pace.since_s):
        return pace  # it is not the rate that holds the run up
    return _grown(policy, pace, now_s=now_s, has_quota=has_quota)


def after_silence(policy: PacePolicy, pace: Pace, *, now_s: float) -> Pace:
    """Nothing has left for a while, as after a hold: begin gently, and climb back. What is low already counts anew."""
    per_s = max(min(policy.start_per_s, pace.per_s), pace.per_s / 4)
    if per_s >= pace.per_s:
        return pace._replace(since_s=now_s)
    goal_per_s = pace.goal_per_s or pace.per_s
    return pace._replace(per_s=per_s, reason=Reason.REOPENED, since_s=now_s, goal_per_s=goal_per_s)


def _measured(
    policy: PacePolicy,
    pace: Pace,
    refusals: Refusals,
    limit: Limit,
    tally: Tally,
    *,
    departed_s: float,
    now_s: float,
    has_quota: bool,
) -> Pace:
    """The refusals are over: what was let in until their end is what the service allows."""
    lasted_s, per_s, unit_s = now_s - refusals.since_s, limit.per_s, limit.unit_s
    if lasted_s > LONG_S:  # its period is longer than a unit: from one end of refusals to the next
        if lasted_s > unit_s:
            unit_s = min(policy.most_unit_s, now_s - pace.open_since_s)
        per_s = tally.let_in_per_s(max(unit_s, SOME / pace.per_s), until_s=departed_s)
        if per_s * unit_s < FEW:  # hardly anything to measure by: search anew
            per_s = min(policy.start_per_s, refusals.at_per_s) / 2
            return pace._replace(
                per_s=per_s, reason=Reason.MEASURED, since_s=now_s, open_since_s=now_s, limit=None, refusals=None
            )
    else:
        if not pace.hasty:  # by now more is known of what was refused
            seen_per_s = _let_in_per_s(policy, pace, tally, until_s=refusals.since_s)
            per_s = min(per_s, max(policy.least_left * refusals.at_per_s, seen_per_s))
        if refusals.asked and lasted_s <= unit_s:
            # Within the last beat they ended. Measured at their beginning a fixed window that was used up early looks
            # too large, measured at their end too small, for our own silence.
            until_s = departed_s - refusals.beat_s / 2
            per_s = math.sqrt(per_s * _let_in_per_s(policy, pace, tally, until_s=until_s))
    per_s = max(policy.floor_per_s, min(per_s, refusals.at_per_s))
    known = refusals.known
    counted = per_s * unit_s  # of a few requests one more or less is a large part; but not all agree with everything
    tolerance = max(policy.agreement, min(policy.most_agreement, 1.5 / counted))
    agrees = known is not None and abs(per_s / known.per_s - 1) < tolerance
    rest_units, first_step = policy.rest_units, policy.bold_step
    if agrees:
        first_step = policy.step
        rest_units = min(limit.rest_units * (2 if refusals.was_probing else 1), policy.most_rest_units)
    peak_per_s = max(pace.peak_per_s, per_s) if agrees else pace.peak_per_s
    if per_s < policy.lowered * peak_per_s and rest_units <= BOLD_RESTS:
        first_step = 2 * policy.bold_step
    kept = policy.kept if agrees and refusals.was_probing else policy.kept_at_first
    goal_per_s = min(policy.ceiling_per_s, (policy.kept_by_quota if has_quota else kept) * per_s)
    return pace._replace(
        per_s=goal_per_s if pace.goal_per_s is None else min(pace.per_s, goal_per_s),
        goal_per_s=None if pace.goal_per_s is None else goal_per_s,
        reason=Reason.MEASURED,
        since_s=now_s,
        open_since_s=now_s,
        limit=Limit(per_s, unit_s, rest_units, first_step, is_sure=agrees),
        refusals=None,
        peak_per_s=peak_per_s,
    )


def _slowed(policy: PacePolicy, pace: Pace, tally: Tally, *, now_s: float) -> Pace:
    """Replies take several times longer than usual: what comes back is what the service can do."""
    unit_s = _unit_s(policy, pace)
    came_back_s = now_s - (tally.recent_s or 0.0)
    # Nothing, if the service stood still, or if it is asked less than once in a unit.
    came_back_per_s = _let_in_per_s(policy, pace, tally, until_s=came_back_s)
    per_s = max(policy.floor_per_s, min(pace.per_s, max(came_back_per_s, policy.least_left * pace.per_s)))
    return pace._replace(
        per_s=min(pace.per_s, policy.kept_at_first * per_s),
        reason=Reason.SLOW,
        since_s=now_s,
        limit=Limit(per_s, unit_s, policy.rest_units, policy.bold_step),
        cut_s=now_s,
        step=0.0,
        goal_per_s=None,
    )


def _by_quota(policy: PacePolicy, pace: Pace, quota_per_s: float, *, now_s: float) -> Pace:
    """The replies say what is allowed: there is nothing to be tried."""
    if pace.limit is not None and abs(pace.limit.per_s / quota_per_s - 1) < policy.certain:
        return pace
    unit_s = _unit_s(policy, pace)
    return pace._replace(
        per_s=min(policy.ceiling_per_s, policy.kept_by_quota * quota_per_s),
        reason=Reason.QUOTA,
        since_s=now_s,
        limit=Limit(quota_per_s, unit_s, policy.rest_units, policy.bold_step),
        step=0.0,
    )


def _grown(policy: PacePolicy, pace: Pace, *, now_s: float, has_quota: bool) -> Pace:
    """One step up, if it is time for one."""
    limit, since_s, step = pace.limit, now_s - pace.since_s, 0.0
    goal_per_s = pace.goal_per_s or policy.ceiling_per_s
    if limit is None or pace.goal_per_s is not None:
        if limit is None and since_s < policy.growth_s and not has_quota:
            return pace
        per_s = min(goal_per_s, policy.growth * pace.per_s)
    else:
        # One long refusal may come of a long period, or of a bad minute: what it seems to allow is soon tried again.
        unit_s = limit.unit_s if limit.is_sure else policy.unit_s
        if limit.is_sure or limit.unit_s == policy.unit_s:
            unit_s = max(unit_s, 2 * SOME / limit.per_s)
        if since_s < unit_s * (1.0 if pace.step else limit.rest_units):
            return pace
        step = pace.step or limit.first_step
        if pace.per_s >= limit.per_s:
            step = min(policy.most_step, 2 * step)
        per_s = min(policy.ceiling_per_s, pace.per_s + step * max(limit.per_s, pace.per_s))
        known_per_s = policy.kept * pace.peak_per_s
        if pace.per_s < known_per_s < per_s:  # up to where it was before, and gently from there
            per_s, step = known_per_s, policy.step
    return pace._replace(
        per_s=per_s,
        reason=Reason.CONTENT,
        since_s=now_s,
        step=step,
        goal_per_s=pace.goal_per_s if per_s < goal_per_s else None,
    )


def _let_in_per_s(policy: PacePolicy, pace: Pace, tally: Tally, *, until_s: float) -> float:
    """What the service let in a second, until then, over a unit or as long as it takes for some to leave.

    A count over a second that begins anywhere is half a request too small on average; a longer period is known by its
    ends.
    """
    unit_s = _unit_s(policy, pace)
    horizon_s = max(unit_s, SOME / pace.per_s)
    found_per_s = tally.let_in_per_s(horizon_s, until_s=until_s)
    return found_per_s + 0.5 / horizon_s if found_per_s and unit_s <= policy.unit_s else found_per_s


def _unit_s(policy: PacePolicy, pace: Pace) -> float:
    return policy.unit_s if pace.limit is None else pace.limit.unit_s
