"""A proxy that HTTPS goes through: its address, its password apart from that, and what its refusal means. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import unquote_to_bytes, urlsplit

from bulkpause.models import Halt, HaltReason

_CREDENTIALS: Final = frozenset({401, 407})
"""407 is what a proxy should say to a wrong password; some say 401."""

_HTTPS_PORT: Final = 443


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy. Its password is in `headers` alone: what libraries say of `url` cannot give it away."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What goes with CONNECT, and nowhere else."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """From http://user:password@host:port, where odd characters of user and password are percent-encoded.

        Each `%XX` is that byte, as curl has it; both libraries would make Latin-1 of what is not ASCII.
        """
        parts = urlsplit(url)
        userinfo, at, address = parts.netloc.rpartition("@")
        plain = f"{parts.scheme}://{address}"
        if not at:
            return cls(plain)
        user, _, password = userinfo.partition(":")
        pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
        return cls(plain, {"Proxy-Authorization": f"Basic {base64.b64encode(pair).decode()}"})

    @property
    def address(self) -> str:
        """Its host and port, for a message."""
        return urlsplit(self.url).netloc

    def is_at(self, host: str, port: int | None) -> bool:
        """Whether that is where it listens; it does speak TLS then."""
        parts = urlsplit(self.url)
        return (parts.hostname, parts.port or _HTTPS_PORT) == (host.lower(), port)


def refused_tunnel(status: int, *, proxy: str, host: str) -> Halt | None:
    """Why no request will get through the proxy at `proxy` to `host`; None for what may heal, its 502 or 503.

    `status` is its answer to CONNECT: the API has not been asked anything.
    """
    if status in _CREDENTIALS:
        return Halt(
            HaltReason.NOT_AUTHORISED,
            f"the proxy {proxy} refuses its user or password ({status}). Set BULKPAUSE_API__PROXY or HTTPS_PROXY "
            "anew, odd characters of both percent-encoded (@ is %40).",
        )
    if status == 403:  # noqa: PLR2004 - an HTTP status is its own name
        return Halt(
            HaltReason.NOT_AUTHORISED,
            f"the proxy {proxy} does not allow {host} (403). Ask whoever runs it to allow CONNECT to {host}, or name "
            "another proxy in api.proxy.",
        )
    return None
