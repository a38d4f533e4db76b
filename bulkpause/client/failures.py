"""What a failure on the wire means, in words free of secrets."""

from __future__ import annotations

import os
import ssl
from typing import Final

import aiohttp

from bulkpause.client.settings import ClientSettings, Way
from bulkpause.models import Halt, HaltReason, Reply, Verdict
from bulkpause.proxying import refused_tunnel
from bulkpause.trust import refused_certificate, trouble

_ADDRESSES: Final = ("Connect call failed", "Multiple exceptions")
"""How asyncio and aiohappyeyeballs begin, where one address was tried, or several in vain."""


def unanswered(error: Exception, settings: ClientSettings, *, was_quiet: bool = False) -> Reply:
    """The Reply in place of one that did not come, with the Halt where no other request can fare better."""
    halt = _halt(error, settings.way)
    words = describe(error, settings, was_quiet=was_quiet) if halt is None else halt.message
    return Reply(Verdict.UNANSWERED, error=words, halt=halt)


def describe(error: Exception, settings: ClientSettings, *, was_quiet: bool = False) -> str:
    """A wire failure in one line, free of proxy passwords and of aiohttp's internals.

    `was_quiet`: whether the far side fell silent, if it was a time limit that ended the exchange.
    """
    match error:
        case aiohttp.ClientConnectorError() | aiohttp.ClientHttpProxyError() | aiohttp.ConnectionTimeoutError():
            return _unconnected(error, settings)
        case TimeoutError() if was_quiet and settings.read_timeout_s < settings.timeout_s:
            return f"nothing came for {settings.read_timeout_s:g} s (api.read_timeout_s)"
        case TimeoutError():
            return f"no reply within {settings.timeout_s:g} s (api.timeout_s)"
        case aiohttp.ServerDisconnectedError():
            return "connection closed before the reply"
        case OSError(__cause__=ssl.SSLError() as cause):
            return f"connection lost: {trouble(cause)}"
        case OSError():
            return f"connection lost: {_reason(error)}"
        case aiohttp.ClientResponseError():
            return f"not an HTTP reply: {' '.join(error.message.split())}"
        case _:
            return type(error).__name__


def _unconnected(
    error: aiohttp.ClientConnectorError | aiohttp.ClientHttpProxyError | aiohttp.ConnectionTimeoutError,
    settings: ClientSettings,
) -> str:
    """Why there is no connection to send anything on."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            reason = getattr(error.certificate_error, "verify_message", None) or "not trusted"
            return f"certificate of {error.host}:{error.port} refused: {reason}"
        case aiohttp.ClientConnectorSSLError(os_error=ssl.SSLError() as cause):
            return f"no TLS with {error.host}:{error.port}: {trouble(cause)}"
        case aiohttp.ClientProxyConnectionError():
            return f"cannot connect to the proxy {error.host}:{error.port}: {_reason(error.os_error)}"
        case aiohttp.ClientConnectorError():
            return f"cannot connect to {error.host}:{error.port}: {_reason(error.os_error)}"
        case aiohttp.ClientHttpProxyError():
            return f"the proxy {_address(settings.way)} answers CONNECT with {error.status}"
        case aiohttp.ConnectionTimeoutError():
            proxy = settings.way.proxy
            through = "" if proxy is None else f" through the proxy {proxy.address}"
            limit = f"{settings.connect_timeout_s:g} s (api.connect_timeout_s)"
            return f"no connection to {settings.way.host}{through} within {limit}"


def _halt(error: Exception, way: Way) -> Halt | None:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            is_proxys = way.proxy is not None and way.proxy.is_at(error.host, error.port)
            setting = "api.proxy" if is_proxys else "api.base_url"
            flaw = refused_certificate(f"{error.host}:{error.port}", error.certificate_error, setting=setting)
            return None if flaw is None else Halt(HaltReason.UNREACHABLE, flaw)
        case aiohttp.ClientHttpProxyError():
            return refused_tunnel(error.status, proxy=_address(way), host=way.host)
        case _:
            return None


def _address(way: Way) -> str:
    return "" if way.proxy is None else way.proxy.address


def _reason(error: OSError) -> str:
    """The system's words for it, also where asyncio has put the address in their place."""
    text = error.strerror or str(error) or "closed during the TLS handshake"  # of which asyncio says no word
    return os.strerror(error.errno) if error.errno and text.startswith(_ADDRESSES) else text
