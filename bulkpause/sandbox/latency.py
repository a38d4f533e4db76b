"""How fast the sandbox answers. Pure: chance is passed in."""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass
from typing import Final

_UNIT_S: Final = {"ms": 0.001, "s": 1.0, "min": 60.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|min)", re.ASCII)
_SIGMA: Final = re.compile(r"\d(?:\.\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Latency:
    """A distribution of reply times: constant (low = high), uniform, or log-normal around a median."""

    low_s: float = 0.0
    high_s: float = 0.0
    sigma: float = 0.0
    """Spread of the logarithm; above 0 the distribution is log-normal with median `low_s`."""

    def sample_s(self, rng: random.Random) -> float:
        """Seconds until the next reply."""
        if self.sigma:
            return self.low_s * math.exp(rng.gauss(0.0, self.sigma))
        return self.low_s if self.low_s == self.high_s else rng.uniform(self.low_s, self.high_s)


NO_LATENCY: Final = Latency()


def parse_latency(text: str) -> Latency:
    """`50ms`, `0.2s`, `20ms..200ms` or `lognormal:50ms,0.5` (median, sigma); ValueError names the forms."""
    head, _, rest = text.partition(":")
    try:
        if head == "lognormal":
            median, _, sigma = rest.partition(",")
            latency = Latency(_duration_s(median), _duration_s(median), _sigma(sigma or "0.5"))
        else:
            low, dots, high = text.partition("..")
            latency = Latency(_duration_s(low), _duration_s(high if dots else low))
    except ValueError:
        raise ValueError(f"latency {text!r} is not one of 50ms, 20ms..200ms, lognormal:50ms,0.5") from None
    if latency.low_s > latency.high_s:
        raise ValueError(f"latency {text!r} runs backwards")
    return latency


def _duration_s(text: str) -> float:
    match = _DURATION.fullmatch(text)
    if match is None and float(text) != 0:
        raise ValueError(text)
    return float(match[1]) * _UNIT_S[match[2]] if match else 0.0


def _sigma(text: str) -> float:
    if not _SIGMA.fullmatch(text):  # float() takes nan and inf as well
        raise ValueError(text)
    return float(text)
