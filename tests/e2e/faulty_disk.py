"""A disk that fails as real ones do, and a log of what reached it: loaded into the command's own process.

`python faulty_disk.py COMMAND [ARGUMENT ...]` runs the installed command behind the faults that FAULTY_DISK names, a
JSON object with the fields of `Faults`. The calls it stands before are those of the ledger (any `*.jsonl`) and every
socket; all other files fare well.
"""

from __future__ import annotations

import errno
import json
import os
import re
import runpy
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

VARIABLE: Final = "FAULTY_DISK"
_ID: Final = r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
NAMED: Final = re.compile(rf'"correlation_id":"{_ID}"'.encode())
"""How a line of the ledger names its attempt."""
SENT: Final = re.compile(rf"\APUT .*MS-CorrelationId: {_ID}".encode(), re.DOTALL)
"""How a PUT names its attempt on the wire; what is read is nobody's attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What the disk does to the ledger; nothing, unless told."""

    fails: str | None = None
    """`write` or `sync`: the call that fails."""
    reason: str = "ENOSPC"
    after: int = 0
    """Calls that go well before the first that fails."""
    times: int | None = None
    """Calls that fail before all is well again; None: for good."""
    room_bytes: int | None = None
    """What the disk still takes: the write that meets the end is cut short, as on a real disk, the next one fails."""
    sync_s: float = 0.0
    """How long each sync takes."""
    dies: str | None = None
    """`torn` amid a write, `written` before a sync, `synced` after one, `sent` after a request: kill -9 by itself."""
    dies_at: int = 1
    """Which of those it is."""
    log: str | None = None
    """Where to note, in order, what was written, synced and sent."""

    def environment(self) -> dict[str, str]:
        """The variable that brings them to the command's process."""
        return {VARIABLE: json.dumps(asdict(self))}


class FaultyDisk:
    """Stands before `os` and `socket` once installed, for as long as the process lives."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._fds: set[int] = set()
        self._calls: Counter[str] = Counter()
        self._written_bytes = 0
        self._noting = threading.Lock()
        self._open, self._close, self._write = os.open, os.close, os.write
        self._log = None if faults.log is None else self._open(faults.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def install(self) -> None:
        """Take the place of the calls."""
        os.open = self._opened
        os.close = self._closed
        os.write = self._wrote
        for name in {"fsync", "fdatasync"} & set(dir(os)):
            setattr(os, name, self._synced(getattr(os, name)))
        socket.socket.send = self._sent(socket.socket.send)  # type: ignore[method-assign]
        if hasattr(socket.socket, "sendmsg"):
            socket.socket.sendmsg = self._sent(socket.socket.sendmsg)  # type: ignore[method-assign]

    def _opened(self, path: Any, flags: int, *arguments: Any, **more: Any) -> int:
        fd = self._open(path, flags, *arguments, **more)
        if flags & os.O_WRONLY and os.fsdecode(path).endswith(".jsonl"):
            self._fds.add(fd)
        return fd

    def _closed(self, fd: int) -> None:
        self._fds.discard(fd)
        self._close(fd)

    def _wrote(self, fd: int, data: Any) -> int:
        if fd not in self._fds:
            return self._write(fd, data)
        self._fail_if_due("write")
        room_bytes, view = self._faults.room_bytes, memoryview(data)
        if room_bytes is not None and self._written_bytes + len(view) > room_bytes:
            view = view[: room_bytes - self._written_bytes]
            if not view:
                raise _failure("ENOSPC")
        if self._is_death("torn"):
            self._write(fd, view[: len(view) * 2 // 3])
            _die()
        count = self._write(fd, view)
        self._written_bytes += count
        self._note("write", NAMED.findall(view[:count]))
        return count

    def _synced(self, sync: Callable[[Any], None]) -> Callable[[Any], None]:
        def synced(fd: Any) -> None:
            if fd not in self._fds:
                return sync(fd)
            if self._is_death("written"):
                _die()
            time.sleep(self._faults.sync_s)
            self._fail_if_due("sync")
            sync(fd)
            self._note("sync", ())
            if self._is_death("synced"):
                _die()
            return None

        return synced

    def _sent(self, send: Callable[..., int]) -> Callable[..., int]:
        def sent(sock: socket.socket, data: Any, *more: Any) -> int:
            ids = SENT.findall(b"".join(data) if isinstance(data, (list, tuple)) else data)
            if ids:
                self._note("send", ids)
            count = send(sock, data, *more)
            if ids and self._is_death("sent"):
                _die()
            return count

        return sent

    def _fail_if_due(self, call: str) -> None:
        faults = self._faults
        if faults.fails != call:
            return
        self._calls[call] += 1
        beyond = self._calls[call] - faults.after
        if beyond > 0 and (faults.times is None or beyond <= faults.times):
            raise _failure(faults.reason)

    def _is_death(self, point: str) -> bool:
        if self._faults.dies != point:
            return False
        self._calls[point] += 1
        return self._calls[point] == self._faults.dies_at

    def _note(self, call: str, ids: Sequence[bytes]) -> None:
        if self._log is not None:
            with self._noting:
                self._write(self._log, b" ".join([call.encode(), *ids]) + b"\n")


def _failure(reason: str) -> OSError:
    code = getattr(errno, reason)
    return OSError(code, os.strerror(code))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Run the command in the arguments behind the faults in the environment."""
    FaultyDisk(Faults(**json.loads(os.environ.pop(VARIABLE)))).install()
    del sys.argv[0]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
