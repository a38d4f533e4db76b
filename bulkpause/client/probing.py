"""What one harmless GET tells of the service, beside its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import aiohttp

from bulkpause.models import Reply
from bulkpause.replies.envelope import plain

TELLING: Final = (
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "retry-after",
    "ismfacompliant",
    "ms-correlationid",
    "server",
    "via",
)
"""Headers worth a look; others may hold what nobody should see."""


class Probe(NamedTuple):
    """The reply to one GET, how long it took, and what its headers say."""

    reply: Reply
    elapsed_ms: float
    headers: Mapping[str, str]
    """Those of TELLING that it has, in plain words."""
    correlation_id: str | None
    """What Microsoft's support finds the request by; None if nothing was answered."""


def telling(response: aiohttp.ClientResponse) -> dict[str, str]:
    """The headers of a reply that are worth a look, by their names in lower case."""
    return {name: plain(response.headers[name]) for name in TELLING if name in response.headers}
