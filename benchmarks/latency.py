"""How much of wrk's throughput the engine reaches against a service that takes 50 ms, and that nothing caps it at 100.

Run it with `python -m benchmarks.latency [ROUNDS]`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks import programs
from benchmarks.disk import work_folder
from benchmarks.rounds import Laps, Verdict, conclude, race, table, throughput_ratio
from benchmarks.target import LATENCY_MS, Target, serving

GOALS: Final = {64: 0.97, 128: 0.97, 256: 0.93}
"""Of wrk's throughput, by concurrency."""
ROUNDS: Final = 5
SECONDS: Final = 4


def main(rounds: int = ROUNDS) -> int:
    """Print a table per concurrency and the goals; 1 if one is missed."""
    if programs.is_missing("wrk"):
        return 0
    with serving() as target, tempfile.TemporaryDirectory(prefix=".bench-", dir=work_folder()) as folder:
        if target is None or target.slow_base_url is None:
            print(
                "SKIPPED: benchmarks.latency needs nginx with its echo module (apt-get install nginx-light)",
                file=sys.stderr,
            )
            return 0
        verdicts = []
        for concurrency, goal in GOALS.items():
            laps = measure(target, target.slow_base_url, Path(folder), concurrency=concurrency, rounds=rounds)
            print(f"{rounds} shuffled rounds at concurrency {concurrency}, {LATENCY_MS} ms\n{table(laps)}\n")
            ratio = throughput_ratio(laps, "engine", "wrk")
            verdicts.append(Verdict(f"throughput over wrk at concurrency {concurrency}, {LATENCY_MS} ms", ratio, goal))
    return conclude(verdicts)


def measure(target: Target, base_url: str, folder: Path, *, concurrency: int, rounds: int) -> Laps:
    """The engine and wrk, each for about SECONDS a round."""
    count = concurrency * SECONDS * 1000 // LATENCY_MS
    with programs.in_python("engine", base_url=base_url, concurrency=concurrency, count=count, folder=folder) as engine:
        wrk = programs.wrk(target, folder, concurrency=concurrency, seconds=SECONDS)
        return race({"wrk": wrk, "engine": engine}, rounds=rounds)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
