"""The limits a setting can have, and the words that refuse a value outside them."""

from __future__ import annotations

import math
from ipaddress import ip_address
from typing import get_args
from urllib.parse import urlsplit

from bulkpause.errors import ConfigError
from bulkpause.settings.values import is_host, is_visible_ascii, mask_url


class SettingError(ValueError):
    """A setting's value is not allowed; `key` names the setting, `why` says what is allowed."""

    def __init__(self, key: str, value: object, why: str) -> None:
        super().__init__(f"{key} = {shown(value)}: {why}")
        self.key, self.value, self.why = key, value, why


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine, so that nothing sent to it crosses a network."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def shown(value: object) -> str:
    """A value as a message prints it: one short line, secrets masked."""
    match value:
        case str():
            text = repr(value)
        case float():
            text = f"{value:.10g}"
        case _:
            text = str(value)
    return text if len(text) <= 100 else f"{text[:97]}..."  # noqa: PLR2004 - the width of a terminal line


def refusal(key: str, value: object, origin: str, why: str) -> ConfigError:
    """The one line that says which setting is wrong, where that was said, and what is allowed."""
    return ConfigError(f"{key} = {shown(value)} ({origin}): {why}")


def check_number(
    key: str, value: float, *, above: float | None = None, least: float = 0, most: float = math.inf
) -> None:
    """SettingError unless `value` is finite, between `least` and `most`, and more than `above`."""
    if not math.isfinite(value) or not least <= value <= most or (above is not None and value <= above):
        limit = f"between {least} and {most}" if most < math.inf else f"at least {least}"
        raise SettingError(key, value, f"must be {limit if above is None else f'above {above}'}")


def check_choice(key: str, value: str, choices: object) -> None:
    """SettingError unless `value` is one of the words of the Literal `choices`."""
    allowed = get_args(choices)
    if value not in allowed:
        raise SettingError(key, value, f"must be {', '.join(allowed[:-1])} or {allowed[-1]}")


def checked_url(key: str, url: str) -> str:
    """`url` without a trailing slash; SettingError unless it is https (or loopback) and nothing but host and path."""
    why = "must be a URL such as https://host/path"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise SettingError(key, mask_url(url), why) from None
    if host is None or not is_host(host) or port == 0 or not is_visible_ascii(url):
        raise SettingError(key, mask_url(url), why)
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise SettingError(key, mask_url(url), "must hold no user, password, query or fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise SettingError(key, url, "must be https; http is for this machine alone")
    return url.rstrip("/")
