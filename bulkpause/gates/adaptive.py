"""The rate that the service was found to allow, below the one that was agreed; `bulkpause/pacing` decides on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from bulkpause.clock import Clock
from bulkpause.models import Attempt, Notice, Reply, ReportId, Verdict
from bulkpause.pacing import (
    NEVER_S,
    Pace,
    PacePolicy,
    QuotaWatch,
    Reason,
    Tally,
    after_acceptance,
    after_refusal,
    after_silence,
    started,
)

BOOKED_S: Final = 0.05
"""No slot is waited for longer than this without another look at the rate: a change is felt at once."""

FORGIVEN_S: Final = 0.01
"""The lateness of a timer that the next slot makes good."""

SILENCE_S: Final = 0.5
"""When nothing has left for this long, nor for `SILENT_SLOTS` slots, what follows begins gently."""

SILENT_SLOTS: Final = 3.0

SPARE: Final = 4
"""Attempts that may fly beyond what the rate needs, and all that may before the first reply says how long one takes."""

HEADROOM: Final = 2.0
"""How many times the usual latency an attempt may take before it stands in the way of the rate."""

ASKED_IN_VAIN: Final = 3
"""Refusals that go on after so many questions are the hold's business."""

SETTLED_S: Final = 2.0
"""A rate that has not changed for so long is looked at for whether it is used."""

_OVERLOADED: Final = 503
"""May come from what limits the rate, while 500, 502 and 504 come from behind it."""


class AdaptiveGate:
    """Lets attempts out one by one at the rate that was found, and no more of them at once than that takes.

    While the service refuses, one attempt at a time asks whether it still does. `woke_s` tells when this process last
    went on after standing still: what left before that says nothing of the service's latency.
    """

    def __init__(
        self,
        policy: PacePolicy,
        *,
        clock: Clock,
        notify: Callable[[Notice], None],
        woke_s: Callable[[], float] = lambda: NEVER_S,
    ) -> None:
        self._woke_s = woke_s
        self._policy = policy
        self._clock = clock
        self._notify = notify
        self._turn = asyncio.Lock()
        self._room = asyncio.Event()
        self._tally = Tally()
        self._quota = QuotaWatch()
        self._slot_s = NEVER_S
        self._flying = 0
        self._stale = 0
        """Those in flight that left before the refusals began: one that hangs keeps nobody from asking."""
        self._stale_since_s = NEVER_S
        self.pace: Pace = started(policy, now_s=NEVER_S)
        self.confirmed_per_s: float | None = None
        """The latest limit that two measurements agreed on, or that the replies told: one alone may be a bad moment."""

    @property
    def yields(self) -> bool:
        """Whether a short Retry-After need not hold everybody, since the pace gives way by itself."""
        return self.pace.refusals is None or self.pace.refusals.asked < ASKED_IN_VAIN

    @property
    def most_flying(self) -> int:
        """Attempts that may be in flight: what the rate needs at the usual latency, and some."""
        if self.pace.refusals is not None:
            return 1
        usual_s = self._tally.usual_s
        return SPARE if usual_s is None else SPARE + int(HEADROOM * self.pace.per_s * usual_s)

    @property
    def expected_per_s(self) -> float | None:
        """The rate that the run will keep to from here on; None where it is not the rate that holds it up.

        Where a limit is known that is it, less what is left unused; while it is still looked for, the rate of now.
        """
        pace, since_s = self.pace, self._clock.monotonic_s() - self.pace.since_s
        if (
            pace.refusals is None
            and since_s > SETTLED_S
            and self._tally.departed < self._policy.used * pace.per_s * since_s
        ):
            return None
        ceiling_per_s = self._policy.ceiling_per_s
        if pace.limit is not None:
            return min(ceiling_per_s, self._policy.kept * pace.limit.per_s)
        return pace.per_s

    async def admit(self) -> None:
        """Wait for room and for the next slot, first come first served; a change of the rate is felt at once."""
        async with self._turn:
            now_s = self._begin()
            if self.pace.refusals is None and self._quota.is_short(now_s=now_s):
                self._refuse(departed_s=now_s, now_s=now_s, is_short=True)
            while self._flying - self._stale >= self.most_flying:
                self._room.clear()
                await self._room.wait()
            while (wait_s := self._due_s() - self._clock.monotonic_s()) > 0:
                await self._clock.sleep(min(wait_s, BOOKED_S))
            now_s = self._clock.monotonic_s()
            if now_s - self._slot_s > max(SILENCE_S, SILENT_SLOTS / self.pace.per_s):
                self._change(after_silence(self._policy, self.pace, now_s=now_s))
                self._tally.departed = 0
            self._slot_s = max(self._due_s(), now_s - FORGIVEN_S)

    def is_open(self) -> bool:
        """A slot stays good."""
        return True

    def depart(self) -> None:
        """One more is in flight."""
        self._flying += 1
        self._tally.depart(self._clock.monotonic_s())
        self._quota.depart()

    def observe(self, report_id: ReportId, attempt: Attempt) -> None:
        """Learn from the reply how fast to go on."""
        self._flying -= 1
        self._room.set()
        reply, latency_s = attempt.reply, attempt.elapsed_ms / 1000
        now_s = self._begin()
        departed_s = now_s - latency_s
        if self._stale and departed_s < self._stale_since_s:
            self._stale -= 1
        self._quota.observe(reply.quota, departed_s=departed_s, now_s=now_s, flying=self._flying)
        if reply.verdict is Verdict.THROTTLED:
            self._quota.refused()
            self._tally.refuse(departed_s)
            self._refuse(departed_s=departed_s, now_s=now_s)
        elif _was_let_in(reply):
            if reply.verdict is not Verdict.FAULT and departed_s >= self._woke_s():
                self._tally.answer(now_s=now_s, latency_s=latency_s)
            if self.pace.refusals is not None and self._quota.is_short(now_s=now_s):
                if departed_s >= self.pace.cut_s:
                    self._quota.let_in()
                self._refuse(departed_s=departed_s, now_s=now_s, is_short=True)
            elif reply.verdict is not Verdict.FAULT:
                self._accept(departed_s=departed_s, now_s=now_s)

    def _begin(self) -> float:
        """The time; the first look at it begins the pace."""
        now_s = self._clock.monotonic_s()
        if self.pace.since_s == NEVER_S:
            self.pace = started(self._policy, now_s=now_s)
        return now_s

    def _due_s(self) -> float:
        return max(self._slot_s + 1 / self.pace.per_s, self.pace.resume_s)

    def _refuse(self, *, departed_s: float, now_s: float, is_short: bool = False) -> None:
        self._change(
            after_refusal(self._policy, self.pace, self._tally, departed_s=departed_s, now_s=now_s, is_short=is_short)
        )

    def _accept(self, *, departed_s: float, now_s: float) -> None:
        quota = self._quota
        self._change(
            after_acceptance(
                self._policy,
                self.pace,
                self._tally,
                departed_s=departed_s,
                now_s=now_s,
                has_quota=quota.is_known,
                quota_per_s=quota.per_s,
            )
        )

    def _change(self, pace: Pace) -> None:
        before, self.pace = self.pace, pace
        if before.refusals is None and pace.refusals is not None:
            self._stale, self._stale_since_s = self._flying, self._clock.monotonic_s()
        elif pace.refusals is None:
            self._stale = 0
        is_confirmed = (
            pace.limit is not None and pace.refusals is None and (pace.limit.is_sure or pace.reason is Reason.QUOTA)
        )
        if is_confirmed and pace.limit is not None:
            self.confirmed_per_s = pace.limit.per_s
        if pace.per_s == before.per_s:
            return
        self._tally.departed = 0
        if pace.reason is Reason.SLOW:
            self._tally.get_used()
        limit_per_s = None if pace.limit is None else round(pace.limit.per_s, 3)
        self._notify(
            Notice(
                "rate_changed",
                {
                    "per_s": round(pace.per_s, 3),
                    "was_per_s": round(before.per_s, 3),
                    "reason": pace.reason.value,
                    "limit_per_s": limit_per_s,
                    "confirmed": is_confirmed,
                },
            )
        )


def _was_let_in(reply: Reply) -> bool:
    """Whether whatever limits the rate has let the request pass."""
    if reply.verdict is Verdict.FAULT:
        return reply.http_status != _OVERLOADED
    return reply.verdict is not Verdict.UNANSWERED
