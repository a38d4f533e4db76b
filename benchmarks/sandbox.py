"""How many PUTs a second the sandbox carries on one core, journal on, driven by wrk on another: plain HTTP and TLS.

Run it with `python -m benchmarks.sandbox`. Without wrk it says so and measures nothing. The verdict goes by CPU time,
which a busy machine distorts less than the wall clock.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from bulkpause.sandbox import SandboxSettings, serve_in_thread

GOALS: Final = {False: 3_000, True: 2_000}
"""PUTs a second over plain HTTP and over TLS (issue 2 section 6)."""
ROUNDS: Final = 3
ROUND_S: Final = 3
CONNECTIONS: Final = 32
REPORTS: Final = 5_000

LUA: Final = """
local ids, n = {{}}, 0
for line in io.lines("{ids}") do ids[#ids + 1] = "{path}" .. line end
wrk.method = "PUT"
wrk.headers["Authorization"] = "Bearer {token}"
wrk.body = ""
function request() n = n % #ids + 1; return wrk.format(nil, ids[n]) end
"""


def main() -> int:
    """Print one line per transport; 1 if a goal is missed."""
    wrk = shutil.which("wrk")
    if wrk is None:
        print("SKIPPED: benchmarks.sandbox needs wrk (apt-get install wrk)", file=sys.stderr)
        return 0
    if (os.cpu_count() or 1) < 2:
        print("note: one core only, wrk and the sandbox share it", file=sys.stderr)
    missed = False
    for tls, goal in GOALS.items():
        rounds = [measure(wrk, tls=tls) for _ in range(ROUNDS)]
        rates = [rate for rate, _ in rounds]
        cpu_us = statistics.median(cpu_us for _, cpu_us in rounds)
        missed = missed or 1e6 / cpu_us < goal
        verdict = "missed" if 1e6 / cpu_us < goal else "met"
        print(
            f"{'TLS' if tls else 'plain HTTP':<10} {cpu_us:4.0f} us CPU a PUT, a core carries {1e6 / cpu_us:6,.0f}/s, "
            f"goal {goal:,} {verdict}; wall {statistics.median(rates):6,.0f}/s "
            f"[{min(rates):,.0f}-{max(rates):,.0f}] in {ROUNDS} rounds"
        )
    return int(missed)


def measure(wrk: str, *, tls: bool) -> tuple[float, float]:
    """PUTs a second, and microseconds of the sandbox's CPU for each; all were answered 200 and are in the journal."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder, "journal.jsonl")
        settings = SandboxSettings(reports=REPORTS, tls=tls, journal=journal)
        with pinned(1), serve_in_thread(settings) as sandbox:
            ids, script = Path(folder, "ids"), Path(folder, "put.lua")
            ids.write_text("\n".join(sandbox.report_ids), encoding="ascii")
            path = "/insights/v1/mpn/ScheduledReport/pause/"
            script.write_text(LUA.format(ids=ids, path=path, token=sandbox.issue_token()), encoding="ascii")
            command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{ROUND_S}s", "-s", str(script), sandbox.base_url]
            before_s = time.process_time()
            output = subprocess.run(on_core(0, command), check=True, capture_output=True, text=True).stdout
            cpu_s = time.process_time() - before_s
        entries = sandbox.journal.puts
        lines = journal.read_bytes().count(b"\n")
    answered = int(find(r"(\d+) requests in", output))
    if "Non-2xx" in output or any(entry.status != 200 for entry in entries):
        raise SystemExit(f"not every PUT was answered 200:\n{output}")
    if not answered <= len(entries) == lines:
        raise SystemExit(f"{answered} replies, {len(entries)} journal entries, {lines} lines")
    return float(find(r"Requests/sec:\s+([\d.]+)", output)), cpu_s / answered * 1e6


def find(pattern: str, text: str) -> str:
    """The pattern's group in wrk's report."""
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"wrk said something else:\n{text}")
    return match[1]


class pinned:  # noqa: N801 - reads as a statement
    """This process and the threads it starts on one core, where the platform can."""

    def __init__(self, core: int) -> None:
        self._core = core

    def __enter__(self) -> None:
        if sys.platform == "linux":
            self._before = os.sched_getaffinity(0)
            os.sched_setaffinity(0, {min(self._core, max(self._before))})

    def __exit__(self, *_: object) -> None:
        if sys.platform == "linux":
            os.sched_setaffinity(0, self._before)


def on_core(core: int, command: list[str]) -> list[str]:
    """The command, on a core of its own where taskset is at hand."""
    taskset = shutil.which("taskset")
    return [taskset, "--cpu-list", str(core), *command] if taskset else command


if __name__ == "__main__":
    sys.exit(main())
