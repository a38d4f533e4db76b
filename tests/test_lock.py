"""One live run per ledger; whoever is refused is told by whom, and a dead process refuses nobody."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from filelock import FileLock

from bulkpause.errors import AuditCreateError
from bulkpause.lock import LedgerLock, Owner, owner_of

ON_POSIX = os.name == "posix"
NOW = datetime(2026, 11, 24, 22, 4, 10, tzinfo=UTC)
ME = Owner(os.getpid(), socket.gethostname(), NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def lock(path: Path) -> LedgerLock:
    return LedgerLock(path, now=NOW)


def assert_refused(path: Path, said: str) -> None:
    with pytest.raises(AuditCreateError, match=re.escape(said)):
        lock(path).__enter__()


def test_a_second_run_is_refused_and_told_who_has_the_ledger(path: Path) -> None:
    with lock(path):
        assert_refused(
            path,
            f"{path} is being written by another run (process {os.getpid()} on {socket.gethostname()} since "
            "2026-11-24 22:04:10 UTC). Wait for it, or choose another file.",
        )


def test_it_is_held_until_the_run_ends_and_by_nobody_then(path: Path) -> None:
    assert owner_of(path) is None
    with lock(path):
        assert owner_of(path) == ME
    assert owner_of(path) is None
    with lock(path):
        assert owner_of(path) == ME


def test_asking_who_has_it_neither_takes_nor_makes_anything(path: Path) -> None:
    assert owner_of(path) is None
    assert list(path.parent.iterdir()) == []
    with lock(path):
        assert owner_of(path) == owner_of(path) == ME


def test_a_run_that_starts_while_somebody_asks_is_not_refused(path: Path) -> None:
    asking = FileLock(f"{path}.lock", thread_local=False)
    asking.acquire()
    release = threading.Timer(0.03, asking.release)
    release.start()
    with lock(path):
        release.join()


CHILD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from bulkpause.lock import LedgerLock

with LedgerLock(Path(sys.argv[1]), now=datetime(2026, 11, 1, tzinfo=UTC)):
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_a_killed_process_holds_nothing_and_its_record_is_written_over(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        assert owner_of(path) == Owner(child.pid, socket.gethostname(), datetime(2026, 11, 1, tzinfo=UTC))
        assert_refused(path, f"(process {child.pid} on ")
        child.kill()
    assert Path(f"{path}.owner").exists()
    assert owner_of(path) is None
    with lock(path):
        assert owner_of(path) == ME


@pytest.mark.parametrize("record", [None, b"", b"[]", b'{"pid":1,"host":"a","since":"yesterday"}'])
def test_an_owner_that_left_no_word_refuses_all_the_same(path: Path, record: bytes | None) -> None:
    with lock(path):
        owner = Path(f"{path}.owner")
        owner.unlink()
        if record is not None:
            owner.write_bytes(record)
        assert owner_of(path) == Owner(None, None, None)
        assert_refused(path, "is being written by another run (a process that cannot be named).")


@pytest.mark.parametrize("where", ["below a file", "in no directory", "in a closed directory", "beside a directory"])
def test_a_place_that_takes_no_lock_is_found_at_once(tmp_path: Path, where: str) -> None:
    path = tmp_path / "audit.jsonl"
    match where:
        case "below a file":
            (tmp_path / "file").touch()
            path = tmp_path / "file" / "audit.jsonl"
        case "in no directory":
            path = tmp_path / "none" / "audit.jsonl"
        case "beside a directory":
            Path(f"{path}.owner").mkdir()
        case _:
            if not ON_POSIX or os.geteuid() == 0:
                pytest.skip("root may write anywhere")
            tmp_path.chmod(0o500)
    assert_refused(path, f"cannot create the audit log {path}: ")
    assert owner_of(path) is None


def test_an_owner_file_that_is_a_link_is_replaced_and_not_followed(path: Path) -> None:
    precious = path.parent / "precious"
    precious.write_text("precious")
    try:
        Path(f"{path}.owner").symlink_to(precious)
    except OSError:
        pytest.skip("this user may make no links")
    with lock(path):
        assert owner_of(path) == ME
    assert precious.read_text() == "precious"


@pytest.mark.skipif(not ON_POSIX, reason="Windows has no file modes")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_its_files_are_for_the_owner_alone_whatever_the_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with lock(path):
            assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    finally:
        os.umask(before)
