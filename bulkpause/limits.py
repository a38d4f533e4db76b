"""When a run must be over: how an operator says it, what moment that is, and how late an attempt may leave. Pure."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Final, NamedTuple

DURATION_FORMS: Final = "45m, 1h30m, 90s or 2700 (seconds)"
UNTIL_FORMS: Final = (
    "23:30 (local time), 23:30 Europe/Amsterdam, 23:30+01:00, 23:30Z or, with a date, 2026-11-24T23:30+01:00"
)
RETRY_SHARE: Final = 0.25
"""The most of a window that is kept free of new reports for the retries of those already begun."""

_DURATION: Final = re.compile(
    r"(?=\d)(?:(?P<h>\d+(?:\.\d+)?) ?h)? ?(?:(?P<m>\d+(?:\.\d+)?) ?m(?:in)?)? ?(?:(?P<s>\d+(?:\.\d+)?) ?s?)?", re.ASCII
)
_UNIT_S: Final = {"h": 3600, "m": 60, "s": 1}
_UNTIL: Final = re.compile(
    r"(?:(?P<date>\d{4}-\d{2}-\d{2})[Tt ])?(?P<time>\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)"
    r" ?(?:(?P<offset>[Zz]|[+-]\d{2}:\d{2})|(?P<zone>[A-Za-z][A-Za-z0-9_+/-]*))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as an operator names it: of any day or of one, in a zone or, without one, in local time."""

    time: time
    date: date | None = None
    zone: tzinfo | None = None


def parse_duration(text: str) -> float:
    """Seconds of `45m`, `1h30m`, `90s` or a bare number of seconds. ValueError names the forms."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"must be a duration such as {DURATION_FORMS}")
    return sum(float(number) * _UNIT_S[unit] for unit, number in match.groupdict().items() if number is not None)


def spell_duration(seconds: float) -> str:
    """The same as `parse_duration` reads it: `1h30m`, `45m`, `2.5s`."""
    minutes, rest_s = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [(f"{hours}h", hours), (f"{minutes}m", minutes), (f"{rest_s:.10g}s", rest_s)]
    return "".join(text for text, amount in parts if amount) or "0s"


def parse_until(text: str) -> Moment:
    """The moment that `23:30`, `23:30 Europe/Amsterdam`, `23:30Z` and so on name. ValueError names the forms."""
    match = _UNTIL.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError  # noqa: TRY301 - the same words as for a time that is none
        hour, _, rest = match["time"].partition(":")
        at = time.fromisoformat(f"{int(hour):02}:{rest}")
        day = None if match["date"] is None else date.fromisoformat(match["date"])
        offset = None if match["offset"] is None else _offset(match["offset"])
    except ValueError:
        raise ValueError(f"must be a time such as {UNTIL_FORMS}") from None
    return Moment(at, day, offset if match["zone"] is None else _zone(match["zone"]))


def resolve_until(until: Moment, *, now: datetime, local: tzinfo) -> datetime:
    """The first instant after `now` (aware) that shows `until` on a clock of its zone, else of `local`.

    A time that the clocks skip stands for the moment they do; of one that they show twice, the earlier counts while it
    is ahead: a limit is never later than meant. It comes with the offset that holds then. ValueError: it has passed.
    """
    zone = until.zone or local
    here = now.astimezone(zone)
    days = [here.date() + timedelta(days=day) for day in range(-1, 3)] if until.date is None else [until.date]
    instants = [instant for day in days for instant in _instants(datetime.combine(day, until.time), zone)]
    ahead = min((instant for instant in instants if instant > now), default=None)
    if ahead is None:
        raise ValueError(f"has passed: it is {here.isoformat(sep=' ', timespec='seconds')} now")
    return ahead.astimezone(timezone(ahead.astimezone(zone).utcoffset() or timedelta(0)))


def _instants(naive: datetime, zone: tzinfo) -> list[datetime]:
    """When a clock of `zone` shows `naive`, in UTC: once, twice, or, if never, when it jumps over it."""
    candidates = [naive.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    shown = [one for one in candidates if one.astimezone(zone).replace(tzinfo=None, fold=0) == naive]
    if shown:
        return sorted(set(shown))
    before, after = min(candidates), max(candidates)
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(microseconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return [after]


def _offset(text: str) -> tzinfo:
    if text in {"Z", "z"}:
        return UTC
    hours, minutes = int(text[1:3]), int(text[4:])
    if minutes > 59:  # noqa: PLR2004 - of an hour
        raise ValueError(text)
    return timezone((-1 if text[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes))


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415 - most limits name no zone

    if name.upper() == "UTC":
        return UTC  # the one that is known where there is no database of zones, as on Windows
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # the last two for a name that is a folder of zones
        raise ValueError(
            f"names the time zone {name!r}, which this machine does not know; give an offset, as in 23:30+01:00"
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time that a run has: until an instant of the wall clock, for so many seconds, or what ends first of both."""

    until: datetime | None = None
    time_limit_s: float | None = None
    guard_s: float = 0.0
    """By how much before the limit all must be over."""

    @property
    def is_limited(self) -> bool:
        """Whether it ends at all."""
        return self.until is not None or self.time_limit_s is not None

    def left_s(self, *, now: datetime, elapsed_s: float) -> float:
        """Seconds until the limit less the guard, `elapsed_s` seconds after the start; infinite without a limit."""
        until_s = math.inf if self.until is None else (self.until - now).total_seconds()
        limit_s = math.inf if self.time_limit_s is None else self.time_limit_s - elapsed_s
        return min(until_s, limit_s) - self.guard_s

    def ends_at(self, *, now: datetime, elapsed_s: float) -> datetime | None:
        """The limit on the wall clock, the guard not taken off; None without one."""
        if self.time_limit_s is None:
            return self.until
        ends_at = now + timedelta(seconds=self.time_limit_s - elapsed_s)
        return ends_at if self.until is None else min(ends_at, self.until)


class Reserve(NamedTuple):
    """How many seconds before the limit less the guard an attempt must leave."""

    first_s: float
    """The first one of a report."""
    retry_s: float
    """Any other: so that its timeout has passed by then, and nothing is in flight."""


def reserve(window_s: float, *, timeout_s: float, backoff_s: float) -> Reserve:
    """What a window of `window_s` seconds keeps free at its end, for attempts of `timeout_s`.

    A report is begun only while there is time for its attempt and for one retry, each in full, with the longest first
    backoff between them; but no more than a quarter of the window is kept free for that retry.
    """
    return Reserve(timeout_s + min(backoff_s + timeout_s, RETRY_SHARE * max(0.0, window_s)), timeout_s)
