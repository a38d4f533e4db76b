"""What the programs that we start may see of our environment: all but our secrets. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from bulkpause.settings.sources import PREFIX, setting_types
from bulkpause.settings.tree import WELL_KNOWN, Settings, setting_values
from bulkpause.settings.values import ProxyUrl, Secret, SecretReference


def without_secrets(environ: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """`environ` without the variables that set a secret, and without any that holds one of `settings`.

    HTTPS_PROXY stays with its password: a program that fetches a token has to pass the proxy, too.
    """
    keys = [key for key, kind in setting_types().items() if issubclass(kind, Secret)]
    names = {PREFIX + key.upper().replace(".", "__") for key in keys} | {WELL_KNOWN.get(key, "") for key in keys}
    secrets = {
        value.reveal()
        for value in setting_values(settings).values()
        if isinstance(value, Secret) and not isinstance(value, SecretReference | ProxyUrl)
    }
    return {
        name: text for name, text in environ.items() if name.upper() not in names and text.strip("\r\n") not in secrets
    }
