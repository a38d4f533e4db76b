"""Connecting, silence and the whole exchange each have a limit of their own, which the message names."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from bulkpause.models import Verdict
from bulkpause.sandbox import SandboxSettings, parse_latency, serve_in_thread
from bulkpause.trust import Trust
from tests.client.peers import PAUSED, Act, Peer, client, http, peer, read_request, says

LONG_S = 10.0


@contextmanager
def black_hole(address: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """A port that answers no SYN: its backlog is full, and nobody takes from it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as listener:
        listener.bind((address, port))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket(family)
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect((address, port))
            fillers.append(filler)
        try:
            yield port
        finally:
            for filler in fillers:
                filler.close()


async def took_s(send: Callable[[], Awaitable[object]]) -> float:
    """How long one request took."""
    started_s = time.monotonic()
    await send()
    return time.monotonic() - started_s


async def test_a_black_hole_costs_the_connect_timeout() -> None:
    with black_hole() as port:
        async with client(f"https://127.0.0.1:{port}/v1", connect_timeout_s=0.2, timeout_s=LONG_S) as send:
            reply, wire = await send()
            assert await took_s(send) < 1
    assert (reply.verdict, wire.sent) == (Verdict.UNANSWERED, 0)
    assert reply.error == f"no connection to 127.0.0.1:{port} within 0.2 s (api.connect_timeout_s)"


async def connect_and_hang(here: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(here, reader)
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    await here.done.wait()


async def trickle_an_answer_to_connect(here: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(here, reader)
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    while not here.done.is_set():
        writer.write(b"x")
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(says(then="mute"), id="does not take CONNECT"),
        pytest.param(says(b"", then="mute"), id="does not answer CONNECT"),
        pytest.param(trickle_an_answer_to_connect, id="answers it for ever"),
        pytest.param(connect_and_hang, id="a tunnel to nowhere"),
    ],
)
async def test_a_proxy_that_hangs_costs_the_connect_timeout(act: Act) -> None:
    async with peer(act) as here:
        proxy = f"http://127.0.0.1:{here.port}"
        async with client("https://partner.example", proxy=proxy, connect_timeout_s=0.2, timeout_s=LONG_S) as send:
            reply, wire = await send()
            assert await took_s(send) < 1
    assert (reply.verdict, wire.sent) == (Verdict.UNANSWERED, 0)
    assert reply.error == (
        f"no connection to partner.example through the proxy 127.0.0.1:{here.port} within 0.2 s (api.connect_timeout_s)"
    )


async def test_the_whole_limit_counts_while_connecting_too() -> None:
    async with (
        peer(says(then="mute")) as here,
        client(here.url("https"), connect_timeout_s=LONG_S, timeout_s=0.2) as send,
    ):
        reply, wire = await send()
    assert (reply.error, wire.sent) == ("no reply within 0.2 s (api.timeout_s)", 0)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-"], ids=["nothing", "half a head"])
async def test_silence_has_its_own_limit(said: bytes) -> None:
    async with (
        peer(says(said, then="mute")) as here,
        client(here.url(), read_timeout_s=0.2, timeout_s=LONG_S) as send,
    ):
        reply, wire = await send()
        assert await took_s(send) < 1
    assert (reply.verdict, wire.sent) == (Verdict.UNANSWERED, 1)
    assert reply.error == "nothing came for 0.2 s (api.read_timeout_s)"


async def test_silence_in_the_body_ends_it_and_the_status_line_is_an_answer() -> None:
    async with (
        peer(says(http(500, b"half", length=1000), then="mute")) as here,
        client(here.url(), read_timeout_s=0.2, timeout_s=LONG_S) as send,
    ):
        reply, _ = await send()
        assert await took_s(send) < 1
    assert (reply.verdict, reply.http_status) == (Verdict.FAULT, 500)


def trickling(head: bytes, drop: bytes) -> Act:
    async def act(here: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(here, reader)
        writer.write(head)
        while not here.done.is_set():
            writer.write(drop)
            await asyncio.sleep(0.05)

    return act


@pytest.mark.parametrize(
    ("act", "verdict"),
    [
        pytest.param(trickling(b"HTTP/1.1 200 OK\r\nX: ", b"x"), Verdict.UNANSWERED, id="in the head"),
        pytest.param(trickling(http(200, length=10_000), b" "), Verdict.UNREADABLE, id="in the body"),
        pytest.param(trickling(http(503, length=10_000), b" "), Verdict.FAULT, id="in the body of a failure"),
    ],
)
async def test_one_that_trickles_for_ever_costs_the_whole_timeout(act: Act, verdict: Verdict) -> None:
    async with peer(act) as here, client(here.url(), read_timeout_s=0.3, timeout_s=0.6) as send:
        seconds = await took_s(send)
        reply, wire = await send()
    assert (reply.verdict, wire.sent) == (verdict, 1)
    assert 0.25 < seconds < 1.5


async def test_a_body_that_keeps_coming_may_take_longer_than_the_silence_allowed() -> None:
    async def drip(here: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(here, reader)
        writer.write(http(200, length=len(PAUSED)))
        for at in range(0, len(PAUSED), 20):
            await asyncio.sleep(0.1)
            writer.write(PAUSED[at : at + 20])

    async with peer(drip) as here, client(here.url(), read_timeout_s=0.3, timeout_s=LONG_S) as send:
        reply, _ = await send()
    assert reply.verdict is Verdict.CONFIRMED


@pytest.mark.parametrize("where", ["while connecting", "while waiting"])
async def test_a_process_that_stood_still_blames_nobody(where: str) -> None:
    """Everything has arrived meanwhile, and every timer is late."""
    is_waiting = where == "while waiting"
    with serve_in_thread(
        SandboxSettings(tls=True, reports=1, latency=parse_latency("100ms" if is_waiting else "0"))
    ) as sandbox:
        tokens = _Fixed(sandbox.issue_token())
        limits = {"connect_timeout_s": 0.3, "read_timeout_s": 0.3, "timeout_s": 0.5 if is_waiting else LONG_S}
        async with client(sandbox.base_url, tokens=tokens, trust=Trust(ca_file=sandbox.ca_file), **limits) as send:  # type: ignore[arg-type]
            loop = asyncio.get_running_loop()
            loop.call_later(0.05 if is_waiting else 0.001, time.sleep, 0.8)
            reply, _ = await send()
    assert reply.verdict in (Verdict.CONFIRMED, Verdict.NOT_FOUND)


class _Fixed:
    """One token, given."""

    def __init__(self, value: str) -> None:
        self._value = value

    async def token(self) -> str:
        return self._value

    def reject(self, token: str, *, claims: str | None = None) -> None:
        raise AssertionError


@contextmanager
def answering_with_alerts(context: ssl.SSLContext) -> Iterator[int]:
    """A server that says why it breaks a handshake off, as it should; asyncio's closes without a word."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection.dup() as wire, suppress(ssl.SSLError):
                    wire.settimeout(LONG_S)
                    with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as tls:
                        try:
                            tls.do_handshake()
                        finally:  # what is unread would make a reset of the end, which may overtake the alert
                            wire.shutdown(socket.SHUT_WR)
                            while wire.recv(65536):
                                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(LONG_S)


async def test_nothing_older_than_tls_1_2_is_spoken_and_it_is_said(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with answering_with_alerts(context) as port:
        async with client(f"https://127.0.0.1:{port}/v1", trust=Trust(ca_file=tmp_path / "ca.pem")) as send:
            reply, wire = await send()
    said = f"no TLS with 127.0.0.1:{port}: it speaks no TLS 1.2 or later, and nothing older is used"
    assert (reply.error, wire.sent, reply.halt) == (said, 0, None)


async def test_a_connection_closed_during_the_handshake_is_said_to_be() -> None:
    async def leave(here: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)

    async with peer(leave) as here, client(here.url("https")) as send:
        reply, _ = await send()
    assert reply.error == f"cannot connect to 127.0.0.1:{here.port}: closed during the TLS handshake"


def test_a_name_that_is_looked_up_for_ever_costs_the_connect_timeout_and_the_exit_does_not_wait_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over, real = threading.Event(), socket.getaddrinfo

    def hang(host: Any, *more: Any, **named: Any) -> Any:
        if host == "slow.example":
            over.wait(LONG_S)
        return real(host, *more, **named)

    async def main() -> str | None:
        async with client("https://slow.example/v1", connect_timeout_s=0.2, timeout_s=LONG_S) as send:
            reply, _ = await send()
        return reply.error

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    started_s = time.monotonic()
    error = asyncio.run(main())
    took_s = time.monotonic() - started_s
    over.set()
    assert error == "no connection to slow.example within 0.2 s (api.connect_timeout_s)"
    assert took_s < 3


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("shown", ["none", "of another authority"])
async def test_a_server_that_misses_a_client_certificate_is_told_of(
    tmp_path: Path, version: ssl.TLSVersion, shown: str
) -> None:
    authority, file = trustme.CA(), tmp_path / "client.pem"
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.verify_mode, context.maximum_version = ssl.CERT_REQUIRED, version
    authority.configure_trust(context)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trustme.CA().issue_cert("client").private_key_and_cert_chain_pem.write_to_path(str(file))
    trust = Trust(ca_file=tmp_path / "ca.pem", client_certificate_file=None if shown == "none" else file)
    with answering_with_alerts(context) as port:
        async with client(f"https://127.0.0.1:{port}/v1", trust=trust) as send:
            reply, _ = await send()
    assert (reply.verdict, reply.halt) == (Verdict.UNANSWERED, None)
    wanted = "wants a client certificate" if shown == "none" else "refuses the client certificate"
    assert f"{wanted}; see api.client_certificate_file" in str(reply.error)
