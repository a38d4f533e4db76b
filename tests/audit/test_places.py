"""One writer, one new file, for its owner alone; anything else is refused at once."""
# ruff: noqa: ASYNC240 - a test may look at a file while its loop waits

from __future__ import annotations

import asyncio
import errno
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bulkpause import audit
from bulkpause.errors import AuditCreateError
from tests.audit.ledgers import ledger

ON_POSIX = os.name == "posix"


async def test_an_existing_file_is_refused_and_left_alone(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(
        AuditCreateError, match=re.escape(f"cannot create the audit log {path}: File exists. Choose another name")
    ):
        await ledger(path).__aenter__()
    assert path.read_text() == "precious"


async def test_a_second_writer_is_refused_at_once(path: Path) -> None:
    async with ledger(path):
        with pytest.raises(AuditCreateError, match="is being written by another run"):
            await ledger(path).__aenter__()


async def test_a_closed_ledger_is_held_by_nobody(path: Path) -> None:
    async with ledger(path) as log:
        pass
    assert not log._lock.is_locked
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(log._fd)
    with pytest.raises(AuditCreateError, match="File exists"):
        await ledger(path).__aenter__()


CHILD = """
import asyncio, sys
from pathlib import Path
from bulkpause.audit import AuditLog
from bulkpause.clock import SystemClock

async def main():
    async with AuditLog(Path(sys.argv[1]), run_id="run-0", clock=SystemClock()) as log:
        log.write("attempt_started", {})
        await log.durable()
        print("ready", flush=True)
        sys.stdin.read()

asyncio.run(main())
"""


def test_another_process_holds_the_ledger_until_it_dies_and_what_was_durable_survives(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        with pytest.raises(AuditCreateError, match="is being written by another run"):
            asyncio.run(ledger(path).__aenter__())
        child.kill()
    assert [line["run_id"] for line in audit.read(path)] == ["run-0"]
    with pytest.raises(AuditCreateError, match="File exists"):
        asyncio.run(ledger(path).__aenter__())


@pytest.mark.parametrize("where", ["a directory", "below a file", "in no directory", "in a closed directory"])
async def test_a_place_that_takes_no_file_is_found_at_once(tmp_path: Path, where: str) -> None:
    path = tmp_path / "audit.jsonl"
    match where:
        case "a directory":
            path.mkdir()
        case "below a file":
            (tmp_path / "file").touch()
            path = tmp_path / "file" / "audit.jsonl"
        case "in no directory":
            path = tmp_path / "none" / "audit.jsonl"
        case _:
            if not ON_POSIX or os.geteuid() == 0:
                pytest.skip("root may write anywhere")
            tmp_path.chmod(0o500)
    with pytest.raises(AuditCreateError, match=re.escape(f"cannot create the audit log {path}: ")):
        await ledger(path).__aenter__()
    assert not path.is_file()


async def test_a_directory_that_cannot_be_synced_leaves_nothing_open(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        fds = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else None
        broken = ledger(path)
        with pytest.raises(AuditCreateError):
            await broken.__aenter__()
        assert not broken._lock.is_locked
        if fds is not None:
            assert len(list(Path("/proc/self/fd").iterdir())) == fds
    assert not path.exists()
    async with ledger(path):
        pass


@pytest.mark.skipif(not ON_POSIX, reason="Windows has no file modes")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
async def test_only_its_owner_may_read_it_whatever_the_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        async with ledger(path) as log:
            log.write("outcome", {})
    finally:
        os.umask(before)
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
