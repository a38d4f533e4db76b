"""The goals of the adaptive gate over real sockets: the installed command against the sandbox, a process each.

`python -m benchmarks.adaptive_real [ROUNDS]`. The sandbox's journal says what arrived when. All services of a round run
at once, since each of them mostly waits; 10 a minute would take an hour, and is left to virtual time.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.adaptive import told
from benchmarks.limits import CEILING_PER_S, TUNED, Service
from benchmarks.virtual_run import CONCURRENCY, Drive
from bulkpause.sandbox import SandboxSettings, serve_in_thread

ROUNDS = 3
COMMAND = Path(sys.executable).with_name("bulkpause")


@dataclass(frozen=True, slots=True)
class Lap:
    """What one service saw, and what the machine added to the latency that was asked for."""

    drive: Drive
    latency_ms: float


def main(arguments: list[str]) -> int:
    """Print a line per service; 1 if a goal was missed."""
    rounds = int(arguments[0]) if arguments else ROUNDS
    services = [service for service in TUNED if not (service.limit or "").startswith("10/min")]
    print("SKIPPED here: 10 a minute; `python -m benchmarks.adaptive` has it in virtual time")
    print(f"Agreed {CEILING_PER_S:g}/s, over sockets, median of {rounds} rounds [least-most]\n")
    laps: dict[str, list[Lap]] = {service.name: [] for service in services}
    for _ in range(rounds):
        for service, lap in zip(services, asyncio.run(_race(services)), strict=True):
            laps[service.name].append(lap)
    print(f"{'':32}  {'time / least':>20}  {'refused, %':>20}  {'in flight':>9}")
    missed = []
    for service in services:
        line, is_missed = told(service, [lap.drive for lap in laps[service.name]])
        print(f"{line}  (median latency {statistics.median(lap.latency_ms for lap in laps[service.name]):.0f} ms)")
        missed += [service.name] if is_missed else []
    print(f"\nmissed: {', '.join(missed)}" if missed else "\nall goals met")
    return int(bool(missed))


async def _race(services: list[Service]) -> list[Lap]:
    return await asyncio.gather(*(asyncio.to_thread(_lap, service) for service in services))


def _lap(service: Service) -> Lap:
    return asyncio.run(_drive(service))


async def _drive(service: Service) -> Lap:
    settings = SandboxSettings(
        reports=service.reports, rate_limit=service.rate_limit, latency=service.latencies, tls=False
    )
    with serve_in_thread(settings) as sandbox, tempfile.TemporaryDirectory() as folder:
        command = [str(COMMAND), "pause", "-", "--yes", "--base-url", sandbox.base_url, "--runs-dir", folder]
        command += ["--rate", f"{CEILING_PER_S:g}/s", "--concurrency", str(CONCURRENCY), "--progress", "none"]
        # The list of reports would be a request of its own, before the first that is measured.
        command += ["--no-snapshot", "--format", "lines", "--json"]
        environment = {**os.environ, "BULKPAUSE_TOKEN": sandbox.issue_token()}
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment
        )
        await process.communicate("\n".join(sandbox.report_ids).encode())
        if process.returncode:
            raise RuntimeError(f"{service.name}: exit code {process.returncode}")
        puts = sandbox.journal.puts
        refused_s = [put.at_s for put in puts if put.status == 429]
        drive = Drive([put.at_s for put in puts], refused_s, most_flying=0)
        return Lap(drive, statistics.median(put.delay_ms for put in puts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
