"""The sandbox as a server on loopback: sockets, TLS with a throw-away authority, answers performed to the letter."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Final, Self

import trustme
from aiohttp import web

from bulkpause.models import Operation, ReportId
from bulkpause.sandbox.api import BASE_PATH, Api
from bulkpause.sandbox.exchange import Answer, Ending, Request
from bulkpause.sandbox.journal import Journal, JournalEntry
from bulkpause.sandbox.reports import Reports, seeded_reports
from bulkpause.sandbox.settings import SandboxSettings
from bulkpause.sandbox.tokens import Tokens

_SHUTDOWN_S: Final = 0.1
"""How long a hanging request may hold up the end."""
_RESET_ON_CLOSE: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
"""struct linger, on with zero seconds: closing sends RST."""


@dataclass(slots=True)
class _Connection:
    number: int
    transport: asyncio.Transport
    doomed: bool = False
    """The next request kills it."""


class _Server(web.Server):
    """Numbers its connections, from 1."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        super().__init__(handler, handler_cancellation=True, access_log=None)
        self._count = 0
        self.numbered: dict[web.RequestHandler, _Connection] = {}

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        self._count += 1
        self.numbered[handler] = _Connection(self._count, transport)
        super().connection_made(handler, transport)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        self.numbered.pop(handler, None)
        super().connection_lost(handler, exc)

    async def abort(self) -> None:
        """Cut the connections that do not close by themselves: a TLS client may leave a farewell unanswered."""
        for connection in self.numbered.values():
            connection.transport.abort()
        await asyncio.sleep(0)


class Sandbox:
    """The emulated Partner Center: `async with Sandbox(settings) as sandbox` serves it from the running loop."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self._reports = Reports(
            seeded_reports(
                settings.reports,
                seed=settings.seed,
                paused_percent=settings.paused_percent,
                inactive_percent=settings.inactive_percent,
            ),
            adopt=settings.adopt,
            lag_s=settings.read_lag_s,
        )
        for report_id, (report_status, modified_time) in settings.changed.items():
            self._reports.begin(report_id, report_status=report_status, modified_time=modified_time)
        self._tokens = Tokens(seed=settings.seed, lifetime_s=settings.token_lifetime_s, person=settings.person)
        self.people = self._tokens.people
        self.tenant_id = self._tokens.tenant_id
        self.client_id = self._tokens.client_id
        self.client_secret = self._tokens.client_secret
        self.journal = Journal(settings.journal)
        self._exits = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Listen; OSError if the port is taken or the journal cannot be opened."""
        async with AsyncExitStack() as exits:
            exits.enter_context(self.journal)
            folder = Path(exits.enter_context(TemporaryDirectory(prefix="bulkpause-sandbox-")))
            self._ca_file = folder / "ca.pem"
            authority = trustme.CA(organization_name="bulkpause sandbox, trust it nowhere")
            authority.cert_pem.write_to_path(str(self._ca_file))
            context = None
            if self.settings.tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                authority.issue_cert("localhost", "127.0.0.1", "::1").configure_cert(context)
            await self._listen(exits, context)
            self._exits = exits.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exits.aclose()

    @property
    def base_url(self) -> str:
        """What the client's base URL must be."""
        return f"{self._origin}{BASE_PATH}"

    @property
    def authority(self) -> str:
        """What MSAL calls the authority."""
        return f"{self._origin}/{self.tenant_id}"

    @property
    def ca_file(self) -> Path:
        """PEM of the authority that signed the sandbox's certificate; gone when the sandbox is."""
        return self._ca_file

    @property
    def report_ids(self) -> tuple[ReportId, ...]:
        """Every report of the tenant, in order of creation."""
        return tuple(report.report_id for report in self._reports)

    @property
    def report_statuses(self) -> dict[ReportId, str]:
        """What every report is now: Active, Paused or Inactive."""
        return {report.report_id: report.report_status for report in self._reports}

    @property
    def assertions(self) -> tuple[str, ...]:
        """Every client assertion presented, good or bad."""
        return tuple(self._tokens.assertions)

    def issue_token(self, *, lifetime_s: float | None = None, upn: str | None = None) -> str:
        """A good bearer token, for clients that bring their own: the app's, or that of the person `upn`."""
        return self._tokens.issue(now_s=time.time(), lifetime_s=lifetime_s, upn=upn)

    def accept_token(self, token: str) -> None:
        """Take this for a good bearer token from now on, whatever it looks like."""
        self._tokens.adopt(token, now_s=time.time())

    @property
    def tokens(self) -> tuple[str, ...]:
        """Every token handed out or accepted so far."""
        return self._tokens.all

    def issue_refresh_token(self, *, is_confidential: bool = True) -> str:
        """A good refresh token of the person, got by an app with its secret or without."""
        return self._tokens.people.issue_refresh(now_s=time.time(), is_confidential=is_confidential)

    def issue_assertion(self, *, lifetime_s: float = 600.0, **claims: object) -> str:
        """What an issuer that the app trusts says of the workload it trusts; `claims` are said otherwise."""
        return self._tokens.issue_assertion(now_s=time.time(), lifetime_s=lifetime_s, **claims)

    def change(self, report_id: ReportId, operation: Operation) -> bool:
        """Pause or resume a report as a colleague would, from any thread; whether it was in another state before.

        It meets no fault and is not in the journal. Raises ValueError for a report that the tenant does not have or
        that is Inactive.
        """
        changed = self._api.change(report_id, operation, now_s=time.monotonic(), at=datetime.now(UTC))
        if changed is None:
            raise ValueError(f"{report_id} cannot be {operation.value}d")
        return changed

    def revoke_tokens(self) -> None:
        """Refuse every token handed out so far."""
        self._tokens.revoke_all()

    async def _listen(self, exits: AsyncExitStack, context: ssl.SSLContext | None) -> None:
        # asyncio allocates 256 KiB for each recv; freeing a larger block once makes glibc keep such blocks
        # (it saves two system calls a request).
        block = bytearray(2 << 20)
        del block
        self._server = _Server(self._handle)
        runner = web.ServerRunner(self._server, shutdown_timeout=_SHUTDOWN_S)
        exits.push_async_callback(self._server.abort)
        exits.push_async_callback(runner.cleanup)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.settings.port, ssl_context=context).start()
        port = runner.addresses[0][1]
        # Where localhost means ::1 as well, a client that tries that first must not run into a time-out.
        with contextlib.suppress(OSError):
            await web.TCPSite(runner, "::1", port, ssl_context=context).start()
        self._origin = f"{'https' if context else 'http'}://localhost:{port}"
        self._api = Api(
            self.settings, reports=self._reports, tokens=self._tokens, journal=self.journal, origin=self._origin
        )

    async def _handle(self, incoming: web.BaseRequest) -> web.StreamResponse:
        connection = self._server.numbered[incoming.protocol]
        request = Request(
            method=incoming.method,
            target=incoming.raw_path,
            headers=incoming.headers,
            body=await incoming.read() if incoming.can_read_body else b"",
            now_s=time.monotonic(),
            at=datetime.now(UTC),
        )
        answer = self._api.lose(request) if connection.doomed else self._api.answer(request)
        if answer.journaled:
            self.journal.record(_entry(self.journal.next_seq, request, answer, connection.number))
        if answer.delay_s:
            await asyncio.sleep(answer.delay_s)
        return await self._perform(incoming, answer, connection)

    async def _perform(self, incoming: web.BaseRequest, answer: Answer, connection: _Connection) -> web.StreamResponse:
        transport = incoming.transport
        match answer.ending:
            case Ending.HANG:
                await asyncio.get_running_loop().create_future()  # until the client leaves or the sandbox ends
            case Ending.DROP | Ending.LOST if transport is not None:
                transport.abort()
            case Ending.RESET if transport is not None:
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                transport.abort()
            case Ending.TORN if transport is not None:
                transport.write(_head(answer) + answer.body[: len(answer.body) // 2])
                transport.close()
            case Ending.CLOSE:
                connection.doomed = True
            case _:
                pass
        headers = dict(answer.headers)
        if skew_s := self.settings.clock_skew_s:
            headers["Date"] = format_datetime(datetime.now(UTC) + timedelta(seconds=skew_s), usegmt=True)
        return web.Response(status=answer.status, body=answer.body, headers=headers)


@contextlib.contextmanager
def serve_in_thread(settings: SandboxSettings) -> Iterator[Sandbox]:
    """A sandbox on a loop and thread of its own, gone with the block; what keeps it from starting raises here."""
    started: Future[Sandbox] = Future()
    stop: Future[None] = Future()
    ended: Future[None] = Future()

    async def serve() -> None:
        async with Sandbox(settings) as sandbox:
            started.set_result(sandbox)
            await asyncio.wrap_future(stop)

    def run() -> None:
        try:
            ended.set_result(asyncio.run(serve()))
        except BaseException as error:  # noqa: BLE001 - it is raised again, in the thread that waits
            ended.set_exception(error)

    thread = threading.Thread(target=run, name="sandbox", daemon=True)
    thread.start()
    try:
        either: list[Future[Any]] = [started, ended]
        wait(either, return_when=FIRST_COMPLETED)
        if started.done():
            yield started.result()
    finally:
        stop.set_result(None)
        thread.join()
        ended.result()


def _entry(seq: int, request: Request, answer: Answer, connection: int) -> JournalEntry:
    return JournalEntry(
        seq=seq,
        at=request.at.isoformat(timespec="microseconds"),
        at_s=request.now_s,
        method=request.method,
        path=request.target,
        operation=answer.operation,
        report_id=answer.report_id,
        request_id=request.headers.get("MS-RequestId"),
        correlation_id=request.headers.get("MS-CorrelationId"),
        status=answer.outcome,
        effect=answer.effect,
        changed=answer.changed,
        fault=answer.fault,
        delay_ms=answer.delay_s * 1000,
        token=answer.token,
        connection=connection,
    )


def _head(answer: Answer) -> bytes:
    """A status line and headers that promise the whole body."""
    lines = [f"HTTP/1.1 {answer.status} OK", *(f"{name}: {value}" for name, value in answer.headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(answer.body)}", "", ""]).encode("latin-1")
