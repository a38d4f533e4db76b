"""A host with an IPv6 address that does not answer and an IPv4 address that does: both libraries come through."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from bulkpause.auth import transport
from bulkpause.models import Verdict
from bulkpause.trust import Trust
from tests.client.peers import PAUSED, client, http, peer, says
from tests.client.test_limits import black_hole

HOST = "dual.example"


@pytest.fixture(autouse=True)
def two_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name has both addresses, IPv6 first, whatever the machine's resolver says."""
    real = socket.getaddrinfo

    def look_up(host: Any, port: Any, *more: Any, **named: Any) -> Any:
        if host != HOST:
            return real(host, port, *more, **named)
        kind = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [
            (socket.AF_INET6, *kind, ("::1", int(port), 0, 0)),
            (socket.AF_INET, *kind, ("127.0.0.1", int(port))),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@contextmanager
def silent_ipv6(port: int) -> Iterator[None]:
    """The same port of ::1 answers no SYN."""
    try:
        socket.create_server(("::1", port), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6 on this machine: nothing is known of the way back to IPv4")
    with black_hole("::1", port):
        yield


def trusting(folder: Path) -> tuple[trustme.CA, Trust]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return authority, Trust(ca_file=folder / "ca.pem")


def server_side(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST).configure_cert(context)
    return context


async def test_a_put_goes_to_ipv4_long_before_the_connect_timeout(tmp_path: Path) -> None:
    authority, trust = trusting(tmp_path)
    async with peer(says(http(200, PAUSED)), server_side(authority)) as here:
        with silent_ipv6(here.port):
            async with client(f"https://{HOST}:{here.port}/v1", trust=trust, connect_timeout_s=5.0) as send:
                started_s = time.monotonic()
                reply, wire = await send()
                took_s = time.monotonic() - started_s
    assert (reply.verdict, wire.sent) == (Verdict.CONFIRMED, 1)
    assert took_s < 2  # a quarter of a second, and TLS


async def test_a_sign_in_goes_to_ipv4_once_ipv6_has_had_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "CONNECT_TIMEOUT_S", 0.3)
    authority, trust = trusting(tmp_path)
    async with peer(says(http(200, b"{}")), server_side(authority)) as here:
        with silent_ipv6(here.port):
            road = transport.Transport(trust=trust, proxy=None, timeout_s=5.0)
            response = await asyncio.to_thread(road.get, f"https://{HOST}:{here.port}/")
            road.close()
    assert response.text == "{}"
