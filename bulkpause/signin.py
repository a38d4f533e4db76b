"""Which of auth's flows the settings ask for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TypeVar

from bulkpause.auth import (
    Acquire,
    EntraApp,
    assertion_from_command,
    assertion_from_file,
    assertion_from_github,
    assertion_from_identity,
    client_assertion,
    client_certificate,
    client_secret,
    managed_identity,
    token_from_command,
    token_from_environment,
    token_from_file,
)
from bulkpause.clock import Clock
from bulkpause.errors import ConfigError
from bulkpause.settings import Auth, Flow, Settings
from bulkpause.settings.clouds import CLOUDS
from bulkpause.trust import Trust

T = TypeVar("T")


def acquire_for(
    settings: Settings,
    *,
    clock: Clock,
    environ: Mapping[str, str] = os.environ,
    learn: Callable[[str], None] = lambda _secret: None,
    signed_in: bool = False,
) -> Acquire:
    """The way to a token that `settings.auth` describes. Raises ConfigError if credentials are missing.

    `environ` is where GitHub Actions says how to get an assertion, `learn` hears of each secret that is fetched, and
    `signed_in` says whether `bulkpause login` has left a sign-in.
    """
    auth = settings.auth
    match auth.decide_flow(signed_in=signed_in):
        case "token":
            return _ready_token(auth, clock=clock)
        case "client_secret":
            secret = _given(auth.client_secret, "auth.client_secret")
            return client_secret(_app(settings, "client_secret"), secret.reveal(), clock=clock)
        case "certificate":
            file = _given(auth.certificate_file, "auth.certificate_file")
            passphrase = None if auth.certificate_passphrase is None else auth.certificate_passphrase.reveal()
            return client_certificate(_app(settings, "certificate"), file, passphrase=passphrase, clock=clock)
        case "federated":
            app = _app(settings, "federated")
            return client_assertion(
                app, _assertion(settings, app, clock=clock, environ=environ, learn=learn), clock=clock
            )
        case "managed_identity" as flow:
            resource = scope_of(settings, flow).removesuffix("/.default")
            return managed_identity(resource=resource, client_id=auth.client_id, trust=trust_of(settings), clock=clock)
        case "refresh_token" as flow:
            raise ConfigError(f"auth.flow {flow} is not built yet.")  # on its way
        case "device_code" as flow:
            raise ConfigError(f"auth.flow {flow} is not built yet.")  # on its way


def scope_of(settings: Settings, flow: Flow) -> str:
    """What a token is asked for: `auth.scope`, or all that the app, or the person by the app, may do with the API."""
    delegated = flow in {"refresh_token", "device_code"}
    right = "user_impersonation" if delegated else ".default"
    return settings.auth.scope or f"{CLOUDS[settings.api.cloud].api}/{right}"


def advice_for(settings: Settings, *, signed_in: bool = False) -> str:
    """What to do if the API refuses the tokens of the flow that the settings ask for; empty where there is no more."""
    flow = settings.auth.decide_flow(signed_in=signed_in)
    if flow in {"refresh_token", "device_code", "token"}:
        return ""
    if settings.api.reports_family == "mpn":
        return (
            "Microsoft documents an app with a person for reports of the mpn family: type `bulkpause login`, "
            "or use the token of a person (docs/sign-in.md)"
        )
    if flow == "managed_identity":
        return (
            "Partner Center knows Entra applications and no managed identities: let an app trust the identity, with "
            "auth.flow federated and auth.assertion_from managed_identity (docs/sign-in.md)"
        )
    return ""


def _assertion(
    settings: Settings,
    app: EntraApp,
    *,
    clock: Clock,
    environ: Mapping[str, str],
    learn: Callable[[str], None],
) -> Callable[[], str]:
    """What another issuer says of this workload, by the way that `settings.auth` names."""
    auth, audience = settings.auth, CLOUDS[settings.api.cloud].assertion_audience
    match auth.decide_assertion():
        case "file":
            return assertion_from_file(_given(auth.assertion_file, "auth.assertion_file"), learn=learn)
        case "command":
            command = _given(auth.assertion_command, "auth.assertion_command")
            return assertion_from_command(command, timeout_s=auth.timeout_s, learn=learn)
        case "github":
            url, token = (environ.get(f"ACTIONS_ID_TOKEN_REQUEST_{name}") for name in ("URL", "TOKEN"))
            if not url or not token:
                raise ConfigError(
                    "auth.assertion_from is github, and GitHub Actions gives this job no ACTIONS_ID_TOKEN_REQUEST_URL"
                    " and ACTIONS_ID_TOKEN_REQUEST_TOKEN: add `permissions: id-token: write` to the job."
                )
            return assertion_from_github(
                url,
                token,
                audience=audience,
                trust=app.trust,
                proxy=app.proxy,
                timeout_s=app.timeout_s,
                learn=learn,
            )
        case "managed_identity":
            identity = managed_identity(
                resource=audience, client_id=auth.identity_client_id, trust=app.trust, clock=clock
            )
            return assertion_from_identity(identity, learn=learn)


def _ready_token(auth: Auth, *, clock: Clock) -> Acquire:
    if auth.token is not None:
        return token_from_environment(auth.token.reveal(), name="BULKPAUSE_TOKEN", clock=clock)
    if auth.token_file is not None:
        return token_from_file(auth.token_file, clock=clock)
    command = _given(auth.token_command, "auth.token_command")
    return token_from_command(command, timeout_s=auth.timeout_s, clock=clock)


def _app(settings: Settings, flow: Flow) -> EntraApp:
    auth, api = settings.auth, settings.api
    return EntraApp(
        tenant_id=_given(auth.tenant_id, "auth.tenant_id"),
        client_id=_given(auth.client_id, "auth.client_id"),
        authority=auth.authority,
        scope=scope_of(settings, flow),
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
