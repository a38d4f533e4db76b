"""How close the adaptive gate comes to a limit nobody told it, and how often it is refused on the way.

`python -m benchmarks.adaptive [SEEDS]` runs the real engine and gates in virtual time, against the services of
`benchmarks/limits.py`; `make bench-adaptive` does that, and then the same over sockets (`benchmarks/adaptive_real.py`).
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence

from benchmarks.limits import CEILING_PER_S, HELD_OUT, OTHERS, TUNED, Service
from benchmarks.virtual_run import Drive, drive

SEEDS = 5
A_WINDOW = 2
"""Refusals that a window of a minute may have, after the first two."""


def main(arguments: list[str]) -> int:
    """Print a line per service; 1 if a goal was missed."""
    seeds = int(arguments[0]) if arguments else SEEDS
    print(f"Agreed {CEILING_PER_S:g}/s, virtual time, median of {seeds} seeds [least-most]\n")
    missed = []
    for title, services in (("The goals", TUNED), ("Looked at on the way", OTHERS), ("Held out", HELD_OUT)):
        print(f"{title:32}  {'time / least':>20}  {'refused, %':>20}  {'in flight':>9}")
        for service in services:
            drives = [drive(service, seed=seed) for seed in range(seeds)]
            line, is_missed = told(service, drives)
            print(line, flush=True)
            missed += [service.name] if is_missed else []
        print()
    print(f"missed: {', '.join(missed)}" if missed else "all goals met")
    return int(bool(missed))


def told(service: Service, drives: Sequence[Drive]) -> tuple[str, bool]:
    """The line about one service, and whether it misses a goal."""
    times = [drive.took_s / service.least_s for drive in drives]
    refused = [100 * len(drive.refused_s) / service.reports for drive in drives]
    flying = max(drive.most_flying for drive in drives)
    is_missed = _exceeds(times, service.time_goal) or _exceeds(refused, service.refused_goal)
    line = f"{service.name:32}  {_spread(times, 3)}  {_spread(refused, 2)}  {flying:9}"
    if service.limit is not None and service.limit.startswith("10/min"):
        worst = max(max(drive.refused_in_periods(60.0)[2:], default=0) for drive in drives)
        line += f"  at most {worst} in a minute after the first two"
        is_missed |= service.time_goal is not None and worst > A_WINDOW
    goals = [f"{goal:g}" for goal in (service.time_goal, service.refused_goal) if goal is not None]
    return line + (f"  goals {', '.join(goals)}{': MISSED' if is_missed else ''}" if goals else ""), is_missed


def _spread(values: Sequence[float], digits: int) -> str:
    spread = f"[{min(values):.{digits}f}-{max(values):.{digits}f}]"
    return f"{statistics.median(values):.{digits}f} {spread:>13}".rjust(20)


def _exceeds(values: Sequence[float], goal: float | None) -> bool:
    return goal is not None and statistics.median(values) > goal


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
