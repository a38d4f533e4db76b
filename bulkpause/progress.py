"""How a run is going, on stderr: a live bar on a terminal, a plain line every ten seconds elsewhere."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, TextIO

from bulkpause.clock import Clock

Style = Literal["bar", "plain", "none"]

BAR_PERIOD_S: Final = 0.1
PLAIN_PERIOD_S: Final = 10.0

RATE_WINDOW_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The run at one moment, as counted by its parts."""

    done: int
    total: int | None
    """None while the source is still being read."""
    failed: int
    throttled: int
    in_flight: int
    held_s: float
    stopping: bool


class Pace:
    """Outcomes per second over the last few seconds, and what that says of the end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._marks: list[tuple[float, int]] = [(clock.monotonic_s(), 0)]

    def update(self, done: int) -> float:
        """Note `done` now; outcomes per second since the window began."""
        now_s = self._clock.monotonic_s()
        self._marks.append((now_s, done))
        while len(self._marks) > 2 and self._marks[1][0] <= now_s - RATE_WINDOW_S:  # noqa: PLR2004 - a span has two ends
            del self._marks[0]
        begin_s, begun = self._marks[0]
        return (done - begun) / (now_s - begin_s) if now_s > begin_s else 0.0


def line(snapshot: Snapshot, *, per_s: float) -> str:
    """One status line in words."""
    total = "" if snapshot.total is None else f" of {snapshot.total:,}"
    parts = [f"{snapshot.done:,}{total} done", f"{per_s:.1f}/s", eta(snapshot, per_s=per_s)]
    parts += [f"{snapshot.failed:,} failed"] if snapshot.failed else []
    parts += [f"{snapshot.throttled:,} throttled (429)"] if snapshot.throttled else []
    parts += [f"held for {snapshot.held_s:.0f} s more, as the service asks"] if snapshot.held_s >= 1 else []
    parts += [f"stopping, {snapshot.in_flight} in flight"] if snapshot.stopping else []
    return ", ".join(part for part in parts if part)


def eta(snapshot: Snapshot, *, per_s: float) -> str:
    """How much longer, if that can be said."""
    if snapshot.total is None or per_s <= 0 or snapshot.done >= snapshot.total:
        return ""
    return f"{duration((snapshot.total - snapshot.done) / per_s)} left"


def duration(seconds: float) -> str:
    """`42 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 60:  # noqa: PLR2004 - a minute has sixty seconds
        return f"{seconds:.0f} s"
    minutes, rest_s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest_s} s"


class Progress:
    """Shows snapshots until cancelled. Reads counters ten times a second at most, so it costs the run nothing."""

    def __init__(
        self, style: Style, *, title: str, snapshot: Callable[[], Snapshot], clock: Clock, stream: TextIO = sys.stderr
    ) -> None:
        self._style = style
        self._title = title
        self._snapshot = snapshot
        self._clock = clock
        self._stream = stream
        self._pace = Pace(clock)

    async def show(self) -> None:
        """Run until cancelled; the bar then stays as it was last, with everything counted."""
        if self._style == "none":
            return
        bar: AbstractContextManager[_Bar | None] = nullcontext()
        if self._style == "bar":
            bar = await asyncio.to_thread(_Bar, self._title)  # imports rich, which would hold the loop
        try:
            with bar as shown:
                await self._keep_drawing(shown)
        except OSError:
            return  # stderr is gone: that ends the display, not the run

    def status(self) -> str:
        """The run at this moment, in one line."""
        snapshot = self._snapshot()
        return f"{self._title}: {line(snapshot, per_s=self._pace.update(snapshot.done))}"

    async def _keep_drawing(self, bar: _Bar | None) -> None:
        try:
            while True:
                await self._clock.sleep(PLAIN_PERIOD_S if bar is None else BAR_PERIOD_S)
                self._draw(bar)
        finally:
            if bar is not None:
                self._draw(bar)

    def _draw(self, bar: _Bar | None) -> None:
        if bar is None:
            print(self.status(), file=self._stream, flush=True)
        else:
            snapshot = self._snapshot()
            bar.draw(snapshot, per_s=self._pace.update(snapshot.done))


class _Bar:
    """rich's progress bar with the run's own columns; rich is imported here, 55 ms, only when there is a terminal."""

    def __init__(self, title: str) -> None:
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn  # noqa: PLC0415

        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[words]}"),
            console=Console(stderr=True),
            auto_refresh=False,
            expand=True,
        )
        self._task: Any = self._bar.add_task(title, total=None, words="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def draw(self, snapshot: Snapshot, *, per_s: float) -> None:
        self._bar.update(
            self._task, total=snapshot.total, completed=snapshot.done, words=line(snapshot, per_s=per_s), refresh=True
        )
