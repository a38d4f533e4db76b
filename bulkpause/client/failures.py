"""What a failure on the wire means, in words free of secrets."""

from __future__ import annotations

import os

import aiohttp


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
