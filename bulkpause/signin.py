"""Which of auth's flows the settings ask for."""

from __future__ import annotations

from typing import TypeVar

from bulkpause.auth import (
    Acquire,
    EntraApp,
    client_certificate,
    client_secret,
    token_from_command,
    token_from_environment,
    token_from_file,
)
from bulkpause.clock import Clock
from bulkpause.errors import ConfigError
from bulkpause.settings import Auth, Settings
from bulkpause.settings.clouds import CLOUDS
from bulkpause.trust import Trust

T = TypeVar("T")


def acquire_for(settings: Settings, *, clock: Clock) -> Acquire:
    """The way to a token that `settings.auth` describes. Raises ConfigError if credentials are missing."""
    auth = settings.auth
    match auth.decide_flow():
        case "token":
            return _ready_token(auth, clock=clock)
        case "client_secret":
            secret = _given(auth.client_secret, "auth.client_secret")
            return client_secret(_app(settings), secret.reveal(), clock=clock)
        case "certificate":
            file = _given(auth.certificate_file, "auth.certificate_file")
            passphrase = None if auth.certificate_passphrase is None else auth.certificate_passphrase.reveal()
            return client_certificate(_app(settings), file, passphrase=passphrase, clock=clock)
        case "federated" | "managed_identity" | "refresh_token" | "device_code" as flow:
            raise ConfigError(f"auth.flow {flow} is not built yet.")  # on its way


def _ready_token(auth: Auth, *, clock: Clock) -> Acquire:
    if auth.token is not None:
        return token_from_environment(auth.token.reveal(), name="BULKPAUSE_TOKEN", clock=clock)
    if auth.token_file is not None:
        return token_from_file(auth.token_file, clock=clock)
    command = _given(auth.token_command, "auth.token_command")
    return token_from_command(command, timeout_s=auth.timeout_s, clock=clock)


def _app(settings: Settings) -> EntraApp:
    auth, api = settings.auth, settings.api
    return EntraApp(
        tenant_id=_given(auth.tenant_id, "auth.tenant_id"),
        client_id=_given(auth.client_id, "auth.client_id"),
        authority=auth.authority,
        scope=auth.scope or f"{CLOUDS[api.cloud].api}/.default",
        trust=trust_of(settings),
        proxy=None if api.proxy is None else api.proxy.reveal(),
        timeout_s=auth.timeout_s,
    )


def trust_of(settings: Settings) -> Trust:
    """Whom the API and the sign-in are both checked against."""
    api = settings.api
    passphrase = api.client_certificate_passphrase
    return Trust(
        ca_file=api.ca_file,
        client_certificate_file=api.client_certificate_file,
        client_certificate_passphrase=None if passphrase is None else passphrase.reveal(),
    )


def _given(value: T | None, key: str) -> T:
    if value is None:
        raise ConfigError(f"{key} is not set.")
    return value
