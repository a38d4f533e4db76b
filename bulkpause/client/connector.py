"""Connections that are made within a limit of their own, whatever of them takes so long."""

from __future__ import annotations

import ssl

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
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

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        """A kept connection that has been silent since its last reply.

        aiohttp would take what else has come on it, a gateway's 408 to an idle client or a reply sent twice, for the
        reply to the next request: one report would end as another did.
        """
        while (connection := await super()._get(key, traces)) is not None:
            if connection.protocol is not None and not connection.protocol.should_close:
                return connection
            connection.close()
        return None

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - as aiohttp has it
    ) -> ResponseHandler:
        async with Patience(self._connect_timeout_s):
            return await super()._create_connection(req, traces, timeout)
