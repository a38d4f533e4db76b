"""Requests that are counted and timed as they leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import aiohttp

from bulkpause.clock import Clock
from bulkpause.models import Wire
from bulkpause.patience import Patience


class Flight(NamedTuple):
    """One exchange under way."""

    wire: Wire
    patience: Patience


def counted_request(
    flights: Mapping[str, Flight], *, departed: Callable[[float], None], clock: Clock
) -> type[aiohttp.ClientRequest]:
    """A request class that counts and times what reaches the wire, aiohttp's own silent re-send included.

    aiohttp sends an idempotent PUT a second time when a kept-alive connection dies before the reply (RFC 9110 section
    9.2.2 allows it). Trace hooks see that too, but cost 14 us a request. Patience hears of each, too: from then on the
    far side is silent.
    """

    class CountedRequest(aiohttp.ClientRequest):
        async def send(self, conn: Any) -> aiohttp.ClientResponse:
            response = await super().send(conn)  # a request without a body is written when this returns
            departed(clock.monotonic_s())
            flight = flights[self.headers["MS-CorrelationId"]]
            flight.wire.sent += 1
            flight.patience.heard()
            return response

    return CountedRequest
