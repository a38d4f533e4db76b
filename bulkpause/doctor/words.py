"""PURE: figures as the checks spell them."""

from __future__ import annotations

from typing import Final

_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86400
_YEAR_DAYS: Final = 365


def said_span(seconds: float) -> str:
    """`20 s`, `59 min`, `2 h 5 min`, `340 days`, `9 years`; a span of time, whichever way it points."""
    seconds = abs(seconds)
    if seconds < _MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S:.0f} min"
    if seconds < 2 * _DAY_S:
        hours, minutes = divmod(int(seconds // _MINUTE_S), _MINUTE_S)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days = seconds // _DAY_S
    return f"{days:.0f} days" if days < 3 * _YEAR_DAYS else f"{days // _YEAR_DAYS:,.0f} years"


def said_ms(ms: float) -> str:
    """`0.8 ms`, `35 ms`, `1,204 ms`."""
    return f"{ms:.1f} ms" if ms < 10 else f"{ms:,.0f} ms"  # noqa: PLR2004 - a tenth says something only of little


def said_size(size_bytes: int) -> str:
    """`12.3 GB`, `85 MB`; decimal, as disks are sold."""
    for unit, factor in (("TB", 10**12), ("GB", 10**9)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.1f} {unit}"
    return f"{size_bytes / 10**6:.0f} MB"


def said_list(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
