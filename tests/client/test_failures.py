"""Every way an exchange can fail is a Reply with one readable line, and never an exception."""

from __future__ import annotations

import asyncio
import errno
import gzip
import socket
import tracemalloc
import zlib

import aiohttp
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkpause.client import ClientSettings, FakeTokens, describe
from bulkpause.errors import AuthError
from bulkpause.models import Verdict
from bulkpause.replies.envelope import BODY_LIMIT
from tests.client.peers import PAUSED, Act, Peer, client, http, once, peer, read_request, says

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def reset_at_once(here: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


@pytest.mark.parametrize(
    ("act", "error", "sent"),
    [
        pytest.param(says(b""), "connection closed before the reply", 2, id="closed before the reply"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\nContent-Le"), "connection closed before the reply", 2, id="cut head"),
        pytest.param(says(b"", then="mute"), "no reply within 0.2 s", 1, id="timeout"),
        pytest.param(says(b"HTTP/1.1 20", then="mute"), "no reply within 0.2 s", 1, id="timeout in the head"),
        pytest.param(says(b"SSH-2.0-OpenSSH_9.2\r\n"), "not an HTTP reply: Bad status line: ", 1, id="SSH"),
        pytest.param(says(b"\x00\xff\r\n\r\n"), "not an HTTP reply: ", 1, id="noise"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\nx y\r\n\r\n"), "not an HTTP reply: Invalid header", 1, id="header"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20_000), "not an HTTP reply: Got more", 1, id="long"),
    ],
)
async def test_no_reply_is_an_unanswered_one_line_and_the_wire_is_counted(act: Act, error: str, sent: int) -> None:
    reply, wire, here = await once(act, timeout_s=0.2)

    assert reply.verdict is Verdict.UNANSWERED
    assert reply.error is not None
    assert reply.error.startswith(error)
    assert "\n" not in reply.error
    assert wire.sent == len(here.requests) == sent


async def test_a_reset_is_unanswered_and_both_tries_are_counted() -> None:
    reply, wire, here = await once(says(b"", then="reset"))

    assert (reply.verdict, wire.sent, len(here.requests)) == (Verdict.UNANSWERED, 2, 2)
    assert reply.error in ("connection closed before the reply", "connection lost: Connection reset by peer")


@pytest.mark.parametrize(
    ("base_url", "error"),
    [
        ("http://127.0.0.1:1/v1", "cannot connect to 127.0.0.1:1: Connection refused"),
        ("https://127.0.0.1:1/v1", "cannot connect to 127.0.0.1:1: Connection refused"),
        ("https://nobody.invalid/v1", "cannot connect to nobody.invalid:443: "),
    ],
)
async def test_no_connection_is_unanswered_with_nothing_sent(base_url: str, error: str) -> None:
    async with client(base_url) as send:
        reply, wire = await send()

    assert (reply.verdict, wire.sent) == (Verdict.UNANSWERED, 0)
    assert reply.error is not None
    assert reply.error.startswith(error)


async def test_two_addresses_that_refuse_alike_are_one_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    here = [(socket.AF_INET6, "::1", (0, 0)), (socket.AF_INET, "127.0.0.1", ())]
    found = [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (ip, 1, *more)) for family, ip, more in here]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    async with client("https://partner.example:1/v1") as send:
        reply, _ = await send()
    assert reply.error == "cannot connect to partner.example:1: Connection refused"


async def test_a_handshake_that_is_not_answered_has_its_own_limit() -> None:
    async with (
        peer(says(then="mute")) as here,
        client(here.url("https"), connect_timeout_s=0.1) as send,
    ):
        reply, wire = await send()
    assert reply.error == f"no connection to 127.0.0.1:{here.port} within 0.1 s (api.connect_timeout_s)"
    assert wire.sent == 0


@pytest.mark.parametrize(("act", "scheme"), [(reset_at_once, "https"), (says(http(200)), "https")])
async def test_a_server_without_tls_is_unanswered(act: Act, scheme: str) -> None:
    async with peer(act) as here, client(here.url(scheme), timeout_s=0.3) as send:
        reply, wire = await send()
    assert (reply.verdict, wire.sent) == (Verdict.UNANSWERED, 0)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (aiohttp.ClientOSError(errno.EPIPE, "Broken pipe"), "connection lost: Broken pipe"),
        (aiohttp.ClientConnectionResetError("Cannot write"), "connection lost: Cannot write"),
        (aiohttp.ClientOSError(1, "[SSL: BAD] bad record"), "connection lost: [SSL: BAD] bad record"),
        (aiohttp.InvalidURL("http://user:s3cret@:0/"), "InvalidURL"),
    ],
)
def test_what_goes_wrong_rarely_is_one_line_as_well(error: Exception, line: str) -> None:
    assert describe(error, ClientSettings(base_url="https://partner.example", connections=1)) == line


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (500, Verdict.FAULT),
        (403, Verdict.FORBIDDEN),
        (404, Verdict.NOT_FOUND),
        (429, Verdict.THROTTLED),
        (200, Verdict.UNREADABLE),
    ],
)
@pytest.mark.parametrize("then", ["close", "reset", "mute"])
async def test_a_status_line_is_an_answer_even_if_the_body_is_cut(status: int, verdict: Verdict, then: str) -> None:
    cut = http(status, b'{"message":"half', "Retry-After: 7", length=1000)
    reply, wire, _ = await once(says(cut, then=then), timeout_s=0.2)  # type: ignore[arg-type]

    assert (reply.verdict, reply.http_status, wire.sent) == (verdict, status, 1)
    assert reply.message is not None
    assert reply.message.endswith('{"message":"half')
    assert reply.retry_after_s == (None if status == 200 else 7.0)


async def test_a_cut_confirmation_that_is_whole_in_itself_is_believed() -> None:
    reply, _, _ = await once(says(http(200, PAUSED, length=1000)))
    assert reply.verdict is Verdict.CONFIRMED


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(http(200, b"junk" * 10, "Content-Encoding: gzip"), id="not gzip"),
        pytest.param(CHUNKED + b"5\r\nhello\r\nzz\r\n", id="bad chunk"),
        pytest.param(http(204), id="no content"),
        pytest.param(b"HTTP/1.1 101 Upgrade\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nxxxx", id="upgrade"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\n<html>", id="HTTP/1.0 until the end"),
    ],
)
async def test_a_2xx_that_cannot_be_read_is_not_a_success(reply: bytes) -> None:
    answer, wire, _ = await once(says(reply))
    assert answer.verdict in (Verdict.UNREADABLE, Verdict.UNANSWERED)
    assert wire.sent == 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_compressed_confirmation_is_read(encoding: str) -> None:
    body = gzip.compress(PAUSED, mtime=0) if encoding == "gzip" else zlib.compress(PAUSED)
    reply, _, _ = await once(says(http(200, body, f"Content-Encoding: {encoding}")))
    assert reply.verdict is Verdict.CONFIRMED


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("how", ["announced", "chunked", "until the end", "bomb"])
async def test_a_body_over_the_limit_is_not_read_to_its_end(status: int, how: str) -> None:
    match how:
        case "announced":
            act = says(http(status, b"", length=BODY_LIMIT + 1), then="mute")
        case "chunked":
            chunk = b"%x\r\n%s\r\n" % (100_000, b" " * 100_000)
            act = says(CHUNKED.replace(b"200", b"%d" % status) + chunk * 11, then="mute")
        case "until the end":
            act = says(b"HTTP/1.1 %d OK\r\n\r\n" % status + b" " * (BODY_LIMIT + 1), then="mute")
        case _:
            act = says(
                http(status, gzip.compress(b" " * 60_000_000, 6, mtime=0), "Content-Encoding: gzip"), then="mute"
            )
    tracemalloc.start()
    try:
        reply, _, _ = await once(act)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert reply.verdict is (Verdict.UNREADABLE if status == 200 else Verdict.FAULT)
    assert reply.message is not None
    assert "larger than 1,000,000 bytes" in reply.message
    assert peak < 20_000_000


async def test_what_is_left_of_a_body_over_the_limit_is_not_taken_for_the_next_reply() -> None:
    async def act(here: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(here, reader)
            writer.write(http(200, PAUSED) if len(here.requests) > 1 else http(500, b" " * 2_000_000))

    async with peer(act) as here, client(here.url()) as send:
        first, _ = await send()
        second, _ = await send()
    assert (first.verdict, second.verdict) == (Verdict.FAULT, Verdict.CONFIRMED)
    assert len(here.requests) == 2


async def test_words_of_a_server_can_always_be_written_down() -> None:
    reply, _, _ = await once(says(http(302, b"", "Location: /caf\udce9\ud800".encode("latin-1", "replace").decode())))
    raw, _, _ = await once(says(b"HTTP/1.1 302 Found\r\nLocation: /\xff\xfe\r\nContent-Length: 0\r\n\r\n"))
    for each in (reply, raw):
        assert orjson.dumps(each.message)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=200)
    | st.binary(max_size=60).map(lambda noise: b"HTTP/1.1 200 OK\r\n" + noise + b"\r\n\r\n" + noise)
    | st.binary(max_size=60).map(lambda noise: CHUNKED + noise)
    | st.tuples(st.integers(0, 999), st.binary(max_size=60)).map(lambda both: http(both[0], both[1]))
)
def test_no_garbage_raises(garbage: bytes) -> None:
    reply, wire, _ = asyncio.run(once(says(garbage), timeout_s=5.0))
    assert reply.verdict is not Verdict.CONFIRMED
    assert wire.sent in (1, 2)
    assert orjson.dumps([reply.message, reply.error])


async def test_no_token_is_an_error_of_the_run_and_nothing_is_sent() -> None:
    class Broke(FakeTokens):
        async def token(self) -> str:
            raise AuthError("AADSTS7000222")

    async with peer(says(http(200))) as here, client(here.url(), tokens=Broke()) as send:
        with pytest.raises(AuthError):
            await send()
    assert here.requests == []
