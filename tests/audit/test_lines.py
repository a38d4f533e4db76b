"""Order, durability in groups, and what a reader finds."""
# ruff: noqa: ASYNC240 - a test may look at a file while its loop waits

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bulkpause import audit
from bulkpause.audit import AuditLog, writer
from bulkpause.clock import SystemClock
from tests.audit.ledgers import Disk, a_few_passes_of_the_loop, ledger, write_durably


@dataclass
class FixedClock(SystemClock):
    """Each look at it is `step` later."""

    at: datetime
    step: timedelta = timedelta(0)

    def now(self) -> datetime:
        """Move on."""
        self.at += self.step
        return self.at


async def test_lines_keep_their_order_and_their_numbers_have_no_gap(path: Path) -> None:
    async with ledger(path) as log:
        for number in range(300):
            log.write("outcome", {"number": number, "message": 'é "quoted"\n'})
            if number % 70 == 0:
                await log.durable()

    lines = list(audit.read(path))
    assert [line["seq"] for line in lines] == list(range(1, 301))
    assert [line["number"] for line in lines] == list(range(300))
    assert lines[0] | {"at": ""} == {
        "schema": 1, "run_id": "run-1", "seq": 1, "prev": "0" * 64, "at": "", "event": "outcome",
        "number": 0, "message": 'é "quoted"\n'
    }  # fmt: skip


async def test_times_are_utc_with_microseconds_and_sort_as_text(path: Path) -> None:
    step = timedelta(microseconds=250_000)
    clock = FixedClock(datetime(2026, 1, 31, 23, 59, 58, 500_000, UTC), step)
    async with AuditLog(path, run_id="run-1", clock=clock) as log:
        for _ in range(8):
            log.write("outcome", {})

    times = [line["at"] for line in audit.read(path)]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", time) for time in times)
    assert "2026-01-31T23:59:59.000000Z" in times
    assert times == sorted(times)
    assert datetime.fromisoformat(times[-1]) == clock.at


async def test_durable_returns_only_when_the_lines_are_on_the_disk(path: Path, disk: Disk) -> None:
    disk.go.clear()
    async with ledger(path) as log:
        waiter = asyncio.create_task(write_durably(log, 1))
        await disk.arrived.wait()
        await a_few_passes_of_the_loop()
        assert not waiter.done()
        disk.go.set()
        await waiter
        assert disk.synced == [path.stat().st_size]
        assert [line["number"] for line in audit.read(path)] == [1]


@pytest.mark.skipif(not hasattr(os, "fdatasync"), reason="the platform has no fdatasync")
async def test_durable_asks_the_system_to_sync_the_ledger(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    monkeypatch.setattr(os, "fdatasync", lambda fd: synced.append(os.fstat(fd).st_ino))
    async with ledger(path) as log:
        await write_durably(log, 1)
        assert synced == [path.stat().st_ino]


async def test_all_who_wait_share_one_sync(path: Path, disk: Disk) -> None:
    async with ledger(path) as log:
        async with asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(write_durably(log, number))
        assert len(disk.synced) == 1


async def test_lines_that_come_during_a_commit_share_the_next(path: Path, disk: Disk) -> None:
    disk.go.clear()
    async with ledger(path) as log:
        async with asyncio.TaskGroup() as group:
            group.create_task(write_durably(log, 0))
            await disk.arrived.wait()
            late = [group.create_task(write_durably(log, number)) for number in range(1, 51)]
            await a_few_passes_of_the_loop()
            late[0].cancel()  # one of them does not care any more
            disk.go.set()
        assert len(disk.synced) == 2
        assert disk.synced[1] == path.stat().st_size
    assert [line["number"] for line in audit.read(path)] == list(range(51))


async def test_durable_costs_nothing_when_nothing_is_new(path: Path, disk: Disk) -> None:
    async with ledger(path) as log:
        await write_durably(log, 1)
        await log.durable()
        await log.durable()
    assert len(disk.synced) == 1


async def test_durable_without_a_new_line_waits_for_the_commit_under_way(path: Path, disk: Disk) -> None:
    disk.go.clear()
    async with ledger(path) as log:
        first = asyncio.create_task(write_durably(log, 1))
        await disk.arrived.wait()
        second = asyncio.create_task(log.durable())
        await a_few_passes_of_the_loop()
        assert not second.done()
        disk.go.set()
        await first
        await second


async def test_a_line_nobody_waits_for_is_on_the_disk_soon(path: Path, disk: Disk) -> None:
    loop = asyncio.get_running_loop()
    async with ledger(path) as log:
        for _ in range(2):
            disk.arrived.clear()
            started_s = loop.time()
            log.write("outcome", {})
            log.write("outcome", {})
            await asyncio.wait_for(disk.arrived.wait(), 5)
            assert writer.LINGER_S * 0.9 <= loop.time() - started_s < 1
            await log.durable()
        assert len(disk.synced) == 2


async def test_a_line_that_comes_during_a_commit_waits_for_its_end_and_is_on_the_disk_soon_as_well(
    path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LINGER_S", 0.0)
    disk.go.clear()
    async with ledger(path) as log:
        waiter = asyncio.create_task(write_durably(log, 1))
        await disk.arrived.wait()
        disk.arrived.clear()
        log.write("outcome", {})
        await a_few_passes_of_the_loop()
        disk.go.set()
        await asyncio.wait_for(waiter, 5)
        await asyncio.wait_for(disk.arrived.wait(), 5)
    assert len(disk.synced) == 2


async def test_a_write_in_pieces_is_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:7]))
    async with ledger(path) as log:
        for number in range(20):
            log.write("outcome", {"number": number})
    assert [line["number"] for line in audit.read(path)] == list(range(20))


async def test_a_field_that_cannot_be_written_leaves_no_gap(path: Path) -> None:
    async with ledger(path) as log:
        log.write("outcome", {})
        with pytest.raises(TypeError):
            log.write("outcome", {"message": object()})
        log.write("outcome", {})
    assert [line["seq"] for line in audit.read(path)] == [1, 2]
