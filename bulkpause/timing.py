"""The time a run has under its settings, and what is foretold of it: before it, on the way, and looking back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from bulkpause.clock import Clock, LocalZone
from bulkpause.curfew import Curfew
from bulkpause.forecast import Course, Forecast
from bulkpause.limits import Reserve, Window, reserve
from bulkpause.models import Halt
from bulkpause.progress import duration
from bulkpause.settings import Settings

LOOK_S: Final = 0.5
"""How often a run is looked at to learn its pace."""

SURE_SHARE: Final = 0.1
"""From this part of the reports on, a forecast is good to a tenth; the one made then is kept for the summary."""


def window_of(settings: Settings) -> Window:
    """The time that the settings give a run."""
    run = settings.run
    return Window(
        until=None if run.until is None else run.until.instant,
        time_limit_s=None if run.time_limit is None else run.time_limit.seconds,
        guard_s=run.guard.seconds,
    )


def reserve_for(settings: Settings, window_s: float) -> Reserve:
    """What such a window keeps free at its end."""
    backoff_s = min(settings.retry.backoff_base_s, settings.retry.backoff_cap_s)
    return reserve(window_s, timeout_s=settings.api.timeout_s, backoff_s=backoff_s)


def curfew_for(settings: Settings, *, clock: Clock) -> Curfew:
    """The curfew of a run that begins now."""
    until = settings.run.until
    zone = None if until is None or until.instant is None else until.instant.tzinfo
    return Curfew(
        window_of(settings),
        reserve_for=lambda window_s: reserve_for(settings, window_s),
        clock=clock,
        zone=zone or LocalZone(),
        named=said_limits(settings),
    )


def said_limits(settings: Settings) -> str:
    """The settings that limit the time, as they were given: `run.until 23:30, run.guard 10m`."""
    run = settings.run
    limits = {"run.time_limit": run.time_limit, "run.until": run.until}
    limits |= {"run.guard": run.guard} if run.guard.seconds else {}
    return ", ".join(f"{key} {value}" for key, value in limits.items() if value is not None)


def at_best(settings: Settings, reports: int, curfew: Curfew) -> Forecast:
    """What can be said of so many reports before a run: at the full rate, nothing retried, the time as it is now."""
    per_s = settings.run.rate.per_s
    return Forecast(left=reports, attempts_per_s=per_s, most_per_s=per_s, time_left_s=curfew.beginning_s())


def with_rest(halt: Halt, forecast: Forecast) -> Halt:
    """The end of a run by its time limit, with what it leaves."""
    reports = "1 report is" if forecast.left == 1 else f"{forecast.left:,} reports are"
    takes = f", about {duration(forecast.left_s)} at the pace of this run" if forecast.attempts_per_s > 0 else ""
    return replace(halt, message=f"{halt.message}. {reports} left{takes}; the Next command does the rest.")


class Outlook:
    """Learns the pace of one run from its counts, and foretells the rest."""

    def __init__(
        self,
        curfew: Curfew,
        *,
        most_per_s: Callable[[], float],
        expected_per_s: Callable[[], float | None] = lambda: None,
        clock: Clock,
    ) -> None:
        """`expected_per_s`: the rate the gates will keep to, None where the run's own pace tells more."""
        self._curfew = curfew
        self._most_per_s = most_per_s
        self._expected_per_s = expected_per_s
        self._clock = clock
        self._course = Course(clock.monotonic_s())
        self._began_s = clock.monotonic_s()
        self._first: tuple[float, Forecast] | None = None
        """The forecast made when a tenth was done, and when that was."""

    def look(self, *, done: int, total: int | None, answered: int, in_flight: int, held_s: float) -> Forecast:
        """The forecast now; without a total, that of no reports left."""
        now_s, course = self._clock.monotonic_s(), self._course
        course.update(now_s, done=done, answered=answered, in_flight=in_flight)
        forecast = self.of(0 if total is None else max(0, total - done), held_s=held_s)
        if self._first is None and total and SURE_SHARE * total <= done < total:
            self._first = now_s - self._began_s, forecast
        return forecast

    def of(self, reports: int, *, held_s: float = 0.0) -> Forecast:
        """What is foretold of so many reports at the pace so far."""
        return Forecast(
            left=reports,
            attempts_per_s=self._attempts_per_s(),
            attempts_per_report=self._course.attempts_per_report,
            held_s=held_s,
            most_per_s=self._most_per_s(),
            time_left_s=self._curfew.beginning_s(),
        )

    def _attempts_per_s(self) -> float:
        """The rate from here on; nothing is foretold of a run from which nothing has left yet."""
        expected_per_s = self._expected_per_s() if self._course.attempts_per_s else None
        return self._course.attempts_per_s if expected_per_s is None else expected_per_s

    async def keep_looking(self, look: Callable[[], object]) -> None:
        """Look until cancelled, so that the pace is known whether or not anybody watches."""
        while True:
            look()
            await self._clock.sleep(LOOK_S)

    def looking_back(self, *, left: int) -> dict[str, Any] | None:
        """What was foretold when a tenth was done, beside what came of it; and how long what is left would take.

        To be asked when the last outcome has just come. None for a run that ended too soon for either.
        """
        at_tenth = None
        if self._first is not None:
            after_s, forecast = self._first
            came_s = self._clock.monotonic_s() - self._began_s - after_s
            at_tenth = {
                "after_s": round(after_s, 3),
                **forecast.to_dict(),
                "came_s": None if left else round(came_s, 3),
            }
        at_end = self.of(left).to_dict() if left else None
        return None if at_tenth is at_end is None else {"at_tenth": at_tenth, "at_end": at_end}
