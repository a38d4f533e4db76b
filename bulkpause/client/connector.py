"""Connections that are made within a limit of their own, whatever of them takes so long."""

from __future__ import annotations

import ssl

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.tracing import Trace

from bulkpause.client.resolver import DaemonResolver
from bulkpause.patience import Patience


class PatientConnector(aiohttp.TCPConnector):
    """Ends by TimeoutError what is not connected within `connect_timeout_s`: name, TCP, the proxy's CONNECT and TLS.

    aiohttp has no limit for CONNECT, and one each for the others, whose timers blame the service for the time in which
    this process stood still.
    """

    def __init__(self, *, limit: int, tls: ssl.SSLContext, connect_timeout_s: float) -> None:
        super().__init__(limit=limit, ssl=tls, resolver=DaemonResolver())
        self._connect_timeout_s = connect_timeout_s

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - as aiohttp has it
    ) -> ResponseHandler:
        async with Patience(self._connect_timeout_s):
            return await super()._create_connection(req, traces, timeout)
