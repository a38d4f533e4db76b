"""Where ledgers are written while measuring: on a real disk, since a commit in memory costs nothing."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path


def work_folder() -> Path:
    """The current directory; says what a commit costs there, and says loudly if it is memory."""
    folder = Path.cwd()
    if _filesystem(folder) in {"tmpfs", "ramfs"}:
        print(f"note: {folder} is memory; run from a directory on a real disk", file=sys.stderr)
    print(
        f"ledgers go to {folder} ({_filesystem(folder)}), where a commit takes {commit_ms(folder):.1f} ms", flush=True
    )
    return folder


def commit_ms(folder: Path) -> float:
    """The median of 50 small writes, each made durable."""
    probe = folder / ".bench-probe"
    fd = os.open(probe, os.O_WRONLY | os.O_CREAT)
    try:
        samples = []
        for _ in range(50):
            os.write(fd, bytes(4096))
            started_s = time.perf_counter()
            os.fsync(fd)
            samples.append(time.perf_counter() - started_s)
    finally:
        os.close(fd)
        probe.unlink()
    return sorted(samples)[25] * 1000


def _filesystem(folder: Path) -> str:
    """The type of the file system that holds `folder`, where the platform tells."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "unknown"
    entries = (line.split() for line in mounts.read_text(encoding="utf-8").splitlines())
    holders = [(len(point), kind) for _, point, kind, *_ in entries if folder.is_relative_to(point)]
    return max(holders)[1]
