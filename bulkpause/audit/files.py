"""The ledger's file: made, opened, written and forced onto the disk, as far as each platform can."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from bulkpause.chain import Tail
from bulkpause.errors import AuditCreateError


def sync(fd: int) -> None:
    """Force what was written to `fd` onto the disk, by the strongest cheap means the platform has."""
    getattr(os, "fdatasync", os.fsync)(fd)


def create(path: Path) -> int:
    """A new file that only its owner may read, open for appending; OSError if it exists or cannot be made."""
    binary = getattr(os, "O_BINARY", 0)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | binary, 0o600)
    try:
        _sync_folder(path.parent)
    except OSError:
        os.close(fd)
        path.unlink()  # or the next try would find it in its way
        raise
    return fd


def reopen(path: Path, tail: Tail) -> int:
    """Open a ledger for appending behind `tail`; a torn last line is cut off first.

    Raises OSError, or AuditCreateError if the file is longer or shorter than it was when its tail was found.
    """
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
    try:
        if os.fstat(fd).st_size != tail.size + tail.cut_bytes:
            raise AuditCreateError(  # noqa: TRY301 - the file is closed for this as well
                f"the audit log {path} was changed by somebody else just now. Try again."
            )
        os.ftruncate(fd, tail.size)
        os.fsync(fd)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _sync_folder(folder: Path) -> None:
    """Let a new name in `folder` survive a power cut as well, where the system can: Windows has no such call."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # network and shared folders may not know it
            raise
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    """Write it all, in as many pieces as the system wants."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
