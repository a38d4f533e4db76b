"""The first failed write is the end of everything, and everybody is told."""
# ruff: noqa: ASYNC240 - a test may look at a file while its loop waits

from __future__ import annotations

import asyncio
import errno
import os
import re
import threading
from pathlib import Path

import pytest

from bulkpause import audit
from bulkpause.errors import AuditError
from tests.audit.ledgers import Disk, a_few_passes_of_the_loop, ledger, write_durably


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EBADF])
@pytest.mark.parametrize("call", ["write", "sync"])
async def test_a_failed_write_is_told_to_everybody_and_is_the_last(
    path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, code: int, call: str
) -> None:
    def fail(fd: int, data: bytes) -> int:
        raise OSError(code, os.strerror(code))

    async with ledger(path) as log:
        await write_durably(log, 0)
        good = path.read_bytes()
        disk.go.clear()
        disk.arrived.clear()
        if call == "write":
            monkeypatch.setattr(os, "write", fail)
        else:
            disk.fails_with = code
        waiters = [asyncio.create_task(write_durably(log, number)) for number in range(1, 4)]
        if call == "sync":
            await disk.arrived.wait()
        waiters += [asyncio.create_task(write_durably(log, number)) for number in range(4, 7)]
        await asyncio.sleep(0)
        disk.go.set()
        errors = await asyncio.gather(*waiters, return_exceptions=True)
        monkeypatch.undo()

        wanted = f"cannot write the audit log {path}: {os.strerror(code)}."
        assert [(type(error), str(error)) for error in errors] == [(AuditError, wanted)] * 6
        with pytest.raises(AuditError, match=re.escape(wanted)):
            log.check()
        with pytest.raises(AuditError):
            log.write("outcome", {})
        with pytest.raises(AuditError):
            await log.durable()
        written = path.read_bytes()
    assert path.read_bytes() == written
    assert written.count(b"\n") == good.count(b"\n") + (3 if call == "sync" else 0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
async def test_a_full_disk_is_an_audit_error(path: Path) -> None:
    async with ledger(path) as log:
        with open("/dev/full", "wb") as full:  # noqa: ASYNC230, PTH123
            os.dup2(full.fileno(), log._fd)
        with pytest.raises(AuditError, match="No space left on device"):
            await write_durably(log, 1)


async def test_closing_tells_of_a_failure_that_nobody_was_told_of(path: Path, disk: Disk) -> None:
    async def run() -> None:
        async with ledger(path) as log:
            log.write("outcome", {})
            await asyncio.wait_for(disk.arrived.wait(), 5)

    disk.fails_with = errno.EIO
    with pytest.raises(AuditError, match=os.strerror(errno.EIO)):
        await run()


async def test_closing_does_not_hide_another_error(path: Path, disk: Disk) -> None:
    async def run() -> None:
        async with ledger(path) as log:
            log.write("outcome", {})
            raise LookupError

    disk.fails_with = errno.EIO
    with pytest.raises(LookupError):
        await run()


@pytest.mark.parametrize(("fails_with", "written"), [(None, [0, 1]), (errno.EIO, [0])])
async def test_a_cancelled_close_loses_no_line_but_writes_none_after_a_failure(
    path: Path, disk: Disk, fails_with: int | None, written: list[int]
) -> None:
    disk.fails_with = fails_with
    disk.go.clear()

    async def run() -> None:
        async with ledger(path) as log:
            waiter = asyncio.create_task(write_durably(log, 0))
            await disk.arrived.wait()
            log.write("outcome", {"number": 1})
            waiter.cancel()

    task = asyncio.create_task(run())
    await disk.arrived.wait()
    await a_few_passes_of_the_loop()
    task.cancel()
    slow = threading.Timer(0.05, disk.go.set)
    slow.start()
    with pytest.raises(asyncio.CancelledError):
        await task
    slow.join()
    assert [line["number"] for line in audit.read(path)] == written


async def test_a_closed_ledger_refuses(path: Path) -> None:
    async with ledger(path) as log:
        log.write("outcome", {})
    with pytest.raises(AuditError, match=r"is closed\.$"):
        log.write("outcome", {})


@pytest.mark.parametrize("how", ["copytruncate", "removed", "moved", "replaced", "appended"])
async def test_a_file_that_somebody_else_changes_is_a_failure_and_no_line_is_torn(path: Path, how: str) -> None:
    if os.name == "nt" and how in {"removed", "moved", "replaced"}:
        pytest.skip("Windows lets nobody move or remove an open file")
    async with ledger(path) as log:
        await write_durably(log, 0)
        good = path.read_bytes()
        match how:
            case "copytruncate":
                os.truncate(path, 0)
            case "appended":
                with path.open("ab") as stream:
                    stream.write(b"and more\n")
            case "removed":
                path.unlink()
            case _:
                path.rename(path.with_suffix(".1"))
                if how == "replaced":
                    path.write_bytes(good)
        said = {
            "copytruncate": f" was changed by somebody else during the run: {2 * len(good):,} bytes were written, "
            f"{len(good):,} are there. Keep log rotation and clean-up away from it.",
            "appended": " was changed by somebody else during the run: ",
        }.get(how, " was moved, replaced or removed during the run. Keep log rotation and clean-up away from it.")
        with pytest.raises(AuditError, match=re.escape(f"the audit log {path}{said}")):
            await write_durably(log, 1)
        with pytest.raises(AuditError):
            log.write("outcome", {})
    kept = path.with_suffix(".1") if how in {"moved", "replaced"} else path
    if how != "removed":
        assert kept.read_bytes().endswith(b"\n")
        assert {line["number"] for line in audit.read(kept)} <= {0, 1}
