"""The shared HTTP session: bearer tokens, wire counting, and every wire failure turned into a Reply."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Final, Self, TypedDict
from urllib.parse import quote, urlencode
from uuid import uuid4

import aiohttp
from yarl import URL

from bulkpause import __version__
from bulkpause.client.body import read_body
from bulkpause.client.connector import PatientConnector
from bulkpause.client.counting import Flight, counted_request
from bulkpause.client.failures import unanswered
from bulkpause.client.probing import Probe, telling
from bulkpause.client.settings import ClientSettings
from bulkpause.client.tokens import TokenSource
from bulkpause.clock import Clock
from bulkpause.models import Operation, Page, Reply, ReportId, Verdict, Wire
from bulkpause.patience import Patience
from bulkpause.replies import judge
from bulkpause.replies.envelope import plain
from bulkpause.replies.pages import LIST_LIMIT, NO_QUERY, judge_page

LONG_READ: Final = 10
"""A list may take this many times `timeout_s`, as long as it keeps coming."""

_AS_SENT: Final = re.compile(r"[!-~]*")
"""A link that needs no quoting; one that holds a signature must not be touched."""


class _Through(TypedDict, total=False):
    """What aiohttp is told of the proxy, if there is one."""

    proxy: str
    proxy_headers: Mapping[str, str]


class ReportClient:
    """The report API over one aiohttp session. Failures come back as a Reply; `departed` hears of what leaves."""

    def __init__(
        self,
        settings: ClientSettings,
        *,
        tokens: TokenSource,
        clock: Clock,
        new_id: Callable[[], str] = lambda: str(uuid4()),
        departed: Callable[[float], None] = lambda _at_s: None,
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._clock = clock
        self._new_id = new_id
        self._departed = departed
        self._base = URL(settings.base_url)
        proxy = settings.way.proxy
        self._through: _Through = {} if proxy is None else {"proxy": proxy.url, "proxy_headers": proxy.headers}
        self._path = self._base.raw_path.rstrip("/") + "/ScheduledReport"
        self._flights: dict[str, Flight] = {}

    async def __aenter__(self) -> Self:
        """Open the session; nothing is sent yet. Raises ConfigError if a file of `trust` is unusable."""
        settings = self._settings
        tls = settings.trust.context()
        self._session = aiohttp.ClientSession(
            connector=PatientConnector(
                limit=settings.connections, tls=tls, connect_timeout_s=settings.connect_timeout_s
            ),
            # All is limited by Patience: aiohttp's own timers would end at once, in a process that stood still, what
            # has its reply waiting in the socket.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            request_class=counted_request(self._flights, departed=self._departed, clock=self._clock),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,  # aiohttp would hop to a thread for every request; the proxy is resolved once, by run.py
            headers={"User-Agent": f"bulkpause/{__version__}", "Content-Type": "application/json"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self._session.close()

    async def send(
        self, operation: Operation, report_id: ReportId, *, request_id: str, correlation_id: str, wire: Wire
    ) -> Reply:
        """One PUT for one report. `wire` counts what leaves while it leaves; raises AuthError if there is no token.

        https://learn.microsoft.com/en-us/partner-center/insights/insights-programmatic-pause-report: no query, no body.
        """
        url = self._base.with_path(f"{self._path}/{operation}/{report_id}", encoded=True)
        token = await self._tokens.token()
        headers = {
            "Authorization": f"Bearer {token}",
            "MS-RequestId": request_id,
            "MS-CorrelationId": correlation_id,
        }
        patience = Patience(self._settings.timeout_s, quiet_s=self._settings.read_timeout_s)
        self._flights[correlation_id] = Flight(wire, patience)
        try:
            async with patience:
                response = await self._session.put(url, headers=headers, allow_redirects=False, **self._through)
            async with response:
                body = await read_body(response, patience=patience)
        except (aiohttp.ClientError, TimeoutError) as error:
            return unanswered(error, self._settings, was_quiet=patience.was_quiet)
        finally:
            del self._flights[correlation_id]
        reply = judge(
            operation,
            report_id,
            http_status=response.status,
            headers=response.headers,
            body=body,
            now=self._clock.now(),
        )
        if reply.verdict is Verdict.UNAUTHORISED:
            self._tokens.reject(token, claims=reply.claims)
        return reply

    async def read(
        self,
        target: str | None,
        *,
        query: Mapping[str, str] = NO_QUERY,
        more: Mapping[str, str] = NO_QUERY,
        hear: Callable[[aiohttp.ClientResponse], None] = lambda _response: None,
    ) -> Page:
        """One GET of the tenant's reports: the first page that passes `query`, or the nextLink `target` of another.

        The token goes to the configured scheme, host and port only: a link to anywhere else is not followed, and comes
        back as a REJECTED page. `more` are further headers; `hear` sees the response. Raises AuthError if there is no
        token.
        https://learn.microsoft.com/en-us/partner-center/insights/insights-programmatic-get-report
        """
        url = self._list_url(query) if target is None else self._next_url(target)
        if url is None:
            flaw = f"its link {plain(target or '', limit=150)!r} does not lead to {self._base.origin()}"
            message = f"{flaw}: not followed, no other host gets the token"
            return Page(Reply(Verdict.REJECTED, message=message), sent=0)
        token = await self._tokens.token()
        correlation_id, wire = self._new_id(), Wire()
        headers = {
            "Authorization": f"Bearer {token}",
            "MS-RequestId": self._new_id(),
            "MS-CorrelationId": correlation_id,
            **more,
        }
        limit_s = LONG_READ * self._settings.timeout_s
        patience = Patience(limit_s, quiet_s=min(self._settings.read_timeout_s, self._settings.timeout_s))
        self._flights[correlation_id] = Flight(wire, patience)
        try:
            async with patience:
                response = await self._session.get(url, headers=headers, allow_redirects=False, **self._through)
            hear(response)
            async with response:
                body = await read_body(response, limit=LIST_LIMIT, patience=patience)
        except (aiohttp.ClientError, TimeoutError) as error:
            told = self._settings if patience.was_quiet else replace(self._settings, timeout_s=limit_s)
            return Page(unanswered(error, told, was_quiet=patience.was_quiet), sent=wire.sent)
        finally:
            del self._flights[correlation_id]
        # Hundreds of thousands of reports take seconds to parse; the event loop must not wait for that.
        page = await asyncio.to_thread(
            judge_page, http_status=response.status, headers=response.headers, body=body, now=self._clock.now()
        )
        if page.reply.verdict is Verdict.UNAUTHORISED:
            self._tokens.reject(token, claims=page.reply.claims)
        return page._replace(sent=wire.sent)

    async def probe(self, *, query: Mapping[str, str], more: Mapping[str, str] = NO_QUERY) -> Probe:
        """One GET as `read` makes it, with further headers: its reply, its time, what its headers say.

        Unlike a list it has `timeout_s` in all. Raises AuthError if there is no token.
        """
        heard: list[aiohttp.ClientResponse] = []
        started_s = self._clock.monotonic_s()
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                page = await self.read(None, query=query, more=more, hear=heard.append)
        except TimeoutError as error:
            page = Page(unanswered(error, self._settings))
        elapsed_ms = (self._clock.monotonic_s() - started_s) * 1000
        headers = telling(heard[0]) if heard else {}
        sent = heard[0].request_info.headers["MS-CorrelationId"] if heard else None
        return Probe(page.reply, elapsed_ms, headers, headers.get("ms-correlationid", sent))

    def _list_url(self, query: Mapping[str, str] = NO_QUERY) -> URL:
        url = self._base.with_path(self._path, encoded=True)
        return URL(f"{url}?{urlencode(query, quote_via=quote, safe='')}", encoded=True) if query else url

    def _next_url(self, link: str) -> URL | None:
        """Where a nextLink leads, which may be relative to the list; None if that is anywhere but the configured host.

        A link may not bring a user name either: it would take the place of the token.
        """
        base = self._base
        try:
            url = self._list_url().join(URL(link, encoded=_AS_SENT.fullmatch(link) is not None))
            is_ours = (url.scheme, url.host, url.port) == (base.scheme, base.host, base.port) and url.raw_user is None
        except ValueError:
            return None
        return url if is_ours else None
