"""Servers on the loopback that say exactly what they are told, byte for byte, and the client to meet them with."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from bulkpause.client import ClientSettings, FakeTokens, ReportClient, TokenSource
from bulkpause.clock import SystemClock
from bulkpause.models import Operation, Reply, ReportId, Wire

REPORT_ID = ReportId("0b9c7a52-8a5e-4f9b-9c1e-3d2f1a0b4c5d")
PAUSED = b'{"value":[{"reportId":"%s","reportStatus":"Paused"}],"statusCode":200}' % REPORT_ID.encode()


def http(status: int, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} Because", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join((*lines, "", "")).encode() + body


@dataclass
class Peer:
    """A raw server; `requests` holds the head of every request it read, `open_now` its connections."""

    requests: list[bytes] = field(default_factory=list)
    open_now: int = 0
    most_open: int = 0
    port: int = 0
    got_one: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the test is over: whoever sleeps may go."""

    def url(self, scheme: str = "http") -> str:
        """The base URL."""
        return f"{scheme}://127.0.0.1:{self.port}/insights/v1/mpn"


Act = Callable[[Peer, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def peer(act: Act, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """A server that does `act` with every connection until the block ends."""
    here = Peer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here.open_now += 1
        here.most_open = max(here.most_open, here.open_now)
        try:
            await act(here, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the client left first
        finally:
            here.open_now -= 1
            writer.close()

    async with asyncio.TaskGroup() as group:

        def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            group.create_task(serve(reader, writer))

        server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=tls)
        here.port = server.sockets[0].getsockname()[1]
        try:
            yield here
        finally:
            here.done.set()
            server.close()


async def read_request(here: Peer, reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    here.requests.append(head)
    here.got_one.set()
    return head


Then = Literal["close", "reset", "mute"]


def says(*replies: bytes, then: Then = "close") -> Act:
    """Answers the requests of a connection with `replies` in turn; then closes, resets, or stays mute."""

    async def act(here: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in replies:
            await read_request(here, reader)
            writer.write(reply)
            await writer.drain()
        match then:
            case "reset":
                writer.transport.abort()
            case "mute":
                await here.done.wait()
            case "close":
                pass

    return act


@asynccontextmanager
async def client(
    base_url: str,
    *,
    tokens: TokenSource | None = None,
    departed: Callable[[float], None] = lambda _at_s: None,
    **settings: Any,
) -> AsyncIterator[Callable[..., Coroutine[Any, Any, tuple[Reply, Wire]]]]:
    """A client, as a function that sends once and returns the reply and what the wire saw."""
    chosen = ClientSettings(**({"base_url": base_url, "connections": 4, "timeout_s": 10.0} | settings))  # type: ignore[arg-type]
    async with ReportClient(chosen, tokens=tokens or FakeTokens(), clock=SystemClock(), departed=departed) as api:

        async def send(
            operation: Operation = Operation.PAUSE, *, number: int = 0, wire: Wire | None = None
        ) -> tuple[Reply, Wire]:
            wire = wire or Wire()
            reply = await api.send(
                operation, REPORT_ID, request_id=f"request-{number}", correlation_id=f"correlation-{number}", wire=wire
            )
            assert not api._flights or number
            return reply, wire

        yield send


async def once(act: Act, *, tokens: TokenSource | None = None, **settings: Any) -> tuple[Reply, Wire, Peer]:
    """One request to a server that does `act`."""
    async with peer(act) as here, client(here.url(), tokens=tokens, **settings) as send:
        reply, wire = await send()
        return reply, wire, here
