"""The road to a host, over real sockets and real TLS: how far it leads, and what was seen on the way."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import trustme

from bulkpause.clock import SystemClock
from bulkpause.doctor.facts import RoadFacts, Stage
from bulkpause.doctor.look.road import Host, Vehicle, look_up, travel
from bulkpause.proxying import Proxy
from tests.client.peers import Act, Peer, http, peer, read_request, says


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(organization_name="Good CA")


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def tls(authority: trustme.CA, *names: str, **dates: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **dates).configure_cert(context)
    return context


async def went(port: int, context: ssl.SSLContext, *, name: str = "localhost", **how: Any) -> RoadFacts:
    is_plain = how.pop("is_plain", False)
    how = {"connect_timeout_s": 2.0, "timeout_s": 2.0, "user_agent": "test", **how}
    host = Host(purpose="API", name=name, port=port, is_plain=is_plain)
    return await travel(host, Vehicle(context=context, **how), clock=SystemClock())


async def test_a_whole_road_says_who_was_met_and_what_time_it_is_there(
    authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)
    async with peer(says(http(404, b"", f"Date: {date}")), tls(authority, "localhost")) as here:
        road = await went(here.port, trusting)
    assert (road.ended, road.flaw, road.remote, road.tls_version) == (Stage.WHOLE, None, "127.0.0.1", "TLSv1.3")
    assert road.certificate is not None
    assert (road.certificate.subject, road.certificate.issuer) == ("localhost", "Good CA")
    assert road.skew_s == pytest.approx(-600, abs=2)
    (request,) = here.requests
    assert request.startswith(b"HEAD / HTTP/1.1\r\nHost: localhost:")
    assert b"Authorization" not in request


@pytest.mark.parametrize("date", [None, "soon", "Tue, 99 Nov 2026 03:00:00 GMT", "Tue, 24 Nov 9999999999 03:00:00 GMT"])
async def test_a_server_that_does_not_say_the_time_is_reached_all_the_same(
    trusting: ssl.SSLContext, date: str | None
) -> None:
    async with peer(says(http(200, b"", *([] if date is None else [f"Date: {date}"])))) as here:
        road = await went(here.port, trusting, is_plain=True)
    assert (road.ended, road.skew_s, road.tls_version) == (Stage.WHOLE, None, None)


@pytest.mark.parametrize("act", [says(b""), says(b"x" * 70_000), says(b"", then="reset"), says(b"", then="mute")])
async def test_a_server_that_answers_no_head_is_reached_all_the_same(trusting: ssl.SSLContext, act: Act) -> None:
    async with peer(act) as here:
        road = await went(here.port, trusting, is_plain=True, timeout_s=0.2)
    assert (road.ended, road.skew_s) == (Stage.WHOLE, None)


async def test_an_unknown_authority_ends_the_road_before_anything_is_said(authority: trustme.CA) -> None:
    async with peer(says(http(200)), tls(authority, "localhost")) as here:
        road = await went(here.port, ssl.create_default_context())
    assert (road.ended, road.verify_code, here.requests) == (Stage.TLS, 20, [])
    assert road.flaw == "its certificate is refused: it comes from an unknown authority"


async def test_a_certificate_of_another_host_or_of_yesterday_is_told_apart(
    authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    async with peer(says(), tls(authority, "other.example")) as here:
        assert (await went(here.port, trusting)).verify_code == 62
    yesterday = datetime.now(UTC) - timedelta(days=1)
    async with peer(says(), tls(authority, "localhost", not_after=yesterday)) as here:
        assert (await went(here.port, trusting)).verify_code == 10


async def test_a_port_that_speaks_no_tls_is_named(trusting: ssl.SSLContext) -> None:
    async def greet(here: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail ready\r\n")
        await here.done.wait()

    async with peer(greet) as here:
        road = await went(here.port, trusting)
    assert (road.ended, road.flaw) == (Stage.TLS, "TLS fails: what answers there speaks no TLS")


def refuse_the_nameless(listening: socket.socket, context: ssl.SSLContext) -> None:
    """Say no as OpenSSL's servers do, by an alert; asyncio's only hang up."""
    accepted, _ = listening.accept()
    with context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False) as connection:
        with suppress(ssl.SSLError):
            connection.do_handshake()
        while socket.socket.recv(connection, 4096):  # closing before all is read would reset what was sent
            pass


async def test_a_server_that_wants_a_client_certificate_is_understood(
    authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    context = tls(authority, "localhost")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(asyncio.to_thread(refuse_the_nameless, listening, context))
        road = await went(listening.getsockname()[1], trusting)
        await serving
    assert (road.ended, road.is_client_certificate_wanted) == (Stage.TLS, True)
    assert road.flaw == "TLS fails: it wants a client certificate; see api.client_certificate_file"


async def test_a_refused_port_and_a_mute_one_end_the_road_in_time(trusting: ssl.SSLContext) -> None:
    road = await went(1, trusting)
    assert (road.ended, road.flaw) == (Stage.CONNECT, "cannot connect: Connection refused")
    started_s = time.monotonic()
    async with peer(says(b"", then="mute")) as here:
        road = await went(here.port, trusting, connect_timeout_s=0.1)
    assert (road.ended, road.flaw) == (Stage.TLS, "no connection within 0.1 s")
    assert time.monotonic() - started_s < 2


def relays(port: int) -> Act:
    """A proxy that connects to the port, whatever it is asked for."""

    async def act(here: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(here, reader)
        there_reader, there = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                while data := await source.read(65536):
                    target.write(data)
                    await target.drain()
            target.close()

        async with asyncio.TaskGroup() as group:
            group.create_task(copy(reader, there))
            group.create_task(copy(there_reader, writer))

    return act


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_is_asked_for_a_tunnel_with_its_password_and_tls_goes_through(
    authority: trustme.CA, trusting: ssl.SSLContext, scheme: str
) -> None:
    context = tls(authority, "localhost") if scheme == "https" else None
    async with (
        peer(says(http(200)), tls(authority, "partner.example")) as there,
        peer(relays(there.port), context) as here,
    ):
        proxy = Proxy.parse(f"{scheme}://us%40er:p%C3%A4ss@localhost:{here.port}")
        road = await went(443, trusting, name="partner.example", proxy=proxy)
    assert (road.ended, road.flaw, road.remote) == (Stage.WHOLE, None, None)
    assert road.certificate is not None
    assert road.certificate.subject == "partner.example"
    assert here.requests[0].startswith(b"CONNECT partner.example:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic dXNAZXI6cMOkc3M=\r\n" in here.requests[0]


@pytest.mark.parametrize(
    ("act", "ended", "status", "flaw"),
    [
        (says(http(407)), Stage.TUNNEL, 407, "it refuses to connect to partner.example:443: 407"),
        (says(b"hello\r\n\r\n"), Stage.TUNNEL, None, "what answers there is no HTTP proxy"),
        (says(b"x" * 70_000), Stage.TUNNEL, None, "what answers there speaks no HTTP"),
        (says(b""), Stage.TUNNEL, None, "the proxy hangs up"),
        (says(b"", then="mute"), Stage.TUNNEL, None, "the proxy does not answer CONNECT within 0.2 s"),
        (None, Stage.PROXY, None, "cannot connect: Connection refused"),
    ],
)
async def test_a_proxy_that_fails(
    trusting: ssl.SSLContext, act: Act | None, ended: Stage, status: int | None, flaw: str
) -> None:
    async with peer(act or says()) as here:
        proxy = Proxy.parse(f"http://user:s3cret@127.0.0.1:{here.port if act else 1}")
        road = await went(443, trusting, name="partner.example", proxy=proxy, connect_timeout_s=0.2)
    assert (road.ended, road.proxy_status, road.flaw) == (ended, status, flaw)
    assert "s3cret" not in repr(road)


async def test_a_name_is_looked_up_and_one_that_is_none_is_a_fact() -> None:
    found = await look_up(Host(purpose="API", name="localhost", port=443), clock=SystemClock(), timeout_s=5)
    assert "127.0.0.1" in found.addresses
    lost = await look_up(Host(purpose="API", name="nowhere.invalid", port=443), clock=SystemClock(), timeout_s=5)
    assert str(lost.flaw).startswith("its name cannot be resolved (")
    odd = await look_up(Host(purpose="API", name="a" * 70, port=443), clock=SystemClock(), timeout_s=5)
    assert str(odd.flaw).startswith("its name cannot be resolved (")


@pytest.mark.parametrize(
    ("url", "name", "port", "address"),
    [
        ("https://api.example/v1", "api.example", 443, "api.example:443"),
        ("http://[::1]:8080/v1", "::1", 8080, "[::1]:8080"),
        ("http://127.0.0.1/v1", "127.0.0.1", 80, "127.0.0.1:80"),
    ],
)
def test_the_host_of_a_url(url: str, name: str, port: int, address: str) -> None:
    host = Host.of(url, purpose="API")
    assert (host.name, host.port, host.address) == (name, port, address)
