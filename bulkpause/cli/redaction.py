"""What may never be shown of the settings: every secret they hold, struck out wherever it might appear."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from bulkpause.redaction import Redactor
    from bulkpause.settings import Settings


def redactor_for(settings: Settings) -> Redactor:
    """Strikes out the secrets that `settings` hold, the password of the proxy's URL apart as well."""
    from bulkpause.redaction import Redactor  # noqa: PLC0415 - keep --help quick

    auth, api = settings.auth, settings.api
    secrets = [auth.client_secret, auth.certificate_passphrase, auth.token, api.proxy, auth.proxy]
    known = [secret.reveal() for secret in secrets if secret is not None]
    for proxy in filter(None, (api.proxy, auth.proxy)):
        password = urlsplit(proxy.reveal()).password or ""
        known += [password, unquote(password)]
    return Redactor(known)
