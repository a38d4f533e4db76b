"""What a bearer token says of itself, read without proof: good for a look at one's own token, for nothing else."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from bulkpause.ids import ID_PATTERN

_TENANT_ID: Final = re.compile(ID_PATTERN)
_PERSON: Final = ("upn", "preferred_username", "unique_name")
_APP: Final = ("appid", "azp", "oid")
"""https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference"""


def claims(token: str) -> Mapping[str, Any]:
    """The claims of a JWT (RFC 7519 section 3); none if it is not one."""
    parts = token.split(".")
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, LookupError):
        return {}
    return found if isinstance(found, dict) else {}


def identities(token: str) -> frozenset[str]:
    """Every name the token has for the person who signed in, else for the app; none if it tells of neither."""
    found = claims(token)
    for names in (_PERSON, _APP):
        if told := frozenset(value for name in names if isinstance(value := found.get(name), str) and value):
            return told
    return frozenset()


def tenant_of(token: str) -> str | None:
    """The tenant that issued the token; None if it does not say."""
    tenant_id = claims(token).get("tid")
    return tenant_id.lower() if isinstance(tenant_id, str) and _TENANT_ID.fullmatch(tenant_id.lower()) else None
