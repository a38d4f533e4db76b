"""How the list is read over the wire: what is asked, where the token may go, and every failure a page."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import count

import pytest

from bulkpause import __version__
from bulkpause.client import ClientSettings, FakeTokens, ReportClient
from bulkpause.clock import SystemClock
from bulkpause.models import Operation, Page, Verdict, Wire
from bulkpause.replies.pages import NO_QUERY
from tests.client.peers import PAUSED, REPORT_ID, Act, Peer, http, peer, read_request, says


@asynccontextmanager
async def reader(
    base_url: str,
    *,
    tokens: FakeTokens | None = None,
    timeout_s: float = 10.0,
    departed: Callable[[float], None] = lambda _at_s: None,
) -> AsyncIterator[ReportClient]:
    """A client whose request ids count up."""
    chosen = ClientSettings(base_url=base_url, connections=4, timeout_s=timeout_s)
    ids = map("id-{}".format, count())
    async with ReportClient(
        chosen, tokens=tokens or FakeTokens(), clock=SystemClock(), new_id=lambda: next(ids), departed=departed
    ) as api:
        yield api
        assert not api._flights


async def read_once(act: Act, *, query: Mapping[str, str] = NO_QUERY, timeout_s: float = 10.0) -> tuple[Page, Peer]:
    """One read from a server that does `act`."""
    async with peer(act) as here, reader(here.url(), timeout_s=timeout_s) as api:
        return await api.read(None, query=query), here


def asked(here: Peer) -> str:
    """The target of the last request."""
    return here.requests[-1].split()[1].decode()


async def test_a_read_is_these_bytes() -> None:
    page, here = await read_once(says(http(200, PAUSED)))
    assert here.requests == [
        "GET /insights/v1/mpn/ScheduledReport HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{here.port}\r\n"
        f"User-Agent: bulkpause/{__version__}\r\n"
        "Content-Type: application/json\r\n"
        "Authorization: Bearer token-1\r\n"
        "MS-RequestId: id-1\r\n"
        "MS-CorrelationId: id-0\r\n"
        "Accept: */*\r\n"
        "Accept-Encoding: gzip, deflate\r\n"
        "\r\n".encode()
    ]
    assert (page.reply.verdict, page.reports[0].report_id, page.sent) == (Verdict.CONFIRMED, REPORT_ID, 1)


async def test_a_query_is_percent_encoded() -> None:
    _, here = await read_once(says(http(200, PAUSED)), query={"reportId": "a;b", "reportName": "Ü & 50%+ #1"})
    assert asked(here) == "/insights/v1/mpn/ScheduledReport?reportId=a%3Bb&reportName=%C3%9C%20%26%2050%25%2B%20%231"


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("{base}/ScheduledReport?skip=2", "/insights/v1/mpn/ScheduledReport?skip=2"),
        ("?skip=2", "/insights/v1/mpn/ScheduledReport?skip=2"),
        ("ScheduledReport?skip=2", "/insights/v1/mpn/ScheduledReport?skip=2"),
        ("/insights/v1/mpn/ScheduledReport?skip=2", "/insights/v1/mpn/ScheduledReport?skip=2"),
        ("/other?token=a%2Fb+c%20d%7e;e", "/other?token=a%2Fb+c%20d%7e;e"),
        ("?name=Ü b\r\nX: y", "/insights/v1/mpn/ScheduledReport?name=%C3%9C+bX:+y"),
    ],
)
async def test_a_link_is_followed_absolute_or_relative_and_as_it_was_sent(link: str, target: str) -> None:
    async with peer(says(http(200, PAUSED))) as here, reader(here.url()) as api:
        page = await api.read(link.format(base=here.url()), query={"queryId": "not again"})
    assert page.reply.verdict is Verdict.CONFIRMED
    assert asked(here) == target


@pytest.mark.parametrize(
    "link",
    [
        "http://127.0.0.1:{other}/insights/v1/mpn/ScheduledReport?skip=2",
        "//127.0.0.1:{other}/ScheduledReport",
        "http://localhost:{port}/insights/v1/mpn/ScheduledReport",
        "https://127.0.0.1:{port}/insights/v1/mpn/ScheduledReport",
        "http://127.0.0.1:{port}@127.0.0.1:{other}/",
        "http://ann:pass@127.0.0.1:{port}/insights/v1/mpn/ScheduledReport",
        "file:///etc/passwd",
        "mailto:a@b",
        "http://[::1/",
        "http://127.0.0.1:99999/",
    ],
)
async def test_a_link_to_anywhere_else_is_not_followed_and_no_other_host_sees_the_token(link: str) -> None:
    async with peer(says(http(200, PAUSED))) as other, peer(says(http(200, PAUSED))) as here, reader(here.url()) as api:
        link = link.format(port=here.port, other=other.port)
        page = await api.read(link)
        home = f"http://127.0.0.1:{here.port}"
        shown = re.sub("//.*@", "//****@", link)
        assert page.reply.message == (
            f"its link {shown!r} does not lead to {home}: not followed, no other host gets the token"
        )
    assert (page.reply.verdict, page.sent) == (Verdict.REJECTED, 0)
    assert here.requests == other.requests == []


async def test_a_redirect_of_the_list_is_not_followed() -> None:
    async with peer(says(http(200, PAUSED))) as other:
        page, _ = await read_once(says(http(302, b"", f"Location: {other.url()}/ScheduledReport")))
    assert page.reply.verdict is Verdict.REJECTED
    assert other.requests == []


async def test_a_401_rejects_the_token_that_the_list_was_asked_with() -> None:
    tokens = FakeTokens()
    async with peer(says(http(401), http(200, PAUSED))) as here, reader(here.url(), tokens=tokens) as api:
        first, second = await api.read(None), await api.read(None)
    assert (first.reply.verdict, second.reply.verdict) == (Verdict.UNAUTHORISED, Verdict.CONFIRMED)
    assert b"Bearer token-2" in here.requests[1]


async def test_a_list_may_be_far_larger_than_the_reply_about_one_report() -> None:
    body = PAUSED.replace(b'{"value"', b'{"padding":"%s","value"' % (b"x" * 3_000_000))
    page, _ = await read_once(says(http(200, body)))
    assert page.reply.verdict is Verdict.CONFIRMED


async def test_a_list_over_the_limit_is_not_read() -> None:
    page, _ = await read_once(says(http(200, b"", length=(512 << 20) + 1), then="mute"))
    assert page.reply.message == "larger than 512 MiB"


async def test_a_list_that_breaks_off_is_unreadable_and_holds_nothing() -> None:
    page, _ = await read_once(says(http(200, PAUSED[:40], length=len(PAUSED))))
    assert (page.reply.verdict, page.reports) == (Verdict.UNREADABLE, ())


async def test_a_list_may_take_longer_than_the_timeout_as_long_as_it_comes() -> None:
    async def drip(here: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(here, reader)
        for piece in (http(200, PAUSED)[:-40], PAUSED[-40:-20], PAUSED[-20:]):
            writer.write(piece)
            await asyncio.sleep(0.12)

    page, _ = await read_once(drip, timeout_s=0.2)
    assert page.reply.verdict is Verdict.CONFIRMED


LATE = "no reply within 0.05 s (api.timeout_s)"


async def test_silence_is_a_page_that_was_not_answered() -> None:
    page, _ = await read_once(says(b"", then="mute"), timeout_s=0.05)
    assert (page.reply.verdict, page.reply.error, page.sent) == (
        Verdict.UNANSWERED,
        "no reply within 0.05 s (api.timeout_s)",
        1,
    )


async def test_where_nobody_listens_nothing_is_sent() -> None:
    async with peer(says()) as here:
        pass
    async with reader(here.url()) as api:
        page = await api.read(None)
    assert (page.reply.verdict, page.sent) == (Verdict.UNANSWERED, 0)
    assert "cannot connect to 127.0.0.1" in str(page.reply.error)


async def test_a_silent_resend_of_a_read_is_counted() -> None:
    async def act(here: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(here, reader)
        if len(here.requests) == 1:
            writer.write(http(200, PAUSED))
            await read_request(here, reader)  # and hangs up instead of answering
        else:
            writer.write(http(200, PAUSED))

    left_s: list[float] = []
    async with peer(act) as here, reader(here.url(), departed=left_s.append) as api:
        first, second = await api.read(None), await api.read(None)
    assert (first.sent, second.sent, len(here.requests), len(left_s)) == (1, 2, 3, 3)


async def test_a_put_beside_a_read_is_still_counted() -> None:
    wire = Wire()
    act = says(http(200, PAUSED))
    async with peer(act) as here, reader(here.url()) as api, asyncio.TaskGroup() as group:
        group.create_task(api.read(None))
        group.create_task(api.send(Operation.PAUSE, REPORT_ID, request_id="r", correlation_id="c", wire=wire))
    assert (wire.sent, len(here.requests)) == (1, 2)
