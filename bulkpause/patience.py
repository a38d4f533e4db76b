"""What blames nobody for the time in which this process stood still: a time limit, and a heart that notices it."""

from __future__ import annotations

import asyncio
import math
from types import TracebackType
from typing import Final, Self

LATE_S: Final = 0.05
"""A timer that is called later than this tells that the process stood still: stopped, suspended or starved."""

GRACE_S: Final = 1.0
"""How much longer it waits then: what has arrived meanwhile lies in the socket's buffer, and is read in an instant."""

BEAT_S: Final = 0.2
"""How often the heart beats; a beat that comes later than the next one was due tells that the process stood still."""


class Heartbeat:
    """While entered, notices when this process stood still, before anything that arrived meanwhile is looked at.

    The loop calls what is due before it goes on with the tasks that what arrived has woken.
    """

    def __init__(self) -> None:
        self.woke_s = float("-inf")
        """When it last went on after standing still, in loop time: what left before took longer than it would have."""

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._arm()
        return self

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()

    def _arm(self) -> None:
        self._due_s = self._loop.time() + BEAT_S
        self._timer = self._loop.call_at(self._due_s, self._beat)

    def _beat(self) -> None:
        now_s = self._loop.time()
        if now_s - self._due_s > BEAT_S:
            self.woke_s = now_s
        self._arm()


class Patience:
    """Ends what is awaited within it by TimeoutError, `limit_s` seconds after it was made or when it is quiet too long.

    Quiet is what follows `heard` for `quiet_s` seconds. A timer just before that looks whether it comes late itself,
    and gives `GRACE_S` seconds more if it does. May be entered again, one time after the other: it is the same limit.
    To be made and entered in the task that waits.
    """

    __slots__ = ("_due_s", "_loop", "_quiet_s", "_timeout", "_timer", "_until_heard_s", "_when_s", "was_quiet")

    def __init__(self, limit_s: float, *, quiet_s: float = math.inf) -> None:
        self._loop = asyncio.get_running_loop()
        self._when_s = self._loop.time() + limit_s
        self._quiet_s = quiet_s if quiet_s < limit_s else math.inf  # it begins later, and would end later
        self._until_heard_s = math.inf
        """When the quiet has lasted too long."""
        self.was_quiet = False
        """Whether that is what ended it."""

    async def __aenter__(self) -> Self:
        self._timeout = asyncio.timeout(None)
        await self._timeout.__aenter__()
        self._wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        await self._timeout.__aexit__(kind, error, trace)

    def heard(self) -> None:
        """The far side has its turn, or has said something: the quiet begins from here. Only while it is entered."""
        if self._quiet_s == math.inf:  # as usual, several times for every request
            return
        self._until_heard_s = self._loop.time() + self._quiet_s
        if self._until_heard_s - LATE_S < self._due_s:  # the timer that runs is too late for it
            self._timer.cancel()
            self._wait()

    def _limit_s(self) -> float:
        return min(self._when_s, self._until_heard_s)

    def _wait(self) -> None:
        self._due_s = max(self._loop.time(), self._limit_s() - LATE_S)
        self._timer = self._loop.call_at(self._due_s, self._look)

    def _look(self) -> None:
        """In time, or nearly: whatever has come by now is read before the end."""
        if self._stood_still():
            return
        if self._limit_s() - LATE_S > self._due_s:  # something was heard since the timer was set
            self._wait()
            return
        self._due_s = max(self._limit_s(), self._loop.time() + LATE_S)
        self._timer = self._loop.call_at(self._due_s, self._end)

    def _end(self) -> None:
        if self._stood_still():
            return
        if self._limit_s() > self._due_s:
            self._wait()
            return
        self.was_quiet = self._until_heard_s < self._when_s
        self._timeout.reschedule(self._loop.time())

    def _stood_still(self) -> bool:
        now_s = self._loop.time()
        if now_s - self._due_s <= LATE_S:
            return False
        self._when_s = max(self._when_s, now_s + GRACE_S)
        self._until_heard_s = max(self._until_heard_s, now_s + GRACE_S)
        self._wait()
        return True
