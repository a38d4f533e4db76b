"""How full the fullest second, ten seconds and minute of a run were, from the times its requests left. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

SPANS_S: Final = {"fullest_1_s": 1.0, "fullest_10_s": 10.0, "fullest_60_s": 60.0}
"""The lengths of the windows, by the names they have in the ledger."""

_ROUNDING: Final = 1e-9
"""What ten a minute may lack of ten, as a product of floats."""


class FullestWindows:
    """The most departures that any window held, wherever it began; one that begins at t ends before t + its length.

    Keeps the times of the last minute, each once.
    """

    def __init__(self) -> None:
        self.requests = 0
        self._fullest = [0] * len(SPANS_S)
        self._ages: list[deque[float]] = [deque() for _ in SPANS_S]
        """The times that are in each window, and in no shorter one."""
        older = [*self._ages[1:], deque[float](maxlen=0)]  # which forgets
        self._steps = list(zip(range(len(SPANS_S)), SPANS_S.values(), self._ages, older, strict=True))

    def add(self, at_s: float) -> None:
        """A request leaves at `at_s` seconds of a clock that never goes back."""
        self.requests += 1
        self._ages[0].append(at_s)
        held = 0
        for place, span_s, times, older in self._steps:
            while times and at_s - times[0] >= span_s:
                older.append(times.popleft())
            held += len(times)
            self._fullest[place] = max(self._fullest[place], held)

    def to_dict(self) -> dict[str, int]:
        """How many requests there were, and the most in a window of each length."""
        return {"requests": self.requests, **dict(zip(SPANS_S, self._fullest, strict=True))}

    def certificate(self, *, rate_per_s: float) -> dict[str, Any]:
        """The fields of `rate_certified`: the figures, the agreed rate, and whether a window was above it."""
        limits = (most(span_s, rate_per_s=rate_per_s) for span_s in SPANS_S.values())
        exceeded = any(count > limit for count, limit in zip(self._fullest, limits, strict=True))
        return {**self.to_dict(), "rate_limit_per_s": rate_per_s, "exceeded": exceeded}


def most(span_s: float, *, rate_per_s: float) -> int:
    """How many requests a window may hold: rate x length, rounded down, and one.

    An even stream has one where the window begins, and may have another just before its end.
    """
    return math.floor(rate_per_s * span_s + _ROUNDING) + 1


@dataclass(slots=True)
class Certificate:
    """What the parts of a run have certified, as one: the fullest windows of any, above the rate if one was."""

    parts: int = 0
    """How many have begun."""
    certified: int = 0
    """How many came as far as their certificate: one that was killed did not."""
    requests: int = 0
    rate_limit_per_s: float = 0.0
    """Of the latest."""
    exceeded: bool = False
    fullest: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPANS_S, 0))

    def add_event(self, event: str, fields: Mapping[str, Any]) -> None:
        """Take in a ledger line. Raises KeyError or TypeError for a certificate that is none."""
        match event:
            case "run_started" | "run_continued":
                self.parts += 1
            case "rate_certified":
                self._add(fields)
            case _:
                pass

    def _add(self, fields: Mapping[str, Any]) -> None:
        requests, *fullest = (_count(fields[name]) for name in ("requests", *SPANS_S))
        rate_per_s, exceeded = fields["rate_limit_per_s"], fields["exceeded"]
        if type(rate_per_s) not in {int, float} or not 0 < rate_per_s < math.inf or type(exceeded) is not bool:
            raise TypeError("no certificate")
        self.certified += 1
        self.requests += requests
        self.rate_limit_per_s = rate_per_s
        self.exceeded = self.exceeded or exceeded
        self.fullest = {name: max(self.fullest[name], count) for name, count in zip(SPANS_S, fullest, strict=True)}

    @property
    def unknown_parts(self) -> int:
        """How many parts have no certificate."""
        return max(0, self.parts - self.certified)

    def to_dict(self) -> dict[str, Any] | None:
        """JSON form; None if no part has its certificate."""
        if not self.certified:
            return None
        return {
            "requests": self.requests,
            **self.fullest,
            "rate_limit_per_s": self.rate_limit_per_s,
            "exceeded": self.exceeded,
            "unknown_parts": self.unknown_parts,
        }


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f"{value!r} is no count")
    return value
