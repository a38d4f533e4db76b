"""What signals do to a run: the first drains, the second abandons what flies, the third leaves at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, Protocol, Self

STOPPING: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)
"""SIGHUP is POSIX, SIGBREAK (Ctrl-Break) Windows."""


class Stoppable(Protocol):
    """What can be stopped in two steps."""

    @property
    def in_flight(self) -> int:
        """Attempts that may be on the wire."""

    def stop(self) -> None:
        """Take no more, finish what flies."""

    def cancel(self) -> None:
        """Abandon what flies."""


class StopSignals:
    """While entered, signals stop `run`; SIGUSR1, where there is one, makes `status` speak."""

    def __init__(
        self,
        run: Stoppable,
        *,
        say: Callable[[str], None],
        status: Callable[[], str],
        on_stop: Callable[[int], None],
        leave: Callable[[int], Any] = os._exit,
    ) -> None:
        self._run = run
        self._say = say
        self._status = status
        self._on_stop = on_stop
        self._leave = leave
        self._count = 0
        self.received: int | None = None
        """The first stopping signal."""

    def __enter__(self) -> Self:
        """Take the signals over; must be called on the main thread with the loop running."""
        self._loop = asyncio.get_running_loop()
        self._before = {number: signal.getsignal(number) for number in STOPPING}
        for number in STOPPING:
            self._handle(number, self._stop)
        if hasattr(signal, "SIGUSR1"):
            self._before[signal.SIGUSR1] = signal.getsignal(signal.SIGUSR1)
            self._handle(signal.SIGUSR1, lambda _: self._say(self._status()))
        return self

    def __exit__(self, *error: object) -> None:
        """Give them back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: signal.Signals, react: Callable[[signal.Signals], None]) -> None:
        def wake(_number: int, _frame: FrameType | None) -> None:
            self._loop.call_soon_threadsafe(react, number)

        # Not loop.add_signal_handler: Windows has none. The loop's wake-up pipe makes this as prompt.
        signal.signal(number, wake)

    def _stop(self, number: signal.Signals) -> None:
        self._count += 1
        match self._count:
            case 1:
                self.received = number
                flying = self._run.in_flight
                landing = f"{flying} in flight may still land" if flying else "nothing is in flight"
                self._say(f"{number.name}: stopping; {landing}. Once more abandons them.")
                self._on_stop(number)
                self._run.stop()
            case 2:
                self._say(f"{number.name}: abandoning what is in flight; those reports end as unknown.")
                self._run.cancel()
            case _:
                self._say(f"{number.name}: leaving at once. The audit log holds what was recorded until now.")
                self._leave(128 + number)
