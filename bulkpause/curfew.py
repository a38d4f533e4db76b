"""The end of a run's time: how long attempts may still leave, and the task that ends the run when none may."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Final, Protocol

from bulkpause.clock import Clock
from bulkpause.limits import Reserve, Window
from bulkpause.models import Halt, HaltReason

LOOK_S: Final = 1.0
"""How often the clocks are looked at again: the wall clock may be set, and a machine may have slept."""

LANDING_S: Final = 2.0
"""How much longer than its timeout an attempt may take to end: a process that stood still is given a moment."""


class Closable(Protocol):
    """What can be told to begin nothing more, and then to let nothing leave."""

    def close(self, halt: Halt) -> None:
        """Begin no further id."""

    def stop(self, *, drain_s: float | None = None) -> None:
        """Let nothing leave from now on, and wait `drain_s` seconds at most for what has left."""


class Curfew:
    """Says of each attempt whether it may still leave in the run's window, which began when this was made.

    `until` is read off the wall clock, wherever that is set meanwhile; `time_limit` off a clock that never jumps and
    goes on while the machine sleeps.
    """

    def __init__(
        self, window: Window, *, reserve_for: Callable[[float], Reserve], clock: Clock, zone: tzinfo, named: str
    ) -> None:
        self._window = window
        self._clock = clock
        self._zone = zone
        self._named = named
        self._began_s = clock.sleepless_s()
        self.reserve = reserve_for(self.left_s())
        """How long before the end of the window attempts must leave."""

    def __call__(self, *, is_first: bool, in_s: float = 0.0) -> Halt | None:
        """Why an attempt must not leave `in_s` seconds from now; None if it may."""
        if not self._window.is_limited:
            return None
        needed_s = self.reserve.first_s if is_first else self.reserve.retry_s
        return self._halt(in_s) if self.left_s() - in_s < needed_s else None

    def left_s(self) -> float:
        """Seconds until all must be over; infinite without a limit."""
        return self._window.left_s(now=self._clock.now(), elapsed_s=self._elapsed_s())

    def beginning_s(self) -> float | None:
        """Seconds in which reports may still be begun, zero at least; None without a limit."""
        return max(0.0, self.left_s() - self.reserve.first_s) if self._window.is_limited else None

    def ends_at(self) -> datetime | None:
        """The limit, on the wall clock of this place; None without one."""
        ends_at = self._window.ends_at(now=self._clock.now(), elapsed_s=self._elapsed_s())
        return None if ends_at is None else ends_at.astimezone(self._zone)

    async def watch(self, engine: Closable, *, held_s: Callable[[], float]) -> None:
        """Close the engine when nothing may be begun any more, and stop it when nothing may leave; then return.

        `held_s`: how long nobody may send anything in any case. A hold into that time is not waited out.
        """
        while self._window.is_limited:
            hold_s = held_s()
            if halt := self(is_first=True, in_s=hold_s):
                engine.close(halt)
            if self(is_first=False, in_s=hold_s):
                engine.stop(drain_s=self.reserve.retry_s + LANDING_S)
                return
            left_s = self.left_s() - (self.reserve.retry_s if halt else self.reserve.first_s)
            await self._clock.sleep(min(LOOK_S, max(left_s, 0.001)))

    def _elapsed_s(self) -> float:
        return self._clock.sleepless_s() - self._began_s

    def _halt(self, in_s: float) -> Halt:
        ends_at = self.ends_at()
        limit = "" if ends_at is None else ends_at.isoformat(sep=" ", timespec="seconds")
        wait = f": the next attempt has to wait another {in_s:.0f} s" if in_s else ""
        lasts = f"an attempt may last {self.reserve.retry_s:g} s"
        return Halt(
            HaltReason.TIME_LIMIT, f"too late to begin anything before {limit} ({self._named}), as {lasts}{wait}"
        )
