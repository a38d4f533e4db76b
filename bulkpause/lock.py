"""One live run per ledger: the lock beside it, and who holds it."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

import orjson
from filelock import FileLock, Timeout

from bulkpause.errors import AuditCreateError

GRACE_S: Final = 0.1
"""How long a taken lock is tried again: another `owner_of` may have it for a moment."""


class Owner(NamedTuple):
    """The process that writes a ledger; None where it could not be found out."""

    pid: int | None
    host: str | None
    since: datetime | None

    def __str__(self) -> str:
        if self.pid is None or self.since is None:
            return "a process that cannot be named"
        return f"process {self.pid} on {self.host} since {self.since:%Y-%m-%d %H:%M:%S} UTC"


class LedgerTakenError(AuditCreateError):
    """Another process writes the ledger."""

    def __init__(self, message: str, owner: Owner) -> None:
        super().__init__(message)
        self.owner = owner


class LedgerLock:
    """Held while a run writes the ledger at `path`, by this process and no other; a dead one holds nothing.

    Entering raises LedgerTakenError, which names the owner, if another run has it, or AuditCreateError if no lock can
    be made there.
    """

    def __init__(self, path: Path, *, now: datetime) -> None:
        self.path = path
        self._owner = Owner(os.getpid(), socket.gethostname(), now)
        self._lock = FileLock(_lock_file(path), mode=0o600, thread_local=False)

    def __enter__(self) -> Self:
        try:
            self.path.parent.stat()  # the lock would make a missing directory, and a typo a success
            self._lock.acquire(timeout=GRACE_S, poll_interval=GRACE_S / 10)
            try:
                _write_owner(self.path, self._owner)
            except OSError:
                self._lock.release()
                raise
        except Timeout:
            owner = _read_owner(self.path)
            raise LedgerTakenError(
                f"{self.path} is being written by another run ({owner}). Wait for it, or choose another file.", owner
            ) from None
        except OSError as error:
            raise AuditCreateError(f"cannot create the audit log {self.path}: {error.strerror or error}.") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # one that stays behind says nothing without the lock
            _owner_file(self.path).unlink(missing_ok=True)
        self._lock.release()


def owner_of(path: Path) -> Owner | None:
    """Who writes the ledger at `path` now; None if nobody does, or if that may not be asked here."""
    file = _lock_file(path)
    lock = FileLock(file, mode=0o600)
    try:
        if not file.exists():  # nor made: the folder may be an archive
            return None
        lock.acquire(timeout=GRACE_S, poll_interval=GRACE_S / 10)
    except Timeout:
        return _read_owner(path)
    except OSError:
        return None
    lock.release()
    return None


def _lock_file(path: Path) -> Path:
    return Path(f"{path}.lock")


def _owner_file(path: Path) -> Path:
    # A file of its own: Windows lets nobody read a locked one, and a refused contender may empty it.
    return Path(f"{path}.owner")


def _write_owner(path: Path, owner: Owner) -> None:
    file = _owner_file(path)
    file.unlink(missing_ok=True)  # of a process that died; never followed, should it be a link
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(orjson.dumps(owner._asdict()))


def _read_owner(path: Path) -> Owner:
    try:
        found = orjson.loads(_owner_file(path).read_bytes())
        return Owner(found["pid"], found["host"], datetime.fromisoformat(found["since"]))
    except (OSError, ValueError, KeyError, TypeError):  # not there yet, or half of it
        return Owner(None, None, None)
