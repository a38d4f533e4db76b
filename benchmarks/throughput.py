"""What the engine with everything on costs over a bare aiohttp loop, and how it compares with other ways to do the job.

Run it with `python -m benchmarks.throughput [ROUNDS]`. No latency, concurrency 64, plain asyncio, ledger on a disk.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from benchmarks import programs
from benchmarks.contestants import WITHOUT_LEDGER
from benchmarks.disk import work_folder
from benchmarks.rounds import Lap, Verdict, conclude, cpu_ratio, race, table, throughput_ratio
from benchmarks.target import serving

CONCURRENCY: Final = 64
ROUNDS: Final = 15
PUTS: Final = 3_000

PEERS: Final = {
    "naive": (PUTS, "tenacity", 2.8),
    "requests": (1_000, "requests", 7.0),
    "httpx": (300, "httpx", 50.0),
}
"""PUTs a round, the module it needs, and how many times its throughput the engine should have."""
PROGRAMS: Final = {
    "xargs curl": (100, programs.xargs_curl, 60.0),
    "curl --parallel": (PUTS, programs.curl_parallel, 0.6),
}


def main(rounds: int = ROUNDS) -> int:
    """Print the table and the goals; 1 if one is missed."""
    with ExitStack() as scope:
        target = scope.enter_context(serving())
        if target is None:
            print("SKIPPED: benchmarks.throughput needs nginx (apt-get install nginx-light)", file=sys.stderr)
            return 0
        folder = Path(scope.enter_context(tempfile.TemporaryDirectory(prefix=".bench-", dir=work_folder())))
        contestants: dict[str, Callable[[], Lap]] = {}
        for name, count in {"bare": PUTS, "engine": PUTS, WITHOUT_LEDGER: PUTS, **installed_peers()}.items():
            contestants[name] = scope.enter_context(
                programs.in_python(name, base_url=target.base_url, concurrency=CONCURRENCY, count=count, folder=folder)
            )
        for name, (count, program, _) in PROGRAMS.items():
            if not programs.is_missing("curl"):
                contestants[name] = program(
                    base_url=target.base_url, concurrency=CONCURRENCY, count=count, folder=folder
                )
        laps = race(contestants, rounds=rounds)
    print(f"{rounds} shuffled rounds at concurrency {CONCURRENCY}, no latency\n{table(laps)}\n")
    goals = {name: goal for name, (_, _, goal) in PEERS.items()} | {
        name: goal for name, (_, _, goal) in PROGRAMS.items()
    }
    return conclude(
        [
            Verdict("CPU per PUT over the bare loop", cpu_ratio(laps, "engine", "bare"), 1.25, at_most=True),
            Verdict(
                "throughput over the same engine without a ledger",
                throughput_ratio(laps, "engine", WITHOUT_LEDGER),
                0.9,
            ),
            Verdict("throughput over the bare loop", throughput_ratio(laps, "engine", "bare"), 0.8),
            *(
                Verdict(f"throughput over {name}", throughput_ratio(laps, "engine", name), goal)
                for name, goal in goals.items()
                if name in laps
            ),
        ]
    )


def installed_peers() -> dict[str, int]:
    """PUTs a round by peer; those not installed are named loudly."""
    for name, (_, module, _) in PEERS.items():
        if find_spec(module) is None:
            print(f"SKIPPED: {name} needs {module} (pip install --group bench)", file=sys.stderr)
    return {name: count for name, (count, module, _) in PEERS.items() if find_spec(module) is not None}


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
