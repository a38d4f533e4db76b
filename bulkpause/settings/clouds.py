"""Where a cloud's sign-in and API are, and what the two families of reports are called there. Pure.

https://learn.microsoft.com/en-us/partner-center/developer/partner-center-rest-urls: the US Government's cloud has the
global API. No page names a host for Insights in 21Vianet; it is taken to be that of the rest (docs/api.md section 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

Cloud = Literal["global", "us_government", "china"]
Family = Literal["mpn", "cmp"]


@dataclass(frozen=True, slots=True)
class Hosts:
    """What moves together from one cloud to another."""

    authority: str
    """Where Entra signs in."""
    api: str
    """Where Partner Center is, and what tokens for it are for."""
    assertion_audience: str
    """What the token of another issuer must be for, to stand in for a secret (workload identity federation)."""


CLOUDS: Final[Mapping[str, Hosts]] = {
    "global": Hosts(
        "https://login.microsoftonline.com", "https://api.partnercenter.microsoft.com", "api://AzureADTokenExchange"
    ),
    "us_government": Hosts(
        "https://login.microsoftonline.us", "https://api.partnercenter.microsoft.com", "api://AzureADTokenExchangeUSGov"
    ),
    "china": Hosts(
        "https://login.partner.microsoftonline.cn",
        "https://partner.partnercenterapi.microsoftonline.cn",
        "api://AzureADTokenExchangeChina",
    ),
}

PATHS: Final[Mapping[str, str]] = {"mpn": "/insights/v1/mpn", "cmp": "/insights/v1.1/cmp"}
"""Below the host of the API (docs/api.md section 1)."""


def base_url(cloud: Cloud, family: Family) -> str:
    """The documented base URL of a family in a cloud."""
    return f"{CLOUDS[cloud].api}{PATHS[family]}"


def family_of(url: str) -> Family:
    """The family that a base URL is about: by its last part, mpn where that tells nothing."""
    return "cmp" if urlsplit(url).path.rstrip("/").endswith("/cmp") else "mpn"
