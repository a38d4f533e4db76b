"""What an attempt must pass before it leaves: the hold that every worker shares, the rate, and a service to reach."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from aiolimiter import AsyncLimiter

from bulkpause.clock import Clock
from bulkpause.models import Attempt, Halt, HaltReason, Notice, ReportId, Verdict

PACE: Final = 0.99
"""The part of the agreed rate that is used."""

FIRST_BARE_HOLD_S: Final = 1.0
LONGEST_BARE_HOLD_S: Final = 60.0
NO_HOLD: Final = float("-inf")


class RateGate:
    """Lets attempts out evenly, `per_s` a second at most: no burst at the start, none after a pause.

    A full second's bucket would let nearly twice the rate through at first, a bucket of one would lose the lateness of
    every timer for good. This one forgives 10 ms, and paces 1 % below the rate: what the way to the service compresses
    must not make a second there fuller than agreed.
    """

    def __init__(self, *, per_s: float) -> None:
        pace_per_s = PACE * per_s
        allowance = 0.01 * pace_per_s
        capacity = max(1 + min(0.5, allowance), allowance)
        self._limiter = AsyncLimiter(capacity, capacity / pace_per_s)
        self._turn = asyncio.Lock()
        self._owed = 0

    async def admit(self) -> None:
        """Wait for the next slot, first come first served; slots that silent re-sends took are paid for first."""
        async with self._turn:  # the limiter alone lets a newcomer overtake whoever it is just waking
            while self._owed:
                await self._limiter.acquire()
                self._owed -= 1
            await self._limiter.acquire()

    def is_open(self) -> bool:
        """A slot stays good."""
        return True

    def observe(self, report_id: ReportId, attempt: Attempt) -> None:
        """Charge what left beyond the one request the slot was for."""
        if attempt.sent > 1:
            self._owed += attempt.sent - 1


class HoldGate:
    """Holds every worker for as long as the service asks; beyond `cap_s` it ends the run instead.

    A 429 without Retry-After, or with one of zero, holds too: one second, doubling up to a minute until something else
    is answered, since every refused request counts against the limit as well (Partner Center's API throttling
    guidance).
    """

    def __init__(self, *, cap_s: float, clock: Clock, notify: Callable[[Notice], None]) -> None:
        self._cap_s = cap_s
        self._clock = clock
        self._notify = notify
        self._until_s = NO_HOLD
        self._bare_hold_s = FIRST_BARE_HOLD_S

    async def admit(self) -> None:
        """Wait for the end of the hold, which may move away meanwhile."""
        while (wait_s := self.held_s()) > 0:
            await self._clock.sleep(wait_s)

    def is_open(self) -> bool:
        """Whether no hold has begun since."""
        return self.held_s() == 0

    def held_s(self) -> float:
        """Seconds until the hold ends; zero when there is none."""
        if self._until_s == NO_HOLD:  # nearly always, and every attempt asks three times
            return 0.0
        return max(0.0, self._until_s - self._clock.monotonic_s())

    def observe(self, report_id: ReportId, attempt: Attempt) -> Halt | None:
        """Start or lengthen the hold if the reply asks for it."""
        reply = attempt.reply
        asked_s = reply.retry_after_s
        if asked_s is not None and asked_s > self._cap_s:
            return Halt(
                HaltReason.THROTTLED_OUT,
                f"the service asks for a wait of {asked_s:.0f} s, longer than retry.retry_after_cap_s "
                f"({self._cap_s:.0f} s). Try again later, or allow a longer wait.",
            )
        if asked_s:
            self._hold(asked_s, reply.status_code)
        elif not self.is_open():
            pass  # a reply to an attempt that left before the hold says nothing new
        elif reply.verdict is Verdict.THROTTLED:
            self._hold(self._bare_hold_s, reply.status_code)
            self._bare_hold_s = min(2 * self._bare_hold_s, LONGEST_BARE_HOLD_S)
        elif reply.verdict is not Verdict.UNANSWERED:
            self._bare_hold_s = FIRST_BARE_HOLD_S
        return None

    def _hold(self, hold_s: float, status_code: int | None) -> None:
        until_s = self._clock.monotonic_s() + hold_s
        longer_s = until_s - max(self._until_s, self._clock.monotonic_s())
        self._until_s = max(self._until_s, until_s)
        # The replies of one storm arrive together, each asking for about the same; one notice says it all.
        if longer_s > hold_s / 2:
            self._notify(Notice("hold", {"hold_s": round(hold_s, 3), "status_code": status_code}))


class ReachGate:
    """Ends the run when the service has never answered and one report has spent all its tries, or its time, on that."""

    def __init__(self, *, max_tries: int, deadline_s: float, clock: Clock) -> None:
        self._max_tries = max_tries
        self._deadline_s = deadline_s
        self._clock = clock
        self._reached = False
        self._silent_since_s: float | None = None

    async def admit(self) -> None:
        """Let everything pass."""

    def is_open(self) -> bool:
        """Nothing closes."""
        return True

    def observe(self, report_id: ReportId, attempt: Attempt) -> Halt | None:
        """Notice the first answer, or the silence."""
        if attempt.reply.verdict is not Verdict.UNANSWERED:
            self._reached = True
        elif not self._reached and (attempt.number >= self._max_tries or self._silent_s(attempt) >= self._deadline_s):
            tries = f"{attempt.number} tries" if attempt.number > 1 else "one try"
            return Halt(
                HaltReason.UNREACHABLE,
                f"no answer from the service after {tries}: {attempt.reply.error}. Check the network, proxy and "
                "api.base_url.",
            )
        return None

    def _silent_s(self, attempt: Attempt) -> float:
        """Seconds since the first silent attempt began."""
        now_s = self._clock.monotonic_s()
        if self._silent_since_s is None:
            self._silent_since_s = now_s - attempt.elapsed_ms / 1000
        return now_s - self._silent_since_s
