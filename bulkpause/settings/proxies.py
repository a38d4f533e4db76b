"""Which proxy the environment asks for: HTTPS_PROXY, ALL_PROXY and NO_PROXY as curl reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from bulkpause.redaction import MASK
from bulkpause.settings.checks import is_loopback, refusal
from bulkpause.settings.values import ProxyUrl, Secret


def find_proxy(url: str, environ: Mapping[str, str], *, key: str = "api.proxy") -> tuple[ProxyUrl, str] | None:
    """The proxy the environment names for `url`, and the variable that says so; None if there is none.

    `key` is the setting that it is for.

    There is none for loopback and for what NO_PROXY lists.
    ConfigError: the variable holds something that is no HTTP proxy, such as socks5://.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    names = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    variable = next((name for name in names if environ.get(name)), None)
    if variable is None or is_loopback(host):
        return None
    if _is_exempt(host, environ.get("no_proxy") or environ.get("NO_PROXY") or ""):
        return None
    try:
        return ProxyUrl(environ[variable]), variable
    except ValueError as error:
        problem = refusal(key, Secret(MASK), f"environment {variable}", str(error))
    raise problem


def _is_exempt(host: str, no_proxy: str) -> bool:
    """Whether NO_PROXY lists `host`, a domain above it, or everything by `*`; a port in an entry is not looked at."""
    names = [re.sub(r":[0-9]+$", "", entry.strip().lower().lstrip(".")) for entry in no_proxy.split(",")]
    return any(name in {"*", host} or (name and host.endswith(f".{name}")) for name in names)
