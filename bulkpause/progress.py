"""How a run is going, on stderr: a live bar on a terminal, a plain line every ten seconds elsewhere."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Self, TextIO

from bulkpause.clock import Clock
from bulkpause.forecast import Forecast, said_fit, said_rate

Style = Literal["bar", "plain", "none"]

BAR_PERIOD_S: Final = 0.1
PLAIN_PERIOD_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The run at one moment, as counted by its parts; rows without a report id do not count."""

    done: int
    total: int | None
    """None while the source is still being read."""
    failed: int
    throttled: int
    in_flight: int
    held_s: float
    stopping: bool
    forecast: Forecast
    limit_per_s: float | None = None
    """What the service was found to allow, if that is less than what was agreed."""
    is_failing: bool = False
    """Whether nothing succeeds any more, so that single requests ask."""
    asks_in_s: float = 0.0
    """Until the next one does."""
    retries_spent: bool = False
    """Whether too much fails for further retries."""
    until: datetime | None = None
    """The limit of the run's time, in local time."""


def line(snapshot: Snapshot) -> str:
    """One status line in words."""
    parts = [count(snapshot), pace(snapshot), eta(snapshot), verdict(snapshot), *remarks(snapshot)]
    return ", ".join(part for part in parts if part)


def count(snapshot: Snapshot) -> str:
    """How many reports have ended, of how many if that is known."""
    return f"{snapshot.done:,} done" if snapshot.total is None else f"{snapshot.done:,} of {snapshot.total:,} done"


def remarks(snapshot: Snapshot) -> list[str]:
    """What is worth a look, and nothing while all is well."""
    found = [f"stopping, {snapshot.in_flight:,} in flight"] if snapshot.stopping else []
    found += [f"held for {duration(snapshot.held_s)} more"] if snapshot.held_s else []
    if snapshot.is_failing:
        when = f"asked again in {duration(snapshot.asks_in_s)}" if snapshot.asks_in_s else "being asked"
        found.append(f"service fails (breaker open), {when}")
    found += ["retry budget spent"] if snapshot.retries_spent else []
    found += [f"service allows about {said_rate(snapshot.limit_per_s)}"] if snapshot.limit_per_s is not None else []
    found += [f"{snapshot.failed:,} failed"] if snapshot.failed else []
    return found + ([f"{snapshot.throttled:,} throttled (429)"] if snapshot.throttled else [])


def pace(snapshot: Snapshot) -> str:
    """Reports a second, lately."""
    return f"{snapshot.forecast.reports_per_s:.1f}/s"


def eta(snapshot: Snapshot) -> str:
    """How much longer, if that can be said: not while the service fails."""
    left_s = snapshot.forecast.left_s
    is_known = snapshot.forecast.left and left_s < math.inf and not snapshot.is_failing
    return f"{duration(left_s)} left" if is_known else ""


def verdict(snapshot: Snapshot) -> str:
    """Whether that fits into the run's time; nothing where there is no limit, or nothing is known."""
    if not eta(snapshot) or snapshot.until is None:
        return ""
    return f"{said_fit(snapshot.forecast)} until {snapshot.until:%H:%M}"


def duration(seconds: float) -> str:
    """`4.2 s`, `42 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 9.95:  # noqa: PLR2004 - what rounds to less than ten shows a tenth
        return f"{seconds:.1f} s"
    minutes, rest_s = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest_s} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest_s} s"


class Progress:
    """Shows snapshots until cancelled. Reads counters ten times a second at most, so it costs the run nothing."""

    def __init__(
        self, style: Style, *, title: str, snapshot: Callable[[], Snapshot], clock: Clock, stream: TextIO | None = None
    ) -> None:
        self._style = style
        self._title = title
        self._snapshot = snapshot
        self._clock = clock
        self._stream = sys.stderr if stream is None else stream

    async def show(self) -> None:
        """Run until cancelled; the bar then stays as it was last, with everything counted."""
        if self._style == "none":
            return
        bar: AbstractContextManager[_Bar | None] = nullcontext()
        if self._style == "bar":
            bar = await asyncio.to_thread(_Bar, self._title, self._stream)  # imports rich, which would hold the loop
        try:
            with bar as shown:
                await self._keep_drawing(shown)
        except OSError:
            return  # stderr is gone: that ends the display, not the run

    def status(self) -> str:
        """The run at this moment, in one line."""
        return f"{self._title}: {line(self._snapshot())}"

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
            bar.draw(self._snapshot())


class _Bar:
    """Two lines that rich redraws: the bar with its numbers, and what is worth a look. Importing rich costs 55 ms."""

    def __init__(self, title: str, stream: TextIO) -> None:
        from rich.console import Console  # noqa: PLC0415
        from rich.live import Live  # noqa: PLC0415
        from rich.progress_bar import ProgressBar  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415

        self._title = title
        self._bar, self._table = ProgressBar, Table
        self._live = Live(console=Console(file=stream, highlight=False), auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def draw(self, snapshot: Snapshot) -> None:
        numbers = self._table.grid(padding=(0, 1), expand=True)
        numbers.add_column(no_wrap=True)
        numbers.add_column(ratio=1)
        for _ in range(2):
            numbers.add_column(no_wrap=True, justify="right")
        total, done = snapshot.total, snapshot.done
        bar = self._bar(total, done, pulse=total is None, complete_style="cyan", pulse_style="cyan")
        numbers.add_row(self._title, bar, count(snapshot), eta(snapshot))
        lines = self._table.grid(expand=True)
        lines.add_column(no_wrap=True)
        lines.add_row(numbers)
        words = [part for part in (pace(snapshot), verdict(snapshot), *remarks(snapshot)) if part]
        lines.add_row(f"{' ' * len(self._title)} {', '.join(words)}", style="dim")
        self._live.update(lines, refresh=True)
