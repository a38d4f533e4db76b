"""What signals do to a run: the first drains, the second abandons what flies, the third leaves at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, Protocol, Self, TypeVar

T = TypeVar("T")

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
    """While entered, signals are ours. They stop the run that is being steered, or the next one if none is yet.

    SIGUSR1, where there is one, makes the run say its status. SIGHUP stays ignored under `nohup`.
    """

    def __init__(self, *, say: Callable[[str], None], leave: Callable[[int], Any] = os._exit) -> None:
        self._say = say
        self._leave = leave
        self._count = 0
        self._run: Stoppable | None = None
        self._status: Callable[[], str] | None = None
        self._before: dict[int, Any] = {}
        self.received: int | None = None
        """The first stopping signal."""

    def __enter__(self) -> Self:
        """Take the signals over; must be called on the main thread with the loop running."""
        self._loop = asyncio.get_running_loop()
        for number in STOPPING:
            if number.name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN:
                self._handle(number, self._stop)
        if hasattr(signal, "SIGUSR1"):
            self._handle(signal.SIGUSR1, self._tell_status)
        return self

    def __exit__(self, *error: object) -> None:
        """Give them back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def steering(self, run: Stoppable, *, status: Callable[[], str], on_stop: Callable[[int], None]) -> Iterator[None]:
        """While entered, the signals mean `run`; one that came before stops it at once."""
        self._run, self._status, self._on_stop = run, status, on_stop
        if self.received is not None:
            self._stop_run(self.received)
        try:
            yield
        finally:
            self._run = self._status = None

    def _handle(self, number: signal.Signals, react: Callable[[signal.Signals], None]) -> None:
        def wake(_number: int, _frame: FrameType | None) -> None:
            self._loop.call_soon_threadsafe(react, number)

        # Not loop.add_signal_handler: Windows has none. The loop's wake-up pipe makes this as prompt.
        self._before[number] = signal.signal(number, wake) or signal.SIG_DFL

    def _stop(self, number: signal.Signals) -> None:
        self._count += 1
        if self._count > 2:  # noqa: PLR2004 - the third time
            self._say(f"{number.name}: leaving at once. The audit log holds what was recorded until now.")
            self._leave(128 + number)
        elif self._run is None:
            self.received = self.received or number
            self._say(f"{number.name}: nothing is in flight; ending.")
        elif self.received is None:
            flying = self._run.in_flight
            self.received = number
            self._stop_run(number)
            what = f"{flying} in flight may still land. Once more abandons them." if flying else "nothing is in flight."
            self._say(f"{number.name}: stopping; {what}")
        else:
            self._run.cancel()
            self._say(f"{number.name}: abandoning what is in flight; those reports end as unknown.")

    def _stop_run(self, number: int) -> None:
        if self._run is not None:
            self._run.stop()  # first of all, whatever becomes of the words about it
            self._on_stop(number)

    def _tell_status(self, _number: signal.Signals) -> None:
        if self._status is not None:
            self._say(self._status())


async def unless_stopped(stop_requested: Callable[[], Awaitable[None]], doing: Coroutine[Any, Any, T]) -> T | None:
    """What `doing` comes to, or raises; None if a stop is requested meanwhile, which ends it at once."""
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(doing)
            stop = group.create_task(_wait_for(stop_requested))
            await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
            for one in (task, stop):
                one.cancel()
    except ExceptionGroup as errors:
        raise sole_cause(errors) from None
    return None if task.cancelled() else task.result()


async def _wait_for(stop_requested: Callable[[], Awaitable[None]]) -> None:
    await stop_requested()


def sole_cause(error: Exception) -> Exception:
    """What a group of one comes to; anything else as it is."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
