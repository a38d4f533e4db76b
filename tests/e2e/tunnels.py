"""HTTP proxies for CONNECT: one of our own that fails on demand, and those that others have written."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import quote

from tests.e2e.driving import PATIENCE_S, listens, wait_until

Answer = int | str
"""How a CONNECT is answered: by a status, 200 being a tunnel, or `hang`, or `reset`."""


@dataclass
class Tunnels:
    """A proxy of our own: `asked` holds the target and the credentials of each CONNECT, in order."""

    answer: Callable[[int], Answer]
    """What the first CONNECT is answered, the second, and so on, counted from 0."""
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    opened: int = 0
    """How many tunnels were made."""
    clear: bytes = b""
    """Everything that was sent to the proxy itself."""
    port: int = 0
    open_now: list[socket.socket] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)
    """Set when the test is over: whoever hangs may go."""

    def url(self, user: str = "", password: str = "") -> str:
        """What the proxy setting must be."""
        login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
        return f"http://{login}127.0.0.1:{self.port}"


@contextmanager
def tunnels(answer: Callable[[int], Answer] = lambda _: 200) -> Iterator[Tunnels]:
    """The proxy, on a thread for each connection, until the block ends."""
    here = Tunnels(answer)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        here.port = listener.getsockname()[1]
        acceptor = threading.Thread(target=_accept, args=(here, listener), daemon=True)
        acceptor.start()
        try:
            yield here
        finally:
            here.over.set()
            _shut(listener)
            acceptor.join(PATIENCE_S)
            for each in here.open_now:
                _shut(each)


def _accept(here: Tunnels, listener: socket.socket) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            here.open_now.append(client)
            threading.Thread(target=_serve, args=(here, client), daemon=True).start()


def _serve(here: Tunnels, client: socket.socket) -> None:
    with client, suppress(OSError):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if not (more := client.recv(1)):
                return
            head += more
        target = head.split()[1].decode()
        lines = [line for line in head.split(b"\r\n") if line.lower().startswith(b"proxy-authorization: basic ")]
        login = base64.b64decode(lines[0].split()[-1]) if lines else b""
        with here.lock:
            number = len(here.asked)
            here.asked.append((target, login))
            here.clear += head
        match here.answer(number):
            case "hang":
                here.over.wait(PATIENCE_S)
            case "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            case 200:
                _tunnel(here, client, target)
            case status:
                body = b"<html>a page of the proxy</html>"
                client.sendall(b"HTTP/1.1 %d No\r\nContent-Length: %d\r\n\r\n%b" % (int(status), len(body), body))


def _tunnel(here: Tunnels, client: socket.socket, target: str) -> None:
    host, _, port = target.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port))) as upstream:
        here.open_now.append(upstream)
        with here.lock:
            here.opened += 1
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = threading.Thread(target=_pump, args=(upstream, client), daemon=True)
        back.start()
        _pump(client, upstream)
        back.join(PATIENCE_S)


def _shut(each: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        each.shutdown(socket.SHUT_RDWR)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy until the source ends, and say so to the sink."""
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


HELPER: Final = """\
import sys
from urllib.parse import unquote_to_bytes
expected = [{user!r}.encode(), {password!r}.encode()]
for line in sys.stdin.buffer:
    given = [unquote_to_bytes(word) for word in line.split()[:2]]
    print("OK" if given == expected else "ERR", flush=True)
"""
"""squid asks this program about each user and password; it writes the bytes that it got percent-encoded."""

SQUID: Final = """\
http_port 127.0.0.1:{port}
pid_filename none
cache deny all
cache_log {folder}/errors
access_log stdio:{folder}/log
coredump_dir {folder}
shutdown_lifetime 0 seconds
auth_param basic program {python} {folder}/helper.py
auth_param basic children 1 startup=1 idle=1
auth_param basic realm bulkpause
acl known proxy_auth REQUIRED
acl forbidden dstdomain forbidden.example
http_access deny forbidden
http_access allow known
http_access deny all
"""

TINYPROXY: Final = """\
Port {port}
Listen 127.0.0.1
Timeout 30
LogFile "{folder}/log"
LogLevel Connect
MaxClients 100
BasicAuth {user} {password}
"""


@dataclass(frozen=True, slots=True)
class ProxyProgram:
    """A proxy that is installed, or not."""

    name: str
    config: str
    arguments: Callable[[Path, int], list[str]]
    password: str

    @property
    def path(self) -> str | None:
        """Where it is installed; None if it is not."""
        return shutil.which(self.name, path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"]))


PROXY_PROGRAMS: Final = (
    ProxyProgram(
        "squid",
        SQUID,
        lambda folder, port: ["-N", "-n", f"bulkpause{port}", "-f", f"{folder}/config"],
        "p@ss:w/rd%20ü?#",
    ),
    ProxyProgram("tinyproxy", TINYPROXY, lambda folder, _: ["-d", "-c", f"{folder}/config"], "passw0rd"),
)
USER: Final = "ann"


@dataclass(frozen=True, slots=True)
class RunningProxy:
    """A proxy that is up."""

    port: int
    log: Path

    def url(self, password: str) -> str:
        """What the proxy setting must be."""
        return f"http://{USER}:{quote(password, safe='')}@127.0.0.1:{self.port}"

    @property
    def connects(self) -> list[str]:
        """The lines of its log about CONNECT."""
        return [line for line in self.log.read_text(errors="replace").splitlines() if "CONNECT" in line]


@contextmanager
def proxy_program(program: ProxyProgram) -> Iterator[RunningProxy]:
    """The program, with a folder to itself, until the block ends."""
    assert program.path is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    python = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin") or sys.executable
    with TemporaryDirectory(prefix="bulkpause-proxy-") as name:
        folder = Path(name)
        words = {"folder": folder, "port": port, "python": python, "user": USER}
        (folder / "config").write_text(program.config.format(**words, password=program.password))
        (folder / "helper.py").write_text(HELPER.format(user=USER, password=program.password), encoding="utf-8")
        folder.chmod(0o777)
        process = subprocess.Popen(
            [program.path, *program.arguments(folder, port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user="nobody" if is_root else None,
        )  # as somebody else, because squid refuses to be root
        try:
            wait_until(lambda: process.poll() is not None or listens(port))
            assert process.poll() is None, f"{program.name} does not start"
            yield RunningProxy(port, folder / "log")
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE_S)
