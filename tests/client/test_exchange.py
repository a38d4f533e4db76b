"""What the client puts on the wire, and how it counts what left."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from bulkpause import __version__
from bulkpause.client import FakeTokens
from bulkpause.clock import SystemClock
from bulkpause.models import Operation, Verdict, Wire
from tests.client.peers import PAUSED, REPORT_ID, Peer, client, http, once, peer, read_request, says


@pytest.mark.parametrize("operation", Operation)
async def test_a_request_is_these_bytes(operation: Operation) -> None:
    async with peer(says(http(200, PAUSED))) as here, client(here.url()) as send:
        await send(operation)

    assert here.requests == [
        f"PUT /insights/v1/mpn/ScheduledReport/{operation}/{REPORT_ID} HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{here.port}\r\n"
        f"User-Agent: bulkpause/{__version__}\r\n"
        "Content-Type: application/json\r\n"
        "Authorization: Bearer token-1\r\n"
        "MS-RequestId: request-0\r\n"
        "MS-CorrelationId: correlation-0\r\n"
        "Accept: */*\r\n"
        "Accept-Encoding: gzip, deflate\r\n"
        "Content-Length: 0\r\n"
        "\r\n".encode()
    ]


@pytest.mark.parametrize("path", ["", "/", "/insights/v1/mpn/", "/a%2Fb/v1"])
async def test_the_base_urls_path_is_kept(path: str) -> None:
    async with peer(says(http(200, PAUSED))) as here, client(f"http://127.0.0.1:{here.port}{path}") as send:
        await send()
    assert here.requests[0].split()[1] == f"{path.rstrip('/')}/ScheduledReport/pause/{REPORT_ID}".encode()


async def test_a_confirmation_is_one_request_on_one_connection_that_is_kept() -> None:
    async with peer(says(*[http(200, PAUSED)] * 3)) as here, client(here.url()) as send:
        for _ in range(3):
            reply, wire = await send()
            assert (reply.verdict, wire.sent) == (Verdict.CONFIRMED, 1)
    assert here.most_open == 1
    assert len(here.requests) == 3


async def test_a_redirect_is_not_followed_and_no_other_host_sees_the_token() -> None:
    async with peer(says(http(200, PAUSED))) as other:
        reply, wire, here = await once(says(http(307, b"", f"Location: {other.url()}/elsewhere")))
    assert (reply.verdict, reply.http_status, wire.sent) == (Verdict.REJECTED, 307, 1)
    assert len(here.requests) == 1
    assert other.requests == []


@pytest.mark.parametrize(
    "reply",
    [http(401), http(401, b'{"statusCode":401}'), http(200, b'{"statusCode":401,"message":"expired"}')],
    ids=["bare", "with an envelope", "an envelope under 200"],
)
async def test_a_401_rejects_the_token_that_was_used(reply: bytes) -> None:
    tokens = FakeTokens()
    async with peer(says(reply, http(200, PAUSED))) as here, client(here.url(), tokens=tokens) as send:
        first, _ = await send()
        second, _ = await send()
    assert (first.verdict, second.verdict) == (Verdict.UNAUTHORISED, Verdict.CONFIRMED)
    assert [b"token-1" in request for request in here.requests] == [True, False]
    assert b"Bearer token-2" in here.requests[1]


async def test_a_401_for_a_token_that_was_replaced_meanwhile_does_not_reject_the_new_one() -> None:
    tokens = FakeTokens()

    async def act(here: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(here, reader)
        tokens.generation = 7
        writer.write(http(401))

    await once(act, tokens=tokens)
    assert tokens.generation == 7


async def test_a_kept_connection_that_dies_is_counted_twice_as_the_server_saw_it() -> None:
    hits = 0  # aiohttp sends an idempotent request again by itself (RFC 9110, 9.2.2); nobody else would tell

    async def act(here: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal hits
        while True:
            await read_request(here, reader)
            hits += 1
            if hits == 2:
                return
            writer.write(http(200, PAUSED))

    left_s: list[float] = []
    async with peer(act) as here, client(here.url(), departed=left_s.append) as send:
        _, first = await send()
        reply, second = await send()
    assert (first.sent, second.sent, reply.verdict) == (1, 2, Verdict.CONFIRMED)
    assert len(here.requests) == len(left_s) == 3


async def test_it_is_told_when_a_request_leaves_and_not_when_its_reply_comes() -> None:
    left_s: list[float] = []
    clock = SystemClock()
    async with peer(says(b"", then="mute")) as here, client(here.url(), departed=left_s.append, timeout_s=0.3) as send:
        before_s = clock.monotonic_s()
        await send()
        after_s = clock.monotonic_s()
    assert len(left_s) == 1
    assert before_s <= left_s[0] < after_s - 0.2


async def test_what_never_left_is_not_told_of() -> None:
    left_s: list[float] = []
    async with peer(says()) as here:
        pass
    async with client(here.url(), departed=left_s.append) as send:
        _, wire = await send()
    assert (wire.sent, left_s) == (0, [])


async def test_what_one_request_sends_is_not_counted_for_another() -> None:
    async def act(here: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_request(here, reader)
        if b"correlation-1" not in head:  # only that one is answered
            return
        writer.write(http(200, PAUSED))

    async with peer(act) as here, client(here.url()) as send, asyncio.TaskGroup() as group:
        first, second = (group.create_task(send(number=number)) for number in (1, 2))
    assert (first.result()[1].sent, second.result()[1].sent) == (1, 2)
    assert len(here.requests) == 3


async def test_a_request_that_is_cancelled_after_it_left_is_counted() -> None:
    wire = Wire()
    async with peer(says(b"", then="mute")) as here, client(here.url()) as send:
        task = asyncio.ensure_future(send(wire=wire))
        await here.got_one.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert wire.sent == len(here.requests) == 1


async def test_a_request_that_is_cancelled_before_it_left_is_not_counted() -> None:
    class NoTokenYet(FakeTokens):
        async def token(self) -> str:
            await asyncio.Event().wait()
            return ""

    wire = Wire()
    async with peer(says(http(200, PAUSED))) as here, client(here.url(), tokens=NoTokenYet()) as send:
        task = asyncio.ensure_future(send(wire=wire))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert wire.sent == len(here.requests) == 0


async def test_the_wait_for_a_token_is_not_taken_from_the_time_for_the_reply() -> None:
    class SlowTokens(FakeTokens):
        async def token(self) -> str:
            await asyncio.sleep(0.25)
            return await super().token()

    reply, _, _ = await once(says(http(200, PAUSED)), tokens=SlowTokens(), timeout_s=0.2)
    assert reply.verdict is Verdict.CONFIRMED


async def test_as_many_connections_are_open_as_asked_for_beyond_aiohttps_hundred() -> None:
    all_there = asyncio.Event()

    async def act(here: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(here, reader)
        if len(here.requests) == 128:
            all_there.set()
        await asyncio.wait_for(all_there.wait(), 5)
        writer.write(http(200, PAUSED))

    async with (
        peer(act) as here,
        client(here.url(), connections=128) as send,
        asyncio.TaskGroup() as group,
    ):
        tasks = [group.create_task(send(number=number)) for number in range(1, 129)]
    assert here.most_open == 128
    assert {task.result()[0].verdict for task in tasks} == {Verdict.CONFIRMED}


async def test_no_more_connections_are_open_than_asked_for() -> None:
    async def act(here: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(here, reader)
            await asyncio.sleep(0)
            writer.write(http(200, PAUSED))

    async with peer(act) as here, client(here.url(), connections=3) as send, asyncio.TaskGroup() as group:
        for number in range(1, 31):
            group.create_task(send(number=number))
    assert here.most_open == 3
    assert len(here.requests) == 30


async def test_cookies_are_neither_kept_nor_sent() -> None:
    act = says(http(200, PAUSED, "Set-Cookie: a=b; Path=/"), http(200, PAUSED))
    async with peer(act) as here, client(f"http://localhost:{here.port}/v1") as send:
        await send()
        await send()
    assert not any(b"ookie" in request for request in here.requests)
    assert all(len(a) == len(b) for a, b in pairwise(here.requests))


@pytest.mark.parametrize("stray", [http(404, b'{"message":"no such report"}'), http(408), b"?"])
async def test_what_comes_on_an_idle_connection_is_no_reply_to_the_next_request(stray: bytes) -> None:
    came = asyncio.Event()

    async def act(here: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(here, reader)
        writer.write(http(200, PAUSED))
        if len(here.requests) == 1:
            await answered.wait()
            writer.write(stray)
            came.set()
            await reader.read()

    answered = asyncio.Event()
    async with peer(act) as here, client(here.url()) as send:
        await send()
        answered.set()
        await came.wait()
        await asyncio.sleep(0.05)  # until the client has it
        reply, wire = await send(number=1)
    assert (reply.verdict, wire.sent, len(here.requests)) == (Verdict.CONFIRMED, 1, 2)
