"""One writer, one new file, for its owner alone; anything else is refused at once."""
# ruff: noqa: ASYNC240 - a test may look at a file while its loop waits

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

import pytest

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


async def test_a_closed_ledger_is_held_by_nobody(path: Path) -> None:
    async with ledger(path) as log:
        pass
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(log._fd)
    with pytest.raises(AuditCreateError, match="File exists"):
        await ledger(path).__aenter__()


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
