"""The one source of time."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Protocol

_CLOCK: Final = {"linux": "CLOCK_BOOTTIME", "darwin": "CLOCK_MONOTONIC"}.get(sys.platform, "")
_SLEEPLESS: Final[int | None] = getattr(time, _CLOCK, None)
"""The clock that goes on while the machine sleeps, where that is not the one Python takes for monotonic."""


class Clock(Protocol):
    """Wall time for the record, monotonic time for waits."""

    def now(self) -> datetime:
        """Aware UTC wall time."""

    def monotonic_s(self) -> float:
        """Seconds that never jump; only differences mean anything."""

    def sleepless_s(self) -> float:
        """The same, but going on while the machine sleeps: what an operator takes for the time that has passed."""

    async def sleep(self, delay_s: float) -> None:
        """Wait `delay_s` seconds; zero or less yields once."""


class SystemClock:
    """The machine's clock; monotonic time is the event loop's, as aiolimiter's is."""

    def now(self) -> datetime:
        """Aware UTC wall time."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """The running event loop's time, so that a virtual-time loop moves everything together."""
        return asyncio.get_running_loop().time()

    def sleepless_s(self) -> float:
        """The system's time since it was started, sleep included."""
        return time.monotonic() if _SLEEPLESS is None else time.clock_gettime(_SLEEPLESS)

    async def sleep(self, delay_s: float) -> None:
        """`asyncio.sleep`, never negative."""
        await asyncio.sleep(max(0.0, delay_s))


class LocalZone(tzinfo):
    """The zone this machine is set to, by the system's own rules: right on either side of a change of the clocks.

    Needs no database of zones, which Windows does not have.
    """

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        """Local time less UTC at that moment."""
        return None if moment is None else moment.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, moment: datetime | None) -> timedelta | None:
        """Not told apart from the zone's own offset."""
        return None if moment is None else timedelta(0)

    def tzname(self, moment: datetime | None) -> str | None:
        """What the system calls it."""
        return None if moment is None else moment.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, moment: datetime) -> datetime:
        """The local time of a moment in UTC; the second of two alike has `fold` set."""
        there = moment.replace(tzinfo=UTC).astimezone()
        here = there.replace(tzinfo=self)
        return here if here.utcoffset() == there.utcoffset() else here.replace(fold=1)
