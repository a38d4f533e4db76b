"""The shared HTTP session: bearer tokens, wire counting, and every wire failure turned into a Reply."""

from __future__ import annotations

import gc
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import aiohttp
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
        tls = True if settings.ca_file is None else _tls_context(settings.ca_file)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=settings.connections, ssl=tls),
            # One limit for the exchange, one for the connection; sock_read is covered by the total.
            timeout=aiohttp.ClientTimeout(total=settings.timeout_s, sock_connect=settings.connect_timeout_s),
            request_class=_counted_request(self._wires),
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
        self._wires[correlation_id] = wire
        try:
            async with self._session.put(
                url, headers=headers, allow_redirects=False, proxy=self._settings.proxy
            ) as response:
                body = await _read(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            return Reply(Verdict.UNANSWERED, error=describe(error, timeout_s=self._settings.timeout_s))
        finally:
            del self._wires[correlation_id]
        reply = judge(
            operation,
            report_id,
            http_status=response.status,
            headers=response.headers,
            body=body,
            now=self._clock.now(),
        )
        if reply.verdict is Verdict.UNAUTHORISED:
            self._tokens.reject(token)
        return reply


def describe(error: Exception, *, timeout_s: float) -> str:
    """A wire failure in one line, free of proxy passwords and of aiohttp's internals."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            reason = getattr(error.certificate_error, "verify_message", None) or "not trusted"
            return f"certificate of {error.host}:{error.port} refused: {reason}"
        case aiohttp.ClientProxyConnectionError():
            return f"cannot connect to the proxy {error.host}:{error.port}: {_reason(error.os_error)}"
        case aiohttp.ClientConnectorError():
            return f"cannot connect to {error.host}:{error.port}: {_reason(error.os_error)}"
        case aiohttp.ConnectionTimeoutError():
            return "timed out while connecting"
        case TimeoutError():
            return f"no reply within {timeout_s:g} s"
        case aiohttp.ClientHttpProxyError():
            return f"the proxy refused with {error.status}"
        case aiohttp.ServerDisconnectedError():
            return "connection closed before the reply"
        case OSError():
            return f"connection lost: {_reason(error)}"
        case aiohttp.ClientResponseError():
            return f"not an HTTP reply: {' '.join(error.message.split())}"
        case _:
            return type(error).__name__


def _reason(error: OSError) -> str:
    """The system's words for it, also where asyncio has put the address in their place."""
    text = error.strerror or str(error)
    return os.strerror(error.errno) if error.errno and text.startswith("Connect call failed") else text


def _tls_context(ca_file: Path) -> ssl.SSLContext:
    """The system's certificate authorities and those in `ca_file`; 30 ms of work."""
    context = ssl.create_default_context()
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
    """The body; None if it is over BODY_LIMIT, what came of it if the rest did not: the status line is an answer."""
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
    except (aiohttp.ClientError, TimeoutError):
        response.close()
    return bytes(body)


def warm_up() -> None:
    """Spare a run two costs of a fresh process, once everything is imported.

    One large block is freed, so that glibc keeps the loop's 256 KiB receive buffers on the heap: on a fresh one every
    reply costs an mmap, a mremap and a munmap, 22 us. And what is loaded is frozen: a full garbage collection would
    walk through all of it, 30 ms in which the event loop stands still.
    """
    buffer = bytearray(2 << 20)
    del buffer
    gc.freeze()
