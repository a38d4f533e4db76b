"""The identity that Azure gives to a machine, through MSAL and the metadata service beside it.

MSAL reads from its own environment which kind of machine this is: a virtual machine, App Service, Functions, Container
Apps, Machine Learning, or one of Azure Arc. Service Fabric pins a certificate, which MSAL does over its own connections
only; there it is refused.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from bulkpause.auth.entra import Road, ThroughMsal, forgetful_cache
from bulkpause.auth.refusals import NoIdentityError
from bulkpause.auth.tokens import Acquire, Token
from bulkpause.clock import Clock
from bulkpause.errors import AuthError
from bulkpause.trust import Trust

CONNECT_TIMEOUT_S: Final = 2.0
"""The metadata service is one hop away; on any other machine the packets may vanish."""

READ_TIMEOUT_S: Final = 10.0


def managed_identity(
    *, resource: str, client_id: str | None, trust: Trust, clock: Clock, connect_timeout_s: float = CONNECT_TIMEOUT_S
) -> Acquire:
    """A token for `resource`: of the user-assigned identity `client_id`, or with None of the machine's own."""
    return _Identity(resource, client_id, trust=trust, clock=clock, connect_timeout_s=connect_timeout_s)


class _Identity(ThroughMsal):
    def __init__(
        self, resource: str, client_id: str | None, *, trust: Trust, clock: Clock, connect_timeout_s: float
    ) -> None:
        super().__init__(where="the metadata service", source="the managed identity", clock=clock)
        self._resource = resource
        self._client_id = client_id
        self._trust = trust
        self._connect_timeout_s = connect_timeout_s
        self._is_there = False

    def __call__(self, *, claims: str | None = None) -> Token:
        token = super().__call__(claims=claims)
        self._is_there = True
        return token

    def _ask(self, msal: Any, claims: str | None) -> Mapping[str, object]:
        answer: Mapping[str, object] = msal.acquire_token_for_client(resource=self._resource, claims_challenge=claims)
        return answer

    def _connect(self) -> tuple[Any, Road]:
        import msal  # noqa: PLC0415 - slow to import

        from bulkpause.auth.transport import Nearby  # noqa: PLC0415 - imports requests, as slow

        wanted = msal.UserAssignedManagedIdentity(client_id=self._client_id) if self._client_id else None
        road = Nearby(
            trust=self._trust, is_near=is_near, connect_timeout_s=self._connect_timeout_s, read_timeout_s=READ_TIMEOUT_S
        )
        return msal.ManagedIdentityClient(
            wanted or msal.SystemAssignedManagedIdentity(),
            http_client=road,
            token_cache=forgetful_cache(),
            client_capabilities=["CP1"],
        ), road

    def _judged(self, failure: AuthError) -> AuthError:
        """Nobody there is final at first: this is no machine with an identity. Later it may heal."""
        if isinstance(failure, NoIdentityError) and not self._is_there:
            return AuthError(f"no managed identity is to be had on this machine ({failure}): choose another auth.flow")
        return failure


def is_near(url: str) -> bool:
    """Whether a metadata service at `url` may be asked: over TLS, or on this machine or its link."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return True
    host = parts.hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_link_local
