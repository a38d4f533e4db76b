"""One harmless GET: what it asks, what it hears, and that it ends in time."""

from __future__ import annotations

import asyncio

from bulkpause.models import Verdict
from tests.client.peers import Peer, http, peer, read_request, says
from tests.client.test_reading import reader

NIL = {"reportId": "00000000-0000-0000-0000-000000000000"}
NONE = b'{"statusCode":404,"message":"No item found with given filters."}'


async def test_a_probe_asks_with_the_headers_it_is_given_and_tells_only_the_telling_ones() -> None:
    answer = http(404, NONE, "isMfaCompliant: true", "X-RateLimit-Limit: 10", "Set-Cookie: secret", "Via: \x01evil")
    async with peer(says(answer)) as here, reader(here.url()) as api:
        probe = await api.probe(query=NIL, more={"ValidateMfa": "true"})
    (request,) = here.requests
    assert request.startswith(b"GET /insights/v1/mpn/ScheduledReport?reportId=00000000-0000-")
    assert b"\r\nValidateMfa: true\r\n" in request
    assert b"\r\nAuthorization: Bearer token-1\r\n" in request
    assert probe.reply.verdict is Verdict.NOT_FOUND
    assert probe.headers["ismfacompliant"] == "true"
    assert probe.headers["x-ratelimit-limit"] == "10"
    assert "secret" not in repr(probe)
    assert probe.correlation_id == "id-0"
    assert probe.elapsed_ms > 0


async def test_the_id_for_support_is_the_services_where_it_names_one() -> None:
    async with peer(says(http(404, NONE, "MS-CorrelationId: theirs"))) as here, reader(here.url()) as api:
        assert (await api.probe(query=NIL)).correlation_id == "theirs"


async def test_a_second_probe_goes_over_the_same_connection() -> None:
    async with peer(says(http(404, NONE), http(404, NONE))) as here, reader(here.url()) as api:
        await api.probe(query=NIL)
        await api.probe(query=NIL)
    assert (len(here.requests), here.most_open) == (2, 1)


async def test_a_reply_that_drips_is_given_up_in_time_and_its_headers_are_told() -> None:
    async def drip(here: Peer, stream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(here, stream)
        writer.write(http(200, b"", "Via: slow", length=1000))
        while not here.done.is_set():
            writer.write(b" ")
            await asyncio.sleep(0.02)

    async with peer(drip) as here, reader(here.url(), timeout_s=0.3) as api:
        probe = await api.probe(query=NIL)
    assert (probe.reply.verdict, probe.reply.error) == (Verdict.UNANSWERED, "no reply within 0.3 s (api.timeout_s)")
    assert probe.headers == {"via": "slow"}


async def test_a_probe_without_an_answer_has_neither_headers_nor_an_id() -> None:
    async with reader("http://127.0.0.1:1/insights/v1/mpn") as api:
        probe = await api.probe(query=NIL)
    assert (probe.reply.verdict, probe.headers, probe.correlation_id) == (Verdict.UNANSWERED, {}, None)
