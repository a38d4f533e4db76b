"""The wait that every worker shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bulkpause.clock import Clock
from bulkpause.models import Attempt, Halt, HaltReason, Notice, Reply, ReportId, Verdict

FIRST_BARE_HOLD_S: Final = 1.0
LONGEST_BARE_HOLD_S: Final = 60.0
SHORT_S: Final = 2.0
"""A longer Retry-After holds everybody, whatever else slows down."""

NO_HOLD: Final = float("-inf")


class HoldGate:
    """Holds every worker for as long as the service asks; beyond `cap_s` it ends the run instead.

    A 429 without Retry-After, or with one of zero, holds too: one second, doubling up to a minute until something else
    is answered, since every refused request counts against the limit as well. What the doubling adds is added to a
    Retry-After, too, when the first reply after it is another 429 (Partner Center's API throttling guidance).

    Where `yields` says that the pace gives way by itself, a short wait is left to the report that was refused.
    """

    def __init__(
        self,
        *,
        cap_s: float,
        clock: Clock,
        notify: Callable[[Notice], None],
        yields: Callable[[], bool] = lambda: False,
    ) -> None:
        self._cap_s = cap_s
        self._clock = clock
        self._notify = notify
        self._until_s = NO_HOLD
        self._bare_hold_s = FIRST_BARE_HOLD_S
        self._yields = yields

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

    def depart(self) -> None:
        """A hold does not mind."""

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
        if self._is_short(reply):
            return None
        if not self.is_open():
            if asked_s:
                self._hold(asked_s, reply.status_code)  # an attempt that left before the hold; alone it says no more
        elif reply.verdict is Verdict.THROTTLED:
            self._hold(self._bare_hold_s + (asked_s - FIRST_BARE_HOLD_S if asked_s else 0.0), reply.status_code)
            self._bare_hold_s = min(2 * self._bare_hold_s, LONGEST_BARE_HOLD_S)
        elif asked_s:
            self._hold(asked_s, reply.status_code)
        elif reply.verdict is not Verdict.UNANSWERED:
            self._bare_hold_s = FIRST_BARE_HOLD_S
        return None

    def _is_short(self, reply: Reply) -> bool:
        """Whether only the refused report need wait, since the pace gives way as well."""
        return reply.verdict is Verdict.THROTTLED and (reply.retry_after_s or 0.0) <= SHORT_S and self._yields()

    def _hold(self, hold_s: float, status_code: int | None) -> None:
        until_s = self._clock.monotonic_s() + hold_s
        longer_s = until_s - max(self._until_s, self._clock.monotonic_s())
        self._until_s = max(self._until_s, until_s)
        # The replies of one storm arrive together, each asking for about the same; one notice says it all.
        if longer_s > hold_s / 2:
            self._notify(Notice("hold", {"hold_s": round(hold_s, 3), "status_code": status_code}))
