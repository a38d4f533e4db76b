"""Which proxy the environment asks for: HTTPS_PROXY, ALL_PROXY and NO_PROXY as curl reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
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
    """Whether NO_PROXY lists `host`: itself, a domain above it, its network as in 10.0.0.0/8, or everything by `*`.

    A port in an entry is not looked at.
    """
    entries = [entry.strip().lower() for entry in no_proxy.split(",")]
    try:
        address = ip_address(host)
    except ValueError:
        host = host.rstrip(".")
        names = [re.sub(r":[0-9]+$", "", entry).strip(".") for entry in entries]
        return any(name in {"*", host} or host.endswith(f".{name}") for name in names if name)
    return "*" in entries or any(address in network for network in map(_network, entries) if network is not None)


def _network(entry: str) -> IPv4Network | IPv6Network | None:
    """The address or addresses that an entry of NO_PROXY stands for; None if it is a name."""
    bracketed = re.fullmatch(r"\[([^]]*)\](?::[0-9]+)?", entry)
    text = bracketed[1] if bracketed else re.sub(r"^([0-9.]+):[0-9]+$", r"\1", entry)
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
