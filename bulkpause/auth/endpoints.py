"""PURE: where Entra's endpoints are, by their fixed template: nobody has to be asked.

https://learn.microsoft.com/en-us/entra/identity-platform/v2-protocols#endpoints; MSAL.NET builds them the same way,
while MSAL for Python asks for them in its constructor: a round trip before every first token.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_DISCOVERY: Final = re.compile(r"(https://[^/?#]+/[^/?#]+)/v2\.0/\.well-known/openid-configuration")


def openid_configuration(url: str) -> Mapping[str, str] | None:
    """What Entra would answer to MSAL's discovery request `url`; None for any other request.

    A tenant that does not exist shows at the token endpoint, as AADSTS90002.
    """
    match = _DISCOVERY.fullmatch(url)
    if match is None:
        return None
    base = match[1]
    return {
        "issuer": f"{base}/v2.0",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
    }
