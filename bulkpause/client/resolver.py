"""Names looked up in threads that nobody has to wait for."""

from __future__ import annotations

import os
import socket
from functools import partial
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from bulkpause.aside import aside

_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class DaemonResolver(AbstractResolver):
    """Asks the system. A look-up that hangs cannot be stopped, and in a pool's thread it would hold up the exit."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Every address of `host`; OSError if there is none."""
        # Windows does not find itself that way, where it has no network.
        flags = 0 if os.name == "nt" and host == "localhost" else socket.AI_ADDRCONFIG
        look_up = partial(socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM, flags=flags)
        return [_result(host, *info) for info in await aside(look_up, name="resolver")]

    async def close(self) -> None:
        """Nothing is kept."""


def _result(host: str, family: int, _kind: int, proto: int, _name: str, address: tuple[Any, ...]) -> ResolveResult:
    ip, port, *more = address
    zone = more[1] if len(more) > 1 else 0  # of an address that is good on one interface only
    return ResolveResult(
        hostname=host, host=f"{ip}%{zone}" if zone else ip, port=port, family=family, proto=proto, flags=_NUMERIC
    )
