"""What the client is told of the way to the API."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bulkpause.proxying import Proxy
from bulkpause.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """How to reach the API: an https base URL, limits in seconds, at most `connections` at once."""

    base_url: str
    connections: int
    timeout_s: float = 30.0
    """One whole exchange about one report."""
    connect_timeout_s: float = 10.0
    """Name, TCP, the proxy's consent and TLS together."""
    read_timeout_s: float = 30.0
    """The longest wait for the reply to begin, and then for more of it."""
    trust: Trust = field(default_factory=Trust)
    proxy: str | None = field(default=None, repr=False)
    """The URL of an HTTP proxy, with its password; not for plain http, where it would see the token."""

    @property
    def way(self) -> Way:
        """The way itself, as messages about it need it."""
        base = urlsplit(self.base_url)
        proxy = None if self.proxy is None or base.scheme == "http" else Proxy.parse(self.proxy)
        return Way(host=base.netloc, proxy=proxy)


@dataclass(frozen=True, slots=True)
class Way:
    """From here to the API."""

    host: str
    """With the port, if the base URL has one."""
    proxy: Proxy | None
    """None for a plain http base URL, which is this machine: a proxy would see the token."""
