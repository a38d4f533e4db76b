"""Shuffled, interleaved rounds and what they say: ratios within a round, and the low decile of the CPU time."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

DECILE: Final = 10


@dataclass(frozen=True, slots=True)
class Lap:
    """One contestant's part of one round."""

    requests: int
    cpu_s: float
    wall_s: float

    @property
    def cpu_us(self) -> float:
        """CPU microseconds a request."""
        return self.cpu_s / self.requests * 1e6

    @property
    def per_s(self) -> float:
        """Requests a second."""
        return self.requests / self.wall_s


Laps = Mapping[str, Sequence[Lap]]


def race(contestants: Mapping[str, Callable[[], Lap]], *, rounds: int) -> dict[str, list[Lap]]:
    """Let everybody run once a round, in an order drawn anew each time. A first round that warms up is not counted."""
    laps: dict[str, list[Lap]] = {name: [] for name in contestants}
    order = list(contestants)
    for number in range(rounds + 1):
        random.shuffle(order)
        for name in order:
            lap = contestants[name]()
            if number:
                laps[name].append(lap)
    return laps


def low_cpu_us(laps: Sequence[Lap]) -> float:
    """CPU microseconds a request in the laps that were disturbed least: whatever else runs here only ever adds."""
    return sorted(lap.cpu_us for lap in laps)[len(laps) // DECILE]


def cpu_ratio(laps: Laps, name: str, other: str) -> float:
    """CPU of one contestant over another's, low decile against low decile."""
    return low_cpu_us(laps[name]) / low_cpu_us(laps[other])


def throughput_ratio(laps: Laps, name: str, other: str) -> float:
    """Throughput of one contestant over another's, the median of the rounds."""
    return statistics.median(mine.per_s / theirs.per_s for mine, theirs in zip(laps[name], laps[other], strict=True))


def table(laps: Laps) -> str:
    """One line a contestant."""
    lines = [f"{'contestant':<16}{'CPU us/PUT, low decile':>24}{'median':>9}{'PUT/s, median':>16}  [min-max]"]
    for name, own in laps.items():
        rates = sorted(lap.per_s for lap in own)
        lines.append(
            f"{name:<16}{low_cpu_us(own):>24,.1f}{statistics.median(lap.cpu_us for lap in own):>9,.1f}"
            f"{statistics.median(rates):>16,.0f}  [{rates[0]:,.0f}-{rates[-1]:,.0f}]"
        )
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One goal and what was measured."""

    what: str
    measured: float
    goal: float
    at_most: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the measured figure keeps the goal."""
        return self.measured <= self.goal if self.at_most else self.measured >= self.goal

    def __str__(self) -> str:
        bound = "<=" if self.at_most else ">="
        return (
            f"{self.what:<58}{self.measured:>8.2f}  goal {bound} {self.goal:<6g} {'met' if self.is_met else 'MISSED'}"
        )


def conclude(verdicts: Sequence[Verdict]) -> int:
    """Print them; 1 if a goal was missed."""
    print("\n".join(map(str, verdicts)), flush=True)
    return int(not all(verdict.is_met for verdict in verdicts))
