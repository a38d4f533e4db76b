"""The one source of time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for the record, monotonic time for waits."""

    def now(self) -> datetime:
        """Aware UTC wall time."""

    def monotonic_s(self) -> float:
        """Seconds that never jump; only differences mean anything."""

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

    async def sleep(self, delay_s: float) -> None:
        """`asyncio.sleep`, never negative."""
        await asyncio.sleep(max(0.0, delay_s))
