"""Which core serves and which one asks, so that neither disturbs the other."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Final

CLIENT_CORE: Final = 0
SERVER_CORE: Final = 1


def on_core(core: int, command: list[str]) -> list[str]:
    """The command, on a core of its own where taskset is at hand and the machine has as many."""
    taskset = shutil.which("taskset")
    return [taskset, "--cpu-list", str(core), *command] if taskset and (os.cpu_count() or 1) > core else command


def pin(core: int) -> None:
    """This process on one core, where the platform can."""
    if sys.platform == "linux" and (os.cpu_count() or 1) > core:
        os.sched_setaffinity(0, {core})
