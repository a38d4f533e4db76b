"""How fast a ledger is proven: `bulkpause audit verify` over a million lines, and what a line of the chain costs.

Run it with `python -m benchmarks.ledger [LINES]`. The goal is that of issue 3 section 7. The ledger is what a run of
half as many reports writes: an intent and an outcome each. Verifying is timed as an operator meets it, start and all.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final
from uuid import UUID

from benchmarks.rounds import Verdict, conclude
from bulkpause.audit import AuditLog
from bulkpause.clock import SystemClock

LINES: Final = 1_000_000
ROUNDS: Final = 3
GOAL_PER_S: Final = 200_000
COMMAND: Final = Path(sys.executable).with_name("bulkpause")
RUN_ID: Final = "20261124-220410-0b5c2c"


async def write_ledger(file: Path, lines: int) -> float:
    """A ledger of so many lines, and the CPU microseconds that each took, the syncs of the disk included."""
    began_s = time.process_time()
    async with AuditLog(file, run_id=RUN_ID, clock=SystemClock()) as log:
        log.write("run_started", {"operation": "pause", "target": "https://localhost", "source": "reports.csv"})
        for number in range((lines - 2) // 2):
            report_id, request_id = str(UUID(int=number)), str(UUID(int=number << 64))
            exchange = {"request_id": request_id, "correlation_id": request_id}
            log.write("attempt_started", {"report_id": report_id, "attempt": 1, **exchange})
            log.write(
                "outcome",
                {
                    "report_id": report_id,
                    "operation": "pause",
                    "status": "succeeded",
                    "status_code": 200,
                    "http_status": 200,
                    "report_status": "Paused",
                    "message": "",
                    "tries": 1,
                    "sent": 1,
                    "error": None,
                    "elapsed_ms": 12.345,
                    "attempt_ms": 12.345,
                    **exchange,
                    "row": number + 2,
                },
            )
            if number % 500 == 0:
                await log.durable()
        log.seal("run_finished", {"summary": {}})
    return (time.process_time() - began_s) / lines * 1e6


def main() -> int:
    """Print what was measured; 1 if the goal is missed."""
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else LINES
    with tempfile.TemporaryDirectory(prefix="bulkpause-ledger-") as folder:
        file = Path(folder, "audit.jsonl")
        cost_us = asyncio.run(write_ledger(file, lines))
        print(f"written: {lines:,} lines, {file.stat().st_size / 1e6:,.0f} MB, {cost_us:.1f} us of CPU a line")
        rates, said = [], ""
        for _ in range(ROUNDS):
            began_s = time.monotonic()
            done = subprocess.run([COMMAND, "audit", "verify", str(file)], capture_output=True, text=True, check=False)
            rates.append(lines / (time.monotonic() - began_s))
            said = done.stdout
            if done.returncode:
                raise SystemExit(f"audit verify ended with {done.returncode}: {said}{done.stderr}")
        print(said.splitlines()[0])
        print(f"verified: {', '.join(f'{rate:,.0f}' for rate in rates)} lines/s")
    return conclude([Verdict("audit verify, lines/s, median of the rounds", statistics.median(rates), GOAL_PER_S)])


if __name__ == "__main__":
    sys.exit(main())
