"""How long the event loop is held at full rate: ids from a pipe, ledger, MSAL renewing a 3 s token, a stop at the end.

Run it with `python -m benchmarks.loop_delay [SECONDS]`. Judged is the CPU time of the longest single callback, which a
busy machine distorts least; wall time and the lateness of a 10 ms ticker are printed beside it.
"""

from __future__ import annotations

import asyncio
import heapq
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from asyncio.events import Handle
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from benchmarks.contestants import UNREACHABLE_PER_S
from benchmarks.cores import CLIENT_CORE, SERVER_CORE, on_core, pin
from benchmarks.disk import work_folder
from benchmarks.programs import write_ids
from benchmarks.rounds import Verdict, conclude
from benchmarks.target import serving
from bulkpause.clock import SystemClock
from bulkpause.lock import LedgerLock
from bulkpause.logs import LazyLog
from bulkpause.manifest import Manifest
from bulkpause.models import Operation
from bulkpause.redaction import Redactor
from bulkpause.run import Console, execute
from bulkpause.runs.identity import new_run
from bulkpause.runs.report import RunReport
from bulkpause.settings import Api, Auth, Rate, Run, Secret, Settings
from bulkpause.sources import Format, open_source
from bulkpause.work import fresh

CONCURRENCY: Final = 64
IDS: Final = 100_000
SECONDS: Final = 8
GOAL_MS: Final = 20.0
TOKEN_LIFETIME_S: Final = 3
TICK_S: Final = 0.01
SHOWN: Final = 5
AROUND: Final = "task run"
"""What comes before the first PUT and after the last outcome, imports and files: nothing flies then."""


class Holds:
    """The longest callbacks of an event loop, and how late its ticks came."""

    def __init__(self) -> None:
        self.longest = [(0.0, 0.0, "")] * SHOWN
        """(CPU ms, wall ms, what ran) of the few longest."""
        self.around = (0.0, 0.0)
        """CPU ms and wall ms of the longest one that is not judged, see AROUND."""
        self.late_ms: list[float] = []

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Time every callback of every loop meanwhile."""
        run = Handle._run  # noqa: SLF001 - there is no public seam around a single callback

        def timed(handle: Any) -> None:
            cpu_s, wall_s = time.thread_time(), time.perf_counter()
            run(handle)
            cpu_ms, wall_ms = (time.thread_time() - cpu_s) * 1000, (time.perf_counter() - wall_s) * 1000
            if cpu_ms <= min(self.longest[0][0], self.around[0]):
                return
            if (name := _name(handle)) == AROUND:
                self.around = max(self.around, (cpu_ms, wall_ms))
            elif cpu_ms > self.longest[0][0]:
                heapq.heapreplace(self.longest, (cpu_ms, wall_ms, name))

        with patch.object(Handle, "_run", timed):
            yield

    async def tick(self) -> None:
        """Note the lateness of a timer, again and again until cancelled."""
        while True:
            due_s = time.perf_counter() + TICK_S
            await asyncio.sleep(TICK_S)
            self.late_ms.append((time.perf_counter() - due_s) * 1000)


def main(seconds: int = SECONDS) -> int:
    """Print the longest holds and the goal; 1 if it is missed."""
    with serving() as target, tempfile.TemporaryDirectory(prefix=".bench-", dir=work_folder()) as folder:
        if target is None:
            print("SKIPPED: benchmarks.loop_delay needs nginx (apt-get install nginx-light)", file=sys.stderr)
            return 0
        holds = Holds()
        with signed_in() as (auth, ca_file):
            settings = Settings(
                api=Api(base_url=target.base_url, ca_file=ca_file),
                auth=auth,
                run=Run(
                    rate=Rate(UNREACHABLE_PER_S),
                    adapt=False,
                    concurrency=CONCURRENCY,
                    runs_dir=Path(folder),
                    progress="plain",
                ),
            )
            pin(CLIENT_CORE)
            with holds.watching():
                report = asyncio.run(run(settings, write_ids(Path(folder), IDS), holds, seconds=seconds))
    summary = report.summary
    print(
        f"{summary.sent:,} PUTs in {report.wall_s:.1f} s, {summary.token_refreshes} token refreshes, "
        f"{summary.done:,} ids"
    )
    for cpu_ms, wall_ms, name in sorted(holds.longest, reverse=True):
        print(f"  {cpu_ms:6.1f} ms CPU, {wall_ms:6.1f} ms wall  {name}")
    print(f"  {holds.around[0]:6.1f} ms CPU, {holds.around[1]:6.1f} ms wall  {AROUND}, before and after: not judged")
    late_ms = sorted(holds.late_ms)
    marks = ", ".join(f"p{mark} {late_ms[len(late_ms) * mark // 100]:.1f}" for mark in (50, 99))
    print(f"lateness of a {TICK_S * 1000:.0f} ms tick: {marks}, worst {late_ms[-1]:.1f} ms")
    if not summary.token_refreshes or summary.done != IDS:
        raise SystemExit("the run was not what it should measure")
    return conclude(
        [Verdict("longest callback on the event loop, ms of CPU", max(holds.longest)[0], GOAL_MS, at_most=True)]
    )


async def run(settings: Settings, ids_file: Path, holds: Holds, *, seconds: int) -> RunReport:
    """One run over a pipe of ids, interrupted after `seconds`."""
    clock, rng = SystemClock(), random.Random()  # noqa: S311 - jitter and ids of requests
    plan = new_run(Operation.PAUSE, settings, source_name="-", now=clock.now(), rng=rng, is_sandbox=False)
    log = LazyLog(level=settings.log.level, form=settings.log.format, redactor=Redactor())
    manifest = Manifest(plan.directory / "manifest.csv")
    with subprocess.Popen(on_core(SERVER_CORE, ["cat", str(ids_file)]), stdout=subprocess.PIPE) as pipe:  # noqa: ASYNC220
        assert pipe.stdout is not None  # noqa: S101 - for mypy
        with open_source("-", form=Format.LINES, column=None, stdin=pipe.stdout) as source:  # type: ignore[arg-type]
            manifest.start(source, counts=lambda: source.counts)
            asyncio.get_running_loop().call_later(seconds, os.kill, os.getpid(), signal.SIGINT)
            async with asyncio.TaskGroup() as group:
                ticker = group.create_task(holds.tick())
                console = Console(progress="plain", log=log, say=lambda _: None)
                with LedgerLock(plan.audit_file, now=clock.now()):
                    report = await execute(plan, settings, fresh(plan, manifest), console, clock=clock, rng=rng)
                ticker.cancel()
    return report


@contextmanager
def signed_in() -> Iterator[tuple[Auth, Path]]:
    """The sandbox as sign-in service in a process of its own: credentials for it, and its certificate authority."""
    command = [
        sys.executable,
        "-m",
        "bulkpause",
        "sandbox",
        "--reports",
        "1",
        "--token-lifetime",
        str(TOKEN_LIFETIME_S),
    ]
    with subprocess.Popen(
        on_core(SERVER_CORE, command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 - for mypy
        given: dict[str, str] = {}
        wanted = {
            "AZURE_TENANT_ID",
            "AZURE_CLIENT_ID",
            "AZURE_CLIENT_SECRET",
            "AZURE_AUTHORITY_HOST",
            "BULKPAUSE_API__CA_FILE",
        }
        while not wanted <= given.keys():
            if not (line := process.stdout.readline()):
                raise SystemExit("the sandbox did not print its environment")
            given |= dict(re.findall(r"(\w+)=['\"]?([^'\"\s]+)", line))
        try:
            yield (
                Auth(
                    flow="client_secret",
                    tenant_id=given["AZURE_TENANT_ID"],
                    client_id=given["AZURE_CLIENT_ID"],
                    client_secret=Secret(given["AZURE_CLIENT_SECRET"]),
                    authority=given["AZURE_AUTHORITY_HOST"],
                ),
                Path(given["BULKPAUSE_API__CA_FILE"]),
            )
        finally:
            process.terminate()


def _name(handle: Any) -> str:
    """What a callback is, as far as it tells: the coroutine of a task, or the function."""
    callback = getattr(handle, "_callback", None)
    task = getattr(callback, "__self__", None)
    with suppress(AttributeError):
        return f"task {task.get_coro().__qualname__}"  # type: ignore[union-attr]
    return getattr(callback, "__qualname__", repr(callback))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
