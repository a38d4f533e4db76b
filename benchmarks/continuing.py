"""How soon `bulkpause continue` sends its first request behind a million outcomes, and what memory it takes.

Run it with `python -m benchmarks.continuing [OUTCOMES]`. The goals are those of issue 3 section 7. The ledger is that
of a run that was killed with as many reports done and a few hundred left; time and memory are taken from outside.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from benchmarks.disk import work_folder
from benchmarks.memory import COMMAND
from benchmarks.rounds import Verdict, conclude
from benchmarks.target import serving
from bulkpause.audit import AuditLog
from bulkpause.clock import SystemClock
from bulkpause.events import intent_fields, outcome_fields
from bulkpause.models import Entry, Operation, Outcome, ReportId, Status
from bulkpause.runs.identity import Run, new_run
from bulkpause.settings import Api, Settings
from bulkpause.settings import Run as RunSettings

OUTCOMES: Final = 1_000_000
LEFT: Final = 300
START_S: Final = 10.0
MEMORY_MB: Final = 400.0
POLL_S: Final = 0.01


@dataclass(frozen=True, slots=True)
class Started:
    """What the start of a continuation took."""

    first_put_s: float
    peak_mb: float
    done_s: float


def main(count: int = OUTCOMES) -> int:
    """Print what was measured and the goals; 1 if one is missed."""
    if not Path("/proc/self/status").exists():
        print("SKIPPED: benchmarks.continuing reads /proc, which this platform has not", file=sys.stderr)
        return 0
    with serving() as target, tempfile.TemporaryDirectory(prefix=".bench-", dir=work_folder()) as folder:
        if target is None:
            print("SKIPPED: benchmarks.continuing needs nginx (apt-get install nginx-light)", file=sys.stderr)
            return 0
        run = asyncio.run(write_run(Path(folder), target.base_url, count=count))
        size_mb = run.audit_file.stat().st_size / 1e6
        print(f"a run of {count:,} outcomes and {LEFT} reports left, its ledger {size_mb:,.0f} MB")
        started = go_on(run, target.base_url)
    print(f"first new line after {started.first_put_s:.1f} s, done after {started.done_s:.1f} s")
    return conclude(
        [
            Verdict("continue: seconds until it sends", started.first_put_s, START_S, at_most=True),
            Verdict("continue: peak resident memory, MB", started.peak_mb, MEMORY_MB, at_most=True),
        ]
    )


async def write_run(folder: Path, base_url: str, *, count: int) -> Run:
    """The directory of a run that was killed after `count` outcomes."""
    clock, rng = SystemClock(), random.Random(count)  # noqa: S311 - any ids will do
    settings = Settings(api=Api(base_url=base_url), run=RunSettings(runs_dir=folder))
    run = new_run(Operation.PAUSE, settings, source_name="stdin", now=clock.now(), rng=rng)
    ids = [ReportId(str(UUID(int=rng.getrandbits(128), version=4))) for _ in range(count + LEFT)]
    manifest = "report_id,row,invalid\n" + "".join(f"{report_id},{row},\n" for row, report_id in enumerate(ids, 1))
    run.manifest_file.write_text(manifest, encoding="ascii")
    async with AuditLog(run.audit_file, run_id=run.run_id, clock=clock) as log:
        log.write("run_started", {**run.to_fields(), "settings_sha256": "0" * 64})
        digest = hashlib.sha256(manifest.encode()).hexdigest()
        counts = {"read": len(ids), "accepted": len(ids), "duplicate": 0, "invalid": 0}
        log.write("source_read", {**counts, "manifest_sha256": digest})
        for row, report_id in enumerate(ids[:count], 1):
            request_id, correlation_id = str(UUID(int=row)), str(UUID(int=row << 64))
            exchange = {"request_id": request_id, "correlation_id": correlation_id}
            intent = intent_fields(Entry(report_id, row), 1, **exchange, before="Active")
            log.write("attempt_started", intent)
            outcome = Outcome(
                Status.SUCCEEDED,
                row,
                report_id,
                200,
                200,
                "Paused",
                "Report paused",
                tries=1,
                sent=1,
                elapsed_ms=52.25,
                attempt_ms=52.25,
                request_id=request_id,
                correlation_id=correlation_id,
                before="Active",
                modified_time="2026-11-24T09:00:00Z",
            )
            log.write("outcome", outcome_fields(outcome, operation=Operation.PAUSE))
            if row % 1000 == 0:
                await log.durable()
    return run


def go_on(run: Run, base_url: str) -> Started:
    """Continue the run in a process of its own, and watch its ledger and its memory."""
    options = ["--yes", "--no-snapshot", "--rate", "1000/s", "--base-url", base_url, "--progress", "none", "-q"]
    size, began_s, first_s = run.audit_file.stat().st_size, time.monotonic(), None
    process = subprocess.Popen(
        [COMMAND, "continue", str(run.directory), *options],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "BULKPAUSE_TOKEN": "t" * 1400},
    )
    peak_kb = 0
    while process.poll() is None:
        if first_s is None and b'"attempt_started"' in _added(run.audit_file, size):
            first_s = time.monotonic() - began_s
        peak_kb = max(peak_kb, _peak_kb(process.pid))
        time.sleep(POLL_S)
    if process.returncode or first_s is None:
        raise SystemExit(f"continue ended with {process.returncode}")
    return Started(first_s, peak_kb / 1000, time.monotonic() - began_s)


def _added(file: Path, size: int) -> bytes:
    with file.open("rb") as stream:
        stream.seek(size)
        return stream.read(1 << 16)


def _peak_kb(pid: int) -> int:
    """VmHWM; what was seen last where the process has just gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
