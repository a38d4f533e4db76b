"""Real disks as small, full or read-only as a test wants them: a tmpfs that only the command sees."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def on_tiny_disk(home: Path, options: str) -> Iterator[tuple[str, Path, str]]:
    """A disk with mount `options`: its folder, where its files are once the command has ended, and a script for "$@".

    It lives in a mount namespace of the command's own and goes with it. Skips the test where that is not permitted.
    """
    disk, kept = home / "disk", home / "kept"
    disk.mkdir()
    kept.mkdir()
    unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    mount = f"mount -t tmpfs -o {options} tmpfs {shlex.quote(str(disk))}"
    why_not = _refusal([*unshare, "sh", "-c", mount])
    if why_not is not None:
        pytest.skip(f"no file system of a test's own can be mounted here: {why_not}")
    inside = f'{mount} || exit 99; "$@"; code=$?; cp -r {shlex.quote(str(disk))}/. {shlex.quote(str(kept))}; exit $code'
    yield str(disk), kept, f'exec {shlex.join(unshare)} bash -c {shlex.quote(inside)} bash "$@"'


def _refusal(command: list[str]) -> str | None:
    """Why `command` fails; None if it does not."""
    if shutil.which(command[0]) is None:
        return f"{command[0]} is not installed"
    tried = subprocess.run(command, capture_output=True, check=False)
    return tried.stderr.decode().strip() or f"exit code {tried.returncode}" if tried.returncode else None
