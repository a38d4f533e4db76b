"""The agreed rate: no attempt leaves faster, whatever else is decided."""

from __future__ import annotations

import asyncio
from typing import Final

from aiolimiter import AsyncLimiter

from bulkpause.models import Attempt, ReportId

PACE: Final = 0.99
"""The part of the agreed rate that is used."""


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

    def depart(self) -> None:
        """The slot was for this."""

    def observe(self, report_id: ReportId, attempt: Attempt) -> None:
        """Charge what left beyond the one request the slot was for."""
        if attempt.sent > 1:
            self._owed += attempt.sent - 1
