"""A stretch of wire that fails: every byte between the client and the sandbox goes through it."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from tests.e2e.driving import PATIENCE_S

Fault = Literal["flip", "reset", "close", "vanish"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What befalls a connection once the service has sent so many bytes on it."""

    fault: Fault
    after_bytes: int


@dataclass
class Relay:
    """The wire; `trouble` says what befalls the connection of a number, counted from 0."""

    upstream: tuple[str, int]
    trouble: Callable[[int], Trouble | None]
    port: int = 0
    connections: int = 0
    befallen: list[int] = field(default_factory=list)
    """The numbers of the connections that something befell."""
    open_now: list[socket.socket] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def reset_all(self) -> None:
        """Every connection there is is reset, at once."""
        for each in self.open_now:
            with suppress(OSError):
                _will_reset(each)
                each.shutdown(socket.SHUT_RD)


@contextmanager
def relay(port: int, trouble: Callable[[int], Trouble | None] = lambda _: None) -> Iterator[Relay]:
    """The wire to `port` of this machine, until the block ends."""
    here = Relay(("127.0.0.1", port), trouble)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        here.port = listener.getsockname()[1]
        acceptor = threading.Thread(target=_accept, args=(here, listener), daemon=True)
        acceptor.start()
        try:
            yield here
        finally:
            here.over.set()
            for each in (listener, *here.open_now):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            acceptor.join(PATIENCE_S)


def _accept(here: Relay, listener: socket.socket) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            here.open_now.append(client)
            number, here.connections = here.connections, here.connections + 1
            threading.Thread(target=_carry, args=(here, client, number), daemon=True).start()


def _carry(here: Relay, client: socket.socket, number: int) -> None:
    with client, socket.create_connection(here.upstream) as service, suppress(OSError):
        here.open_now.append(service)
        there = threading.Thread(target=_pump, args=(client, service), daemon=True)
        there.start()
        _answer(here, client, service, number)
        for each in (client, service):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RD)  # a socket that a thread reads from is not closed before that ends
        there.join(PATIENCE_S)


def _answer(here: Relay, client: socket.socket, service: socket.socket, number: int) -> None:
    """Carry what the service says, until something befalls the connection."""
    trouble, carried = here.trouble(number), 0
    while data := service.recv(65536):
        carried += len(data)
        if trouble is None or carried < trouble.after_bytes:
            client.sendall(data)
            continue
        here.befallen.append(number)
        match trouble.fault:
            case "flip":
                client.sendall(data[:-1] + bytes([data[-1] ^ 0x55]))
                trouble = None
            case "reset":
                _will_reset(client)
                return
            case "close":
                return
            case "vanish":
                here.over.wait(PATIENCE_S)
                return


def _will_reset(each: socket.socket) -> None:
    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
