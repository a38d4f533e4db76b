"""What the token endpoint's parts answer with, and how it is spelt."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Grant:
    """The token endpoint's answer."""

    status: int
    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class TokenError:
    """An error of Entra: its OAuth word, AADSTS number, HTTP status and text."""

    error: str
    code: int
    status: int
    text: str


def base64url(data: bytes) -> str:
    """Base64 as JWTs have it, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
