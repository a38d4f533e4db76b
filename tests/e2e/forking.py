"""A server that forks: each order becomes a process of its own that runs the real command, without its start-up cost.

As a program it reads orders from stdin, a JSON object a line, and answers each with the process's id and, when that has
ended, its exit code (negative: the signal). POSIX only.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NoReturn, Self

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.e2e.faulty_disk import Faults, FaultyDisk

PRELOADED: Final = (
    *(
        "bulkpause.cli.root",
        "bulkpause.cli.operate",
        "bulkpause.cli.past",
        "bulkpause.cli.conduct",
        "bulkpause.cli.render",
    ),
    *("bulkpause.work.continuing", "bulkpause.open_files", "bulkpause.run", "bulkpause.runs"),
    *("bulkpause.sources.lines", "bulkpause.sources.tables", "concurrent.futures.thread", "platformdirs.unix"),
    *("encodings.idna", "encodings.unicode_escape", "pydantic", "pydantic.root_model", "pydantic_settings", "zoneinfo"),
)
"""What a run imports before its first request."""


class ForkServer:
    """Starts one process at a time; `with ForkServer() as server`."""

    def __enter__(self) -> Self:
        self._server = subprocess.Popen(
            [sys.executable, "-u", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "COVERAGE_PROCESS_START": "", "COVERAGE_PROCESS_CONFIG": ""},
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.communicate()

    def start(
        self, arguments: Sequence[str], *, env: dict[str, str], folder: Path, said: Path, faults: Faults
    ) -> Forked:
        """Run the command with `arguments` in `folder`; what it prints goes to the file `said`."""
        order = {"arguments": arguments, "env": env, "folder": str(folder), "said": str(said), "faults": asdict(faults)}
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(order).encode() + b"\n")
        self._server.stdin.flush()
        return Forked(int(self._server.stdout.readline()), self._server.stdout)


class Forked:
    """One process, which must end before the next is started."""

    def __init__(self, pid: int, answers: Any) -> None:
        self._pid = pid
        self._answers = answers

    def has_ended(self, *, wait_s: float = 0.0) -> bool:
        """Whether it has, or does within `wait_s`."""
        return bool(select.select([self._answers], [], [], wait_s)[0])

    def signal(self, number: int) -> None:
        """Send it a signal, unless it is gone."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, number)

    def end(self) -> int:
        """Wait for its end: the exit code, or minus the signal that ended it."""
        return int(self._answers.readline())


def _serve() -> None:
    """Fork for each order. What the command imports is imported once, and no thread is there to be lost."""
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()
    while line := sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            _become(json.loads(line))
        print(pid)  # noqa: T201 - the protocol
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status))  # noqa: T201 - the protocol


def _become(order: dict[str, Any]) -> NoReturn:
    from bulkpause.cli import main  # noqa: PLC0415

    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["env"])
    said = os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for fd, source in enumerate([os.open(os.devnull, os.O_RDONLY), said, said]):
        os.dup2(source, fd)
    FaultyDisk(Faults(**order["faults"])).install()
    main(order["arguments"])


if __name__ == "__main__":
    _serve()
