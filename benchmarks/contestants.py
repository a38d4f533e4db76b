"""The two sides that the goals are about, and the process that each contestant in Python runs in.

Started as `python -m benchmarks.contestants NAME BASE_URL CONCURRENCY IDS_FILE WORK_DIR`; for every line on stdin it
PUTs each id once and prints one JSON object: requests, CPU and wall seconds.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from unittest.mock import patch

import aiohttp

from benchmarks.cores import CLIENT_CORE, pin
from bulkpause.chain import Closing
from bulkpause.client import warm_up
from bulkpause.clock import SystemClock
from bulkpause.lock import LedgerLock
from bulkpause.logs import LazyLog
from bulkpause.manifest import Manifest
from bulkpause.models import Operation, Status
from bulkpause.redaction import Redactor
from bulkpause.run import Console, execute
from bulkpause.runs.identity import new_run
from bulkpause.settings import Api, Auth, Rate, Run, Secret, Settings
from bulkpause.sources import Format, open_source
from bulkpause.work import fresh

TOKEN: Final = "t" * 1400
"""As long as Entra's."""
WITHOUT_LEDGER: Final = "no ledger"
UNREACHABLE_PER_S: Final = 1_000_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one round is made of."""

    base_url: str
    concurrency: int
    ids_file: Path
    ids: list[str]
    folder: Path
    """On a real disk; ledgers go here."""

    def url(self, report_id: str) -> str:
        """Where the PUT for one report goes."""
        return f"{self.base_url}/ScheduledReport/pause/{report_id}"


Contestant = Callable[[Work], int]
"""PUTs every id of its work and returns how many were answered 200."""


def bare(work: Work) -> int:
    """The floor: fixed workers over one iterator that PUT, read, and do nothing else."""
    return asyncio.run(_bare(work))


async def _bare(work: Work) -> int:
    warm_up()
    answered = 0
    ids = iter(work.ids)

    async def worker(session: aiohttp.ClientSession) -> None:
        nonlocal answered
        for report_id in ids:
            async with session.put(work.url(report_id)) as response:
                await response.read()
            answered += response.status == 200

    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=work.concurrency),
            timeout=aiohttp.ClientTimeout(total=30),
            headers={"Authorization": f"Bearer {TOKEN}"},
        ) as session,
        asyncio.TaskGroup() as crew,
    ):
        for _ in range(work.concurrency):
            crew.create_task(worker(session))
    return answered


def engine(work: Work) -> int:
    """All that `bulkpause pause IDS` does once its modules are loaded, from the source to summary.json."""
    return asyncio.run(_engine(work))


async def _engine(work: Work) -> int:
    settings = Settings(
        api=Api(base_url=work.base_url),
        auth=Auth(token=Secret(TOKEN)),
        run=Run(
            rate=Rate(UNREACHABLE_PER_S),
            adapt=False,
            concurrency=work.concurrency,
            runs_dir=work.folder,
            progress="plain",
        ),
    )
    log = LazyLog(level=settings.log.level, form=settings.log.format, redactor=Redactor([TOKEN]))
    console = Console(progress="plain", log=log, say=print)
    clock, rng = SystemClock(), random.Random()  # noqa: S311 - jitter and ids of requests
    run = new_run(Operation.PAUSE, settings, source_name=work.ids_file.name, now=clock.now(), rng=rng, is_sandbox=False)
    manifest = Manifest(run.directory / "manifest.csv")
    with open_source(str(work.ids_file), form=Format.LINES, column=None, stdin=None) as source:
        manifest.start(source, counts=lambda: source.counts)
        with LedgerLock(run.audit_file, now=clock.now()):
            report = await execute(run, settings, fresh(run, manifest), console, clock=clock, rng=rng)
    return report.summary.by_status[Status.SUCCEEDED]


def engine_without_ledger(work: Work) -> int:
    """The same engine whose audit log takes every line and keeps none."""
    with patch("bulkpause.run.AuditLog", NoLedger):
        return engine(work)


class NoLedger:
    """Stands in for AuditLog: nothing is encoded, chained, written or synced."""

    def __init__(self, *_args: object, **_options: object) -> None:
        self._seq = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Nothing to close."""

    def check(self) -> None:
        """Nothing is ever lost."""

    def write(self, _event: str, _fields: Mapping[str, Any]) -> int:
        """Count the line."""
        self._seq += 1
        return self._seq

    def seal(self, _event: str, _fields: Mapping[str, Any]) -> Closing:
        """Count the line."""
        return Closing(self.write("", {}), "")

    async def durable(self) -> None:
        """After one pass of the event loop: an engine that never gives way here is slower than one with a ledger."""
        await asyncio.sleep(0)


def contestant(name: str) -> Contestant:
    """The contestant of that name; ModuleNotFoundError if it is a peer that is not installed."""
    ours = {"bare": bare, "engine": engine, WITHOUT_LEDGER: engine_without_ledger}
    if name in ours:
        return ours[name]
    from benchmarks import peers  # noqa: PLC0415 - the two above must not pay for the peers' imports

    return peers.peer(name)


def main(name: str, base_url: str, concurrency: str, ids_file: str, folder: str) -> None:
    """Serve rounds until stdin ends."""
    pin(CLIENT_CORE)
    ids = Path(ids_file).read_text(encoding="ascii").split()
    work = Work(base_url=base_url, concurrency=int(concurrency), ids_file=Path(ids_file), ids=ids, folder=Path(folder))
    put_all = contestant(name)
    for _ in sys.stdin:
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        answered = put_all(work)
        cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
        if answered != len(ids):
            raise SystemExit(f"{name}: {answered} of {len(ids)} PUTs were answered 200")
        print(json.dumps({"requests": answered, "cpu_s": cpu_s, "wall_s": wall_s}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
