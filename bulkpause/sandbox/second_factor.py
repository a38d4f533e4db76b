"""What the service says of a sign-in's second factor to who asks: `ValidateMfa`, answered by `isMfaCompliant`. Pure.

docs/api.md section 7. That it says nothing of an app's own token is an assumption: MFA is for persons.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

import orjson


def compliance(headers: Mapping[str, str]) -> dict[str, str]:
    """The header that answers a request with these headers; none if it does not ask, or shows no person's token."""
    if headers.get("ValidateMfa", "").lower() != "true":
        return {}
    claims = _claims(headers.get("Authorization", "").partition(" ")[2])
    if "scp" not in claims:
        return {}
    methods = claims.get("amr")
    return {"isMfaCompliant": "true" if isinstance(methods, list) and "mfa" in methods else "false"}


def _claims(token: str) -> Mapping[str, object]:
    body = token.partition(".")[2].partition(".")[0]
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except ValueError:  # of base64 and of JSON alike
        return {}
    return claims if isinstance(claims, dict) else {}
