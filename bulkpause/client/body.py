"""The body of a reply, within limits of size and time."""

from __future__ import annotations

import aiohttp

from bulkpause.patience import Patience
from bulkpause.replies.envelope import BODY_LIMIT


async def read_body(response: aiohttp.ClientResponse, *, patience: Patience, limit: int = BODY_LIMIT) -> bytes | None:
    """The body; None if it is over `limit`, what came of it if the rest did not: the status line is an answer."""
    length = response.content_length
    if length is not None and length > limit:
        response.close()
        return None
    body = bytearray()
    try:
        async with patience:
            patience.heard()
            while chunk := await response.content.readany():
                body += chunk
                patience.heard()
                if len(body) > limit:
                    response.close()
                    return None
    except (aiohttp.ClientError, TimeoutError):
        response.close()
    return bytes(body)
