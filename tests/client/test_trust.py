"""Whom the client trusts, and what a proxy learns and is told of."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from bulkpause.auth.transport import Transport
from bulkpause.client import ClientSettings, FakeTokens, ReportClient
from bulkpause.clock import SystemClock
from bulkpause.errors import ConfigError
from bulkpause.models import HaltReason, Verdict
from bulkpause.trust import Trust
from tests.client.peers import PAUSED, Act, Peer, client, http, peer, read_request, says

REFUSED = HaltReason.NOT_AUTHORISED


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


def tls(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)
    return context


async def test_a_certificate_of_the_ca_file_is_trusted(authority: trustme.CA, ca_file: Path) -> None:
    async with (
        peer(says(http(200, PAUSED)), tls(authority, "127.0.0.1")) as here,
        client(here.url("https"), trust=Trust(ca_file=ca_file)) as send,
    ):
        reply, wire = await send()
    assert (reply.verdict, wire.sent, len(here.requests)) == (Verdict.CONFIRMED, 1, 1)


async def test_an_unknown_authority_is_refused_before_anything_is_sent(authority: trustme.CA) -> None:
    async with peer(says(http(200, PAUSED)), tls(authority, "127.0.0.1")) as here, client(here.url("https")) as send:
        reply, wire = await send()
    assert (reply.verdict, wire.sent, here.requests) == (Verdict.UNANSWERED, 0, [])
    assert str(reply.error).startswith(
        f"the certificate of 127.0.0.1:{here.port} is refused: it comes from an unknown authority. "
    )
    assert "--ca-file" in str(reply.error)
    assert reply.halt is not None
    assert (reply.halt.reason, reply.halt.message) == (HaltReason.UNREACHABLE, reply.error)


async def test_a_certificate_of_another_host_is_refused(authority: trustme.CA, ca_file: Path) -> None:
    async with (
        peer(says(http(200, PAUSED)), tls(authority, "example.org")) as here,
        client(here.url("https"), trust=Trust(ca_file=ca_file)) as send,
    ):
        reply, _ = await send()
    assert reply.error is not None
    assert "is refused: it is for another address. Check the host in api.base_url" in reply.error


@pytest.mark.parametrize("what", ["missing", "a directory", "empty", "not a certificate"])
async def test_an_unusable_ca_file_is_a_setting_to_correct(tmp_path: Path, what: str) -> None:
    path = tmp_path / "ca.pem"
    match what:
        case "a directory":
            path.mkdir()
        case "empty":
            path.touch()
        case "not a certificate":
            path.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
        case _:
            assert not path.exists()
    api = ReportClient(
        ClientSettings(base_url="https://localhost", connections=1, trust=Trust(ca_file=path)),
        tokens=FakeTokens(),
        clock=SystemClock(),
    )
    with pytest.raises(ConfigError, match=f"^api.ca_file {path} is unusable: ."):
        await api.__aenter__()


@pytest.mark.parametrize(
    ("act", "error", "halt"),
    [
        pytest.param(
            says(http(407)),
            "the proxy {proxy} refuses its user or password (407). ",
            HaltReason.NOT_AUTHORISED,
            id="407",
        ),
        pytest.param(
            says(http(401)),
            "the proxy {proxy} refuses its user or password (401). ",
            HaltReason.NOT_AUTHORISED,
            id="401",
        ),
        pytest.param(
            says(http(403)),
            "the proxy {proxy} does not allow partner.example (403). ",
            HaltReason.NOT_AUTHORISED,
            id="403",
        ),
        pytest.param(says(http(502)), "the proxy {proxy} answers CONNECT with 502", None, id="502"),
        pytest.param(says(b"garbage\r\n\r\n"), "not an HTTP reply: ", None, id="garbage"),
        pytest.param(says(b""), "connection closed before the reply", None, id="closed"),
        pytest.param(says(b"", then="mute"), "no reply within 0.3 s", None, id="mute"),
        pytest.param(None, "cannot connect to the proxy 127.0.0.1:1: Connection refused", None, id="refused"),
    ],
)
async def test_a_proxys_failure_is_told_without_its_password_and_the_token_stays_here(
    act: Act | None, error: str, halt: HaltReason | None
) -> None:
    async with peer(act or says()) as here:
        proxy = f"http://user:s3cret@127.0.0.1:{here.port if act else 1}"
        async with client("https://partner.example/v1", proxy=proxy, timeout_s=0.3) as send:
            reply, wire = await send()

    assert (reply.verdict, wire.sent) == (Verdict.UNANSWERED, 0)
    assert reply.error is not None
    assert reply.error.startswith(error.format(proxy=f"127.0.0.1:{here.port}"))
    assert "s3cret" not in repr(reply)
    assert (reply.halt and reply.halt.reason) is halt
    assert not any(b"Bearer" in request for request in here.requests)


async def test_a_proxy_gets_no_request_in_the_clear() -> None:
    async with (
        peer(says(http(200))) as proxy,
        peer(says(http(200, PAUSED))) as here,
        client(here.url(), proxy=f"http://127.0.0.1:{proxy.port}") as send,
    ):
        reply, _ = await send()
    assert (reply.verdict, len(here.requests), proxy.requests) == (Verdict.CONFIRMED, 1, [])


async def carry(here: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Make the tunnel that is asked for."""
    host, _, port = (await read_request(here, reader)).split()[1].decode().rpartition(":")
    back, forth = await asyncio.open_connection(host, int(port))
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        sink.close()

    ways = [asyncio.ensure_future(way) for way in (pump(reader, forth), pump(back, writer), here.done.wait())]
    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for way in ways:
        way.cancel()
    await asyncio.gather(*ways, return_exceptions=True)
    forth.close()


async def test_a_proxy_that_speaks_tls_itself_carries_both(authority: trustme.CA, ca_file: Path) -> None:
    trust = Trust(ca_file=ca_file)
    async with (
        peer(carry, tls(authority, "127.0.0.1")) as proxy,
        peer(says(http(200, PAUSED)), tls(authority, "localhost")) as here,
    ):
        way = f"https://ann:pw@127.0.0.1:{proxy.port}"
        async with client(f"https://localhost:{here.port}/v1", proxy=way, trust=trust) as send:
            reply, _ = await send()
        road = Transport(trust=trust, proxy=way, timeout_s=5.0)
        answer = await asyncio.to_thread(road.get, f"https://localhost:{here.port}/")
        road.close()
    assert (reply.verdict, answer.status_code) == (Verdict.CONFIRMED, 200)
    assert [b"Basic YW5uOnB3" in head for head in proxy.requests] == [True, True]


async def test_a_proxys_own_certificate_is_checked_too(authority: trustme.CA, ca_file: Path) -> None:
    async with peer(carry, tls(authority, "elsewhere.example")) as proxy:
        way = f"https://127.0.0.1:{proxy.port}"
        async with client("https://partner.example/v1", proxy=way, trust=Trust(ca_file=ca_file)) as send:
            reply, _ = await send()
    said = (
        f"the certificate of 127.0.0.1:{proxy.port} is refused: it is for another address. Check the host in api.proxy"
    )
    assert str(reply.error).startswith(said)
    assert proxy.requests == []


async def test_a_proxy_is_asked_for_a_tunnel_with_its_password() -> None:
    async def act(here: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(here, reader)
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")

    url = "https://partner.example/v1"
    async with peer(act) as here, client(url, proxy=f"http://user:pw@127.0.0.1:{here.port}") as send:
        await send()
    assert here.requests[0].startswith(b"CONNECT partner.example:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic dXNlcjpwdw==\r\n" in here.requests[0]
