"""What a refusal asks the next token to prove: the claims challenge of Continuous Access Evaluation. Pure.

https://learn.microsoft.com/en-us/entra/identity-platform/claims-challenge: base64 of JSON in WWW-Authenticate.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Final

import orjson

HEADER_LIMIT: Final = 8192
"""Characters of the header that are looked at; a real challenge has a few hundred."""

_BEARER: Final = re.compile(r"(?:^|[\s,])Bearer\s", re.IGNORECASE)
_PARAMETER: Final = re.compile(r'(?<![\w-])([\w-]{1,40})\s{0,4}=\s{0,4}(?:"([^"]*)"|([^\s",]+))')


def challenged_claims(http_status: int, headers: Mapping[str, str]) -> str | None:
    """The JSON that the next token has to satisfy; None if nothing is asked that can be understood.

    A 403 asks only if it says insufficient_claims; any other is about rights that no token of this app has.
    """
    for name, value in headers.items():
        if name.lower() != "www-authenticate" or len(value) > HEADER_LIMIT:
            continue
        scheme = _BEARER.search(value)
        if scheme is None:
            continue
        told: dict[str, str] = {}
        for key, quoted, bare in _PARAMETER.findall(value[scheme.end() :]):
            told.setdefault(key.lower(), quoted or bare)
        if http_status == 401 or told.get("error") == "insufficient_claims":
            claims = _decoded(told.get("claims", ""))
            if claims is not None:
                return claims
    return None


def _decoded(text: str) -> str | None:
    """The JSON object that base64 `text` holds, of either alphabet, padded or not; None if it holds none."""
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        claims = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        return claims.decode() if isinstance(orjson.loads(claims), dict) else None
    except ValueError:  # of base64, of UTF-8 and of JSON alike
        return None
