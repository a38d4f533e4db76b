"""What signing in costs: requests and round trips before the first PUT, and throughput while tokens are renewed.

Run it with `python -m benchmarks.sign_in [ROUNDS]`. Everything is the installed command. A ready token is compared with
a client secret at the sandbox, side by side in each round; the round trips are the slope of the time to the first PUT
over the latency of the token endpoint, which start-up and imports do not enter. The goals are those of issue 5.
"""

from __future__ import annotations

import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Final, cast

from benchmarks.contestants import UNREACHABLE_PER_S
from benchmarks.cores import CLIENT_CORE, SERVER_CORE, on_core, pin
from benchmarks.disk import work_folder
from benchmarks.programs import write_ids
from benchmarks.rounds import Verdict, conclude
from benchmarks.startup import COMMAND, REPORT_ID, SERVER
from benchmarks.target import serving
from bulkpause.sandbox import Sandbox, SandboxSettings, parse_fault, serve_in_thread

ROUNDS: Final = 5
LATENCIES_S: Final = (0.0, 0.1, 0.3)
"""Of the token endpoint."""

IDS: Final = 40_000
CONCURRENCY: Final = 64
TOKEN_LIFETIMES_S: Final = (3600.0, 5.0)
"""As Entra's tokens live, and so short that each run renews some."""

WARM_S: Final = 1.0
"""From the first outcome on, what is not steady yet."""

READY: Final[Mapping[str, str]] = {"BULKPAUSE_TOKEN": "ready"}


def main(rounds: int = ROUNDS) -> int:
    """Print the figures and their goals; 1 if one is missed."""
    pin(SERVER_CORE)  # with the sandbox in a thread; the command under test has the other core
    steady = [verdict for lifetime_s in TOKEN_LIFETIMES_S for verdict in steady_state(rounds, lifetime_s=lifetime_s)]
    return conclude([*before_the_first_put(rounds), *steady])


def before_the_first_put(rounds: int) -> list[Verdict]:
    """Time from the start of the command to its first PUT, by the latency of the token endpoint."""
    ready_ms: list[float] = []
    added_ms: dict[float, list[float]] = {latency_s: [] for latency_s in LATENCIES_S}
    asked: set[tuple[str | None, ...]] = set()
    with first_put() as measure:
        measure(READY)  # fills the caches of byte code and of the disk
        for _ in range(rounds):
            for latency_s in LATENCIES_S:
                fault = parse_fault(f"slow:{latency_s}@token")
                with serve_in_thread(SandboxSettings(reports=1, faults=(fault,))) as sandbox:
                    one, other = (READY, _credentials(sandbox))
                    order = [one, other] if random.random() < 0.5 else [other, one]  # noqa: S311 - who is first
                    took_ms = {id(environment): measure(environment) for environment in order}
                    asked.add(tuple(entry.operation for entry in sandbox.journal.entries))
                ready_ms.append(took_ms[id(one)])
                added_ms[latency_s].append(took_ms[id(other)] - took_ms[id(one)])
    print(f"first PUT with a ready token: {statistics.median(ready_ms):.0f} ms after the start")
    for latency_s, values in added_ms.items():
        print(
            f"  a client secret, token endpoint {latency_s * 1000:3.0f} ms away: {statistics.median(values):+5.0f} ms"
            f"  [{min(values):.0f}-{max(values):.0f}]"
        )
    print(f"  asked of the sign-in service each time: {', '.join(str(words) for words in asked)}")
    first, *_, last = LATENCIES_S
    round_trips = (statistics.median(added_ms[last]) - statistics.median(added_ms[first])) / (last - first) / 1000
    return [
        Verdict("requests to sign in before the first PUT", float(max(map(len, asked))), 1.0, at_most=True),
        Verdict("replies waited for before the first PUT, by latency", round_trips, 1.1, at_most=True),
    ]


@dataclass(frozen=True, slots=True)
class Steady:
    """One run: PUTs a second once it goes, what it cost, and how many tokens it had."""

    per_s: float
    cpu_s: float
    """Of the whole command."""
    tokens: int


def steady_state(rounds: int, *, lifetime_s: float) -> list[Verdict]:
    """Throughput with tokens that live so long over throughput with a ready one, pair by pair."""
    with serving() as target, tempfile.TemporaryDirectory(prefix=".bench-", dir=work_folder()) as name:
        if target is None:
            print("SKIPPED: the steady state needs nginx (apt-get install nginx-light)", file=sys.stderr)
            return []
        folder = Path(name)
        ids = write_ids(folder, IDS)
        settings = SandboxSettings(reports=1, token_lifetime_s=lifetime_s)
        pairs: list[tuple[Steady, Steady]] = []
        starts: list[tuple[float, float]] = []
        one = write_ids(folder, 1)
        with serve_in_thread(settings) as sandbox:
            signing_in = _credentials(sandbox)
            ready = {"BULKPAUSE_TOKEN": sandbox.issue_token(lifetime_s=3600.0)}  # as long, so as dear to send
            for number in range(rounds + 1):
                order = [ready, signing_in] if number % 2 else [signing_in, ready]
                start = {id(each): _steady(target.base_url, one, folder, each).cpu_s for each in order}
                ran = {id(each): _steady(target.base_url, ids, folder, each) for each in order}
                if number:  # the first pair warms up
                    pairs.append((ran[id(ready)], ran[id(signing_in)]))
                    starts.append((start[id(ready)], start[id(signing_in)]))
    if lifetime_s == min(TOKEN_LIFETIMES_S) and any(renewing.tokens < 2 for _, renewing in pairs):
        raise SystemExit("the run was too short to renew a token")
    ratios = [renewing.per_s / base.per_s for base, renewing in pairs]
    print(
        f"steady state: {statistics.median(base.per_s for base, _ in pairs):,.0f} PUT/s with a ready token, "
        f"{statistics.median(renewing.per_s for _, renewing in pairs):,.0f} PUT/s with tokens of "
        f"{lifetime_s:g} s ({statistics.median(renewing.tokens for _, renewing in pairs):g} a run); "
        f"ratios {', '.join(f'{ratio:.3f}' for ratio in ratios)}"
    )
    # Whatever else runs here only ever adds: the least of each, less what a run of one report costs.
    ready_us, renewing_us = (
        (min(pair[side].cpu_s for pair in pairs) - min(start[side] for start in starts)) / IDS * 1e6 for side in (0, 1)
    )
    print(f"  CPU a PUT, start-up apart: {ready_us:.1f} us with a ready token, {renewing_us:.1f} us with those")
    return [
        Verdict(f"throughput with tokens of {lifetime_s:g} s over a ready one", statistics.median(ratios), 0.98),
        Verdict(
            f"CPU a PUT with tokens of {lifetime_s:g} s over a ready one", renewing_us / ready_us, 1.02, at_most=True
        ),
    ]


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _steady(base_url: str, ids: Path, folder: Path, environment: Mapping[str, str]) -> Steady:
    runs = Path(tempfile.mkdtemp(dir=folder))
    command = [str(COMMAND), "pause", str(ids), "--format", "lines", "--base-url", base_url, "--runs-dir", str(runs)]
    command += [
        "--rate",
        f"{UNREACHABLE_PER_S:.0f}/s",
        "--no-adapt",
        "--concurrency",
        str(CONCURRENCY),
        "--no-snapshot",
    ]
    command += ["--yes", "--progress", "none", "--json"]
    before_s = _children_cpu_s()
    done = subprocess.run(
        on_core(CLIENT_CORE, command), env=_environment(folder, environment), capture_output=True, check=False
    )
    cpu_s = _children_cpu_s() - before_s
    if done.returncode:
        raise SystemExit(f"{COMMAND.name} ended with {done.returncode}: {done.stderr.decode()}")
    times: list[float] = []
    tokens = 1
    with next(runs.glob("*/audit.jsonl")).open("rb") as ledger:
        for line in ledger:
            if b'"event":"outcome"' in line:
                times.append(datetime.fromisoformat(json.loads(line)["at"]).timestamp())
            tokens += b'"event":"token_refreshed"' in line
    steady = [at_s for at_s in times if at_s >= times[0] + WARM_S]
    return Steady((len(steady) - 1) / (steady[-1] - steady[0]) if steady else 0.0, cpu_s, tokens)


@contextmanager
def first_put() -> Iterator[Measure]:
    """A server that notes when the first byte of a PUT comes, and a run that sends one."""
    with (
        tempfile.TemporaryDirectory(prefix="bulkpause-sign-in-") as name,
        subprocess.Popen(
            on_core(SERVER_CORE, [sys.executable, "-c", SERVER]), stdout=subprocess.PIPE, text=True
        ) as server,
    ):
        try:
            yield Measure(Path(name), cast("IO[str]", server.stdout))
        finally:
            server.kill()


class Measure:
    """Milliseconds from the start of `bulkpause pause` to the first byte of its PUT."""

    def __init__(self, folder: Path, lines: IO[str]) -> None:
        self._folder = folder
        self._lines = lines
        Path(folder, "reports.csv").write_text(f"ReportId\n{REPORT_ID}\n", encoding="utf-8")
        base_url = f"http://127.0.0.1:{lines.readline().strip()}/insights/v1/mpn"
        command = [
            str(COMMAND),
            "pause",
            "reports.csv",
            "--base-url",
            base_url,
            "--runs-dir",
            "runs",
            "--rate",
            "1000/s",
        ]
        command += ["--no-snapshot", "--progress", "none", "--json", "--timeout", "5"]
        self._command = on_core(CLIENT_CORE, command)

    def __call__(self, environment: Mapping[str, str]) -> float:
        """One run."""
        began_ns = time.monotonic_ns()
        done = subprocess.run(
            self._command,
            cwd=self._folder,
            env=_environment(self._folder, environment),
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{COMMAND.name} ended with {done.returncode}: {done.stderr.decode()}")
        return (int(self._lines.readline()) - began_ns) / 1e6


def _environment(home: Path, access: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BULKPAUSE_", "AZURE_"))}
    return {**kept, "HOME": str(home), **access}


def _credentials(sandbox: Sandbox) -> dict[str, str]:
    return {
        "AZURE_AUTHORITY_HOST": sandbox.authority.removesuffix(f"/{sandbox.tenant_id}"),
        "AZURE_TENANT_ID": sandbox.tenant_id,
        "AZURE_CLIENT_ID": sandbox.client_id,
        "AZURE_CLIENT_SECRET": sandbox.client_secret,
        "BULKPAUSE_API__CA_FILE": str(sandbox.ca_file),
    }


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
