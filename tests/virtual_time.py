"""An event loop whose clock jumps to the next timer when nothing else can run: exact delays, no real waiting."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits; tells how long it was asked to."""

    def __init__(self, jump: Callable[[float], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("the loop would wait for ever: nothing is scheduled")
            # A nanosecond at least: aiolimiter re-arms a timer for the rounding error of its level until time moves.
            self._jump(max(timeout, 1e-9))
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop that starts at zero seconds and moves only when it would have slept."""

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(_JumpingSelector(self._jump))

    def time(self) -> float:
        return self._now_s

    def run_in_executor(self, executor: object, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Threads take no time: nothing may jump ahead of them."""
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it is raised where the thread is waited for
            done.set_exception(error)
        return done

    def _jump(self, seconds: float) -> None:
        self._now_s += seconds


class VirtualClock:
    """A Clock on the running loop's time; the wall starts at EPOCH."""

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.monotonic_s())

    def monotonic_s(self) -> float:
        return asyncio.get_running_loop().time()

    def sleepless_s(self) -> float:
        return self.monotonic_s()

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(max(0.0, delay_s))


class StandingClock(VirtualClock):
    """A Clock that stands at EPOCH, for who is asked outside a loop."""

    def monotonic_s(self) -> float:
        return 0.0


class JumpingClock(VirtualClock):
    """A Clock whose wall is set by somebody: `jumps` are the seconds it is moved by, each at a time of the loop."""

    def __init__(self, jumps: Mapping[float, float]) -> None:
        self._jumps = jumps

    def now(self) -> datetime:
        moved_s = sum(by_s for at_s, by_s in self._jumps.items() if at_s <= self.monotonic_s())
        return super().now() + timedelta(seconds=moved_s)


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
