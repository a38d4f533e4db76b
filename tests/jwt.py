"""Tokens that say what a test wants them to; nobody looks at the signature."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import orjson


def jwt(claims: Mapping[str, object]) -> str:
    """An unsigned look-alike of a JSON Web Token (RFC 7519) with these claims."""
    parts = (b'{"typ":"JWT","alg":"none"}', orjson.dumps(claims), b"no signature")
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
