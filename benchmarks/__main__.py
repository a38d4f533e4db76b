"""`make bench`: every benchmark of the repository, one after another; each also runs by its own name.

`python -m benchmarks [NAME ...]` with names from PARTS. Ends with 1 if a goal was missed; what cannot run says SKIPPED.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Final

PARTS: Final = (
    "throughput",
    "latency",
    "loop_delay",
    "memory",
    "startup",
    "sandbox",
    "ledger",
    "continuing",
    "killed",
    "adaptive",
    "adaptive_real",
    "sign_in",
)


def main(names: list[str]) -> int:
    """Run each part in a process of its own, so that none inherits the other's heap or core."""
    unknown = set(names) - set(PARTS)
    if unknown:
        print(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    missed = []
    for name in names or PARTS:
        print(f"\n== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            missed.append(name)
    print(f"\nmissed a goal or failed: {', '.join(missed)}" if missed else "\nall goals met")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
