"""What kill -9 costs: the requests that are sent twice when the rest is done, beside GNU parallel with --resume.

Run it with `python -m benchmarks.killed [ROUNDS]`. Each round pauses 300 reports at 8 in flight, is killed halfway with
all its processes, and goes on: `parallel --joblog --resume` with curl, `bulkpause continue`, and that with
--no-snapshot. The sandbox's journal says what was sent. Without GNU parallel it says so and measures the rest.
"""

from __future__ import annotations

import os
import random
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from bulkpause.sandbox import Sandbox, SandboxSettings, parse_latency, serve_in_thread

ROUNDS: Final = 5
REPORTS: Final = 300
CONCURRENCY: Final = 8
LATENCY: Final = "10ms..40ms"
PATIENCE_S: Final = 60.0
COMMAND: Final = Path(sys.executable).with_name("bulkpause")


@dataclass(frozen=True, slots=True)
class Killed:
    """What one round showed."""

    twice: int
    """Reports that were sent before the kill and again after it."""
    unnamed: int
    """Of those sent by the kill, the ones that nothing on the disk said may have been touched."""
    missed: int
    """Reports that were not paused in the end."""


def main(arguments: list[str]) -> int:
    """Print one line per contestant; 1 if bulkpause sent too many twice, left one unnamed or missed one."""
    rounds = int(arguments[0]) if arguments else ROUNDS
    contestants = {"bulkpause continue": (), "bulkpause continue --no-snapshot": ("--no-snapshot",)}
    results = {
        name: [with_bulkpause(flags, seed=seed) for seed in range(rounds)] for name, flags in contestants.items()
    }
    bounds = {"bulkpause continue": 0, "bulkpause continue --no-snapshot": CONCURRENCY}
    is_missed = any(
        one.twice > bounds[name] or one.unnamed or one.missed for name, ones in results.items() for one in ones
    )
    parallel, curl = shutil.which("parallel"), shutil.which("curl")
    if parallel is None or curl is None:
        print("SKIPPED: the comparison needs GNU parallel and curl (apt-get install parallel curl)", file=sys.stderr)
    else:
        results["parallel --joblog --resume"] = [with_parallel(parallel, curl, seed=seed) for seed in range(rounds)]
    print(f"{REPORTS} reports at {CONCURRENCY} in flight, killed halfway with kill -9, {rounds} rounds")
    for name, ones in results.items():
        twice = [one.twice for one in ones]
        print(
            f"{name:34} sent twice: median {statistics.median(twice):g} [{min(twice)}-{max(twice)}], "
            f"touched and named nowhere: {max(one.unnamed for one in ones)} at most, "
            f"not paused in the end: {max(one.missed for one in ones)} at most"
        )
    return int(is_missed)


def with_bulkpause(flags: Iterable[str], *, seed: int) -> Killed:
    """One round of `bulkpause pause`, killed, and `bulkpause continue`."""
    with serve_in_thread(_settings(seed)) as sandbox, tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "reports.csv")
        source.write_text("\n".join(["ReportId", *sandbox.report_ids, ""]), encoding="ascii")
        told = [
            "--base-url",
            sandbox.base_url,
            "--runs-dir",
            f"{folder}/runs",
            "--rate",
            "1000/s",
            "--no-adapt",
            "--yes",
            *flags,
        ]
        told += ["--concurrency", str(CONCURRENCY), "--quiet"]
        env = {**os.environ, "BULKPAUSE_TOKEN": sandbox.issue_token()}
        kill_halfway([str(COMMAND), "pause", str(source), *told], sandbox, env=env, seed=seed)
        (ledger,) = Path(folder).glob("runs/*/audit.jsonl")
        whole = [line for line in ledger.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        named = {line.get("report_id") for line in map(orjson.loads, whole)}
        before = _sent(sandbox)
        subprocess.run([COMMAND, "continue", "last", *told], env=env, check=True, stdout=subprocess.DEVNULL)
        return _judged(sandbox, before, named)


def with_parallel(parallel: str, curl: str, *, seed: int) -> Killed:
    """One round of GNU parallel with one curl a report, killed, and the same command once more."""
    with serve_in_thread(_settings(seed)) as sandbox, tempfile.TemporaryDirectory() as folder:
        ids, log = Path(folder, "ids.txt"), Path(folder, "joblog")
        ids.write_text("\n".join([*sandbox.report_ids, ""]), encoding="ascii")
        header = Path(folder, "header")
        header.write_text(f"Authorization: Bearer {sandbox.issue_token()}\n", encoding="ascii")
        put = [curl, "-s", "-f", "-X", "PUT", "-H", f"@{header}", "-H", "Content-Length: 0", "-o", "/dev/null"]
        job = f"{shlex.join(put)} {sandbox.base_url}/ScheduledReport/pause/{{}}"
        command = [parallel, "-j", str(CONCURRENCY), "--joblog", str(log), "--resume", "-a", str(ids), job]
        env = {**os.environ, "PARALLEL_HOME": folder}
        kill_halfway(command, sandbox, env=env, seed=seed)
        named: set[str | None] = {line.rpartition("/")[2] for line in log.read_text(encoding="utf-8").splitlines()}
        before = _sent(sandbox)
        subprocess.run(command, env=env, check=True, stderr=subprocess.DEVNULL)
        return _judged(sandbox, before, named)


def kill_halfway(command: list[str], sandbox: Sandbox, *, env: dict[str, str], seed: int) -> None:
    """Start `command`, and kill it with all its children once about half of the reports have been sent."""
    rng = random.Random(seed)  # noqa: S311 - when to kill
    count = REPORTS // 2 + rng.randint(-40, 40)
    process = subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    give_up_s = time.monotonic() + PATIENCE_S
    while len(sandbox.journal.puts) < count and process.poll() is None:
        if time.monotonic() > give_up_s:
            raise SystemExit(f"{command[0]} sent no {count} requests within {PATIENCE_S:g} s.")
        time.sleep(0.001)
    time.sleep(rng.uniform(0, 0.03))
    if process.poll() is not None:
        raise SystemExit(f"{command[0]} ended by itself with {process.returncode}, before it could be killed.")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(0.2)  # what was on the wire still arrives


def _settings(seed: int) -> SandboxSettings:
    return SandboxSettings(reports=REPORTS, latency=parse_latency(LATENCY), tls=False, seed=seed)


def _sent(sandbox: Sandbox) -> Counter[str | None]:
    return Counter(put.report_id for put in sandbox.journal.puts)


def _judged(sandbox: Sandbox, before: Counter[str | None], named: set[str | None]) -> Killed:
    after = _sent(sandbox) - before
    statuses = sandbox.report_statuses.values()
    return Killed(
        len(before.keys() & after.keys()), len(before.keys() - named), REPORTS - list(statuses).count("Paused")
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
