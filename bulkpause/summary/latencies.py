"""How long exchanges took: a histogram of constant size, precise to a hundredth. Pure."""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

_STEP: Final = math.log(1.02)  # latency buckets grow by 2 %, so a percentile is within 1 % of the truth


class Latencies:
    """A histogram of milliseconds in buckets of 2 %."""

    __slots__ = ("_buckets", "max_ms")

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.max_ms = 0.0

    def add(self, elapsed_ms: float) -> None:
        """Count one exchange."""
        self._buckets[round(math.log(elapsed_ms) / _STEP) if elapsed_ms > 0 else -1000] += 1
        self.max_ms = max(self.max_ms, elapsed_ms)

    def percentile_ms(self, percent: float) -> float | None:
        """The latency that `percent` of the exchanges did not exceed; None before the first."""
        rank = math.ceil(self._buckets.total() * percent / 100)
        for bucket in sorted(self._buckets):
            rank -= self._buckets[bucket]
            if rank <= 0:
                return min(self.max_ms, math.exp(bucket * _STEP))
        return None

    def to_dict(self) -> dict[str, float | None]:
        """JSON form, in milliseconds to a tenth."""
        marks = {"p50": 50.0, "p90": 90.0, "p99": 99.0}
        found = {name: self.percentile_ms(percent) for name, percent in marks.items()}
        return {
            name: None if ms is None else round(ms, 1) for name, ms in {**found, "max": self.max_ms or None}.items()
        }
