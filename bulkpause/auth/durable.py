"""Files that hold a sign-in: replaced as a whole and on the disk before anybody relies on it; for their owner alone."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bulkpause.errors import AuthError
from bulkpause.permissions import chmod, is_private

_TRIES: Final = 25
_PAUSE_S: Final = 0.02


def make_private(folder: Path) -> None:
    """Make the folder, 0700, if it is not there. Raises AuthError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise AuthError(f"{folder}, where sign-ins are kept, cannot be made: {error.strerror}") from None


def write_durably(file: Path, content: bytes, *, wait: Callable[[float], None] = time.sleep) -> None:
    """Replace the file, 0600, by one with `content`; once this returns, a power loss does not bring the old one back.

    Raises OSError; the old file is then as it was.
    """
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # 0600
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        _replace(Path(name), file, wait=wait)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


def _replace(draft: Path, file: Path, *, wait: Callable[[float], None]) -> None:
    """Put the draft in the file's place. Windows refuses that for as long as somebody has the file open."""
    for _ in range(_TRIES):
        try:
            draft.replace(file)
        except PermissionError:
            wait(_PAUSE_S)
        else:
            return
    draft.replace(file)


def sync_file(file: Path) -> None:
    """Make sure that the disk has what was written to the file by other means."""
    with file.open("r+b") as stream:
        os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Make what was renamed in the folder last; Windows opens no folders, and does that by itself."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_private(file: Path) -> bytes | None:
    """The file's content; None if there is none. Raises AuthError if others can read it, or it cannot be read."""
    try:
        with file.open("rb") as stream:
            if not is_private(stream.fileno()):
                raise AuthError(f"{file} holds a sign-in and others can read it: {chmod(file)}")
            return stream.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AuthError(f"{file}, which holds a sign-in, cannot be read: {error.strerror}") from None
