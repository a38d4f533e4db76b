"""What a million ids from a pipe cost in memory, how soon the first PUT leaves, how long a stop takes to record them.

Run it with `python -m benchmarks.memory [IDS]`. Resident memory is read from outside, in /proc/PID/status.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from benchmarks.disk import work_folder
from benchmarks.rounds import Verdict, conclude
from benchmarks.target import serving

IDS: Final = 1_000_000
BYTES_AN_ID: Final = 120
"""What remembering an id, so that a duplicate is seen, may cost."""
FIRST_PUT_S: Final = 2.0
RATE: Final = "20/s"
INTERRUPTED: Final = 130
COMMAND: Final = Path(sys.executable).with_name("bulkpause")


@dataclass(frozen=True, slots=True)
class Reading:
    """A command after it has read everything, and its resident bytes after a tenth and then."""

    process: subprocess.Popen[bytes]
    started_s: float
    tenth_bytes: int
    end_bytes: int
    read_s: float

    def bytes_an_id(self, count: int) -> float:
        """What each id after the first tenth added."""
        return (self.end_bytes - self.tenth_bytes) / (0.9 * count)

    def __str__(self) -> str:
        mib = 1 << 20
        return f"{self.tenth_bytes / mib:.1f} MiB after a tenth, {self.end_bytes / mib:.1f} MiB at the end of reading"


def main(count: int = IDS) -> int:
    """Print what was measured and the goals; 1 if one is missed."""
    if not Path("/proc/self/status").exists():
        print("SKIPPED: benchmarks.memory reads /proc, which this platform has not", file=sys.stderr)
        return 0
    dry = read_all(["pause", "-", "--dry-run"], count=count)
    end(dry)
    print(f"--dry-run: {dry}, read in {dry.read_s:.1f} s")
    verdicts = [Verdict("--dry-run: bytes an id", dry.bytes_an_id(count), BYTES_AN_ID, at_most=True)]
    with serving() as target, tempfile.TemporaryDirectory(prefix=".bench-", dir=work_folder()) as folder:
        if target is None:
            print("SKIPPED: the paced run needs nginx (apt-get install nginx-light)", file=sys.stderr)
        else:
            verdicts += paced(target.base_url, Path(folder), count=count)
    return conclude(verdicts)


def paced(base_url: str, folder: Path, *, count: int) -> list[Verdict]:
    """Read everything into a slow run, then interrupt it: what was never sent is recorded as skipped."""
    options = [
        "--yes",
        "--rate",
        RATE,
        "--no-adapt",
        "--base-url",
        base_url,
        "--runs-dir",
        str(folder),
        "--progress",
        "none",
    ]
    run = read_all(["pause", "-", *options], count=count)
    first_put_s = first_outcome_at_s(folder) - run.started_s
    run.process.send_signal(signal.SIGINT)
    stopped_s = time.monotonic()
    end(run, exit_code=INTERRUPTED)
    stop_s = time.monotonic() - stopped_s
    summary = json.loads(next(folder.glob("*/summary.json")).read_bytes())
    skipped, done = summary["by_status"]["skipped"], sum(summary["by_status"].values())
    if done != summary["read"] or done != count:
        raise SystemExit(f"of {count:,} ids {done:,} have an outcome")
    print(f"paced run at {RATE}: {run}, read in {run.read_s:.1f} s; first PUT answered {first_put_s:.2f} s after start")
    print(f"SIGINT: {skipped:,} skipped ids recorded in {stop_s:.1f} s, {stop_s / skipped * 1e6:.1f} us each")
    return [
        Verdict("paced run: bytes an id", run.bytes_an_id(count), BYTES_AN_ID, at_most=True),
        Verdict("paced run: seconds to the first PUT's answer", first_put_s, FIRST_PUT_S, at_most=True),
    ]


def read_all(arguments: list[str], *, count: int) -> Reading:
    """Start the command and pour `count` ids into it; it has taken all but the last 64 KiB when this returns."""
    started_s = time.monotonic()
    process = subprocess.Popen(
        [COMMAND, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "BULKPAUSE_TOKEN": "t" * 1400},
    )
    assert process.stdin is not None  # noqa: S101 - for mypy
    tenth_bytes = 0
    for number, chunk in enumerate(chunks(count), 1):
        process.stdin.write(chunk)
        if number == 10:
            process.stdin.flush()
            tenth_bytes = resident_bytes(process.pid)
    process.stdin.flush()
    time.sleep(0.5)  # for the 64 KiB that a pipe holds
    return Reading(process, started_s, tenth_bytes, resident_bytes(process.pid), time.monotonic() - started_s - 0.5)


def chunks(count: int) -> Iterator[bytes]:
    """A hundredth of the ids at a time, one a line; the same ones every time."""
    rng = random.Random(count)  # noqa: S311 - any ids will do
    for _ in range(100):
        ids = (UUID(int=rng.getrandbits(128), version=4) for _ in range(count // 100))
        yield "".join(f"{report_id}\n" for report_id in ids).encode("ascii")


def resident_bytes(pid: int) -> int:
    """VmRSS of a live process."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def first_outcome_at_s(folder: Path) -> float:
    """When the first outcome was written, as time.monotonic tells it."""
    ledger = next(folder.glob("*/audit.jsonl"))
    with ledger.open(encoding="utf-8") as lines:
        outcome = next(line for line in lines if '"event":"outcome"' in line)
    at = datetime.fromisoformat(json.loads(outcome)["at"])
    return time.monotonic() - (time.time() - at.timestamp())


def end(reading: Reading, *, exit_code: int = 0) -> None:
    """Close its stdin and wait for the exit code."""
    said = reading.process.communicate()[1].decode()
    if reading.process.returncode != exit_code:
        raise SystemExit(f"exit code {reading.process.returncode} instead of {exit_code}:\n{said}")


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
