"""Who besides its owner can read a file that holds a secret. By the mode bits, so on POSIX alone."""

from __future__ import annotations

import os
import shlex
import stat
import sys
from pathlib import Path


def exposure(file: Path) -> str | None:
    """Why the file may not hold a secret, and what to type; None if it may, on Windows, or if there is no such file.

    Its group may read it where somebody else owns it: so Kubernetes mounts secrets for a user who is not root. The
    directories above are not looked at.
    """
    if sys.platform == "win32":
        return None
    try:
        status = file.stat()
    except OSError:
        return None  # reading it will say more
    return judge(file, mode=status.st_mode, is_ours=status.st_uid == os.geteuid())


def is_private(descriptor: int) -> bool:
    """Whether an open file is its owner's alone, as one that we have made ourselves is; true on Windows."""
    return sys.platform == "win32" or stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077 == 0


def chmod(file: Path) -> str:
    """What to type to make it so."""
    return f"chmod 600 {shlex.quote(str(file))}"


def judge(file: Path, *, mode: int, is_ours: bool) -> str | None:
    """The same by what is known of the file. Pure."""
    if not stat.S_ISREG(mode):
        return None  # a pipe of the shell, or /dev/null
    if mode & stat.S_IROTH:
        readers = "everybody"
    elif mode & stat.S_IRGRP and is_ours:
        readers = "its group"
    else:
        return None
    return (
        f"{file} can be read by {readers} (mode {stat.S_IMODE(mode):04o}): {chmod(file)}"
        " (Kubernetes: defaultMode: 0400; Docker Compose: mode: 0400)"
    )
