"""The shared HTTP session: bearer middleware, wire counting, and every wire failure turned into a Reply."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import aiohttp
from aiohttp import hdrs
from yarl import URL

from bulkpause import __version__
from bulkpause.clock import Clock
from bulkpause.errors import ConfigError
from bulkpause.models import Operation, Reply, ReportId, Verdict, Wire
from bulkpause.replies import BODY_LIMIT, judge


class TokenSource(Protocol):
    """Where the bearer token comes from."""

    async def token(self) -> str:
        """A token that is valid now. Raises AuthError if none can be had."""

    def reject(self, token: str) -> None:
        """The service refused `token`; it must not be handed out again."""


@dataclass(slots=True)
class FakeTokens:
    """A TokenSource for tests: counts up a number at each rejection of the current token."""

    generation: int = 1

    async def token(self) -> str:
        """The current token."""
        return f"token-{self.generation}"

    def reject(self, token: str) -> None:
        """Move on if `token` is the current one."""
        self.generation += token == f"token-{self.generation}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """How to reach the API: an https base URL, limits in seconds, at most `connections` at once."""

    base_url: str
    connections: int
    timeout_s: float = 30.0
    connect_timeout_s: float = 10.0
    ca_file: Path | None = None
    """Certificate authorities trusted besides the system's."""
    proxy: str | None = None


class ReportClient:
    """Partner Center's report API over one aiohttp session. Failures of the far side come back as a Reply."""

    def __init__(self, settings: ClientSettings, *, tokens: TokenSource, clock: Clock) -> None:
        self._settings = settings
        self._tokens = tokens
        self._clock = clock
        self._base = URL(settings.base_url)
        self._path = self._base.raw_path.rstrip("/") + "/ScheduledReport"
        self._wires: dict[str, Wire] = {}

    async def __aenter__(self) -> Self:
        """Open the session; nothing is sent yet. Raises ConfigError if `ca_file` is unusable."""
        settings = self._settings
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=settings.connections, ssl=_tls_context(settings.ca_file)),
            # One limit for the exchange, one for the connection; sock_read is covered by the total.
            timeout=aiohttp.ClientTimeout(total=settings.timeout_s, sock_connect=settings.connect_timeout_s),
            request_class=_counted_request(self._wires),
            middlewares=(self._bearer,),
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
        headers = {"MS-RequestId": request_id, "MS-CorrelationId": correlation_id}
        self._wires[correlation_id] = wire
        try:
            async with self._session.put(
                url, headers=headers, allow_redirects=False, proxy=self._settings.proxy
            ) as response:
                body = await _read(response)
                return judge(
                    operation,
                    report_id,
                    http_status=response.status,
                    headers=response.headers,
                    body=body,
                    now=self._clock.now(),
                )
        except (aiohttp.ClientError, TimeoutError) as error:
            return Reply(Verdict.UNANSWERED, error=describe(error, timeout_s=self._settings.timeout_s))
        finally:
            del self._wires[correlation_id]

    async def _bearer(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        token = await self._tokens.token()
        request.headers[hdrs.AUTHORIZATION] = f"Bearer {token}"
        response = await handler(request)
        if response.status == 401:
            self._tokens.reject(token)
        return response


def describe(error: Exception, *, timeout_s: float) -> str:
    """A wire failure in one line, free of proxy passwords and of aiohttp's internals."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            reason = getattr(error.certificate_error, "verify_message", None) or "not trusted"
            return f"certificate of {error.host}:{error.port} refused: {reason}"
        case aiohttp.ClientConnectorError():
            reason = error.os_error.strerror or type(error.os_error).__name__
            return f"cannot connect to {error.host}:{error.port}: {reason}"
        case aiohttp.ConnectionTimeoutError():
            return "timed out while connecting"
        case TimeoutError():
            return f"no reply within {timeout_s:g} s"
        case aiohttp.ClientHttpProxyError():
            return f"the proxy refused with {error.status}"
        case aiohttp.ServerDisconnectedError():
            return "connection closed before the reply"
        case OSError():
            return f"connection lost: {error.strerror or type(error).__name__}"
        case aiohttp.ClientResponseError():
            return f"not an HTTP reply: {error.message}"
        case _:
            return type(error).__name__


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise ConfigError(f"api.ca_file {ca_file} is unusable: {error.strerror or error}.") from None
    return context


def _counted_request(wires: dict[str, Wire]) -> type[aiohttp.ClientRequest]:
    """A request class that counts what reaches the wire, aiohttp's own silent re-send included.

    aiohttp sends an idempotent PUT a second time when a kept-alive connection dies before the reply (RFC 9110 section
    9.2.2 allows it). Trace hooks see that too, but cost 14 us a request.
    """

    class CountedRequest(aiohttp.ClientRequest):
        async def send(self, conn: Any) -> aiohttp.ClientResponse:
            response = await super().send(conn)
            wires[self.headers["MS-CorrelationId"]].sent += 1
            return response

    return CountedRequest


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """The body; None if it is over BODY_LIMIT, what came of it if the connection broke."""
    length = response.content_length
    if length is not None and length > BODY_LIMIT:
        response.close()
        return None
    body = bytearray()
    try:
        while chunk := await response.content.readany():
            body += chunk
            if len(body) > BODY_LIMIT:
                response.close()
                return None
    except aiohttp.ClientPayloadError:
        response.close()
    return bytes(body)


def warm_up() -> None:
    """Free one large block, so that glibc keeps the loop's 256 KiB receive buffers on the heap.

    On a fresh heap every reply costs an mmap, a mremap and a munmap: 22 us, a quarter of the work.
    """
    buffer = bytearray(2 << 20)
    del buffer
