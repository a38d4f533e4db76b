"""Which of auth's flows the settings ask for."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from bulkpause.auth import (
    DEVICE_CODE_PATIENCE_S,
    NOBODY,
    Acquire,
    Credential,
    EntraApp,
    SignIn,
    SignInKey,
    SignInStore,
    assertion_credential,
    assertion_from_command,
    assertion_from_file,
    assertion_from_github,
    assertion_from_identity,
    certificate_credential,
    client_assertion,
    client_certificate,
    client_secret,
    device_code,
    managed_identity,
    stored_sign_in,
    token_from_command,
    token_from_environment,
    token_from_file,
)
from bulkpause.clock import Clock
from bulkpause.errors import AuthError, ConfigError
from bulkpause.settings import Auth, Flow, Settings, without_secrets
from bulkpause.settings.clouds import CLOUDS
from bulkpause.trust import Trust

T = TypeVar("T")


def say_on_stderr(text: str) -> None:
    """Tell whoever started this process."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - where nobody has given a better way


def flow_of(settings: Settings) -> Flow:
    """Which flow a run with these settings signs in by: the one decision, for all who ask.

    A stored sign-in counts for reports of the mpn family, which is about an app and a person, and where it is asked
    for. Raises ConfigError if credentials are missing, AuthError if a person has to sign in first.
    """
    auth = settings.auth
    is_ready = any(given is not None for given in (auth.token, auth.token_file, auth.token_command))
    may_count = not is_ready and settings.api.reports_family == "mpn" if auth.flow is None else False
    stored = sign_in_of(settings) if may_count or auth.flow == "refresh_token" else None
    flow = auth.decide_flow(signed_in=stored is not None)
    if flow == "refresh_token" and stored is None and auth.refresh_token is None:
        raise AuthError(f"{NOBODY}.")
    return flow


def acquire_for(
    settings: Settings,
    *,
    clock: Clock,
    environ: Mapping[str, str] = os.environ,
    learn: Callable[[str], None] = lambda _secret: None,
    say: Callable[[str], None] = say_on_stderr,
) -> Acquire:
    """The way to a token that `settings.auth` describes. Raises ConfigError if credentials are missing.

    `environ` is where GitHub Actions says how to get an assertion, and what a command that is run sees, secrets apart;
    `learn` hears of each secret that is met on the way, before anything else can be said of it; `say` is how a person
    is asked to sign in, and told where that is kept.
    """
    auth = settings.auth
    match flow_of(settings):
        case "token":
            return _ready_token(auth, clock=clock, env=without_secrets(environ, settings))
        case "client_secret":
            secret = _given(auth.client_secret, "auth.client_secret").reveal()
            learn(secret)
            return client_secret(app_of(settings, "client_secret"), secret, clock=clock)
        case "certificate":
            file = _given(auth.certificate_file, "auth.certificate_file")
            passphrase = None if auth.certificate_passphrase is None else auth.certificate_passphrase.reveal()
            return client_certificate(app_of(settings, "certificate"), file, passphrase=passphrase, clock=clock)
        case "federated":
            app = app_of(settings, "federated")
            return client_assertion(
                app, _assertion(settings, app, clock=clock, environ=environ, learn=learn), clock=clock
            )
        case "managed_identity" as flow:
            resource = scope_of(settings, flow).removesuffix("/.default")
            return managed_identity(resource=resource, client_id=auth.client_id, trust=trust_of(settings), clock=clock)
        case "refresh_token" as flow:
            return stored_sign_in(
                app_of(settings, flow),
                store_of(settings, say=say),
                credential=credential_of(settings, clock=clock, environ=environ, learn=learn),
                seed=None if auth.refresh_token is None else auth.refresh_token.reveal(),
                learn=learn,
                clock=clock,
            )
        case "device_code" as flow:
            return device_code(app_of(settings, flow), prompt=say, learn=learn, wait=time.sleep, clock=clock)


def token_timeout_s(settings: Settings, flow: Flow) -> float:
    """How long one token may take: a person who is asked for it takes longer than Entra."""
    return DEVICE_CODE_PATIENCE_S if flow == "device_code" else settings.auth.timeout_s


def credential_of(
    settings: Settings,
    *,
    clock: Clock,
    environ: Mapping[str, str] = os.environ,
    learn: Callable[[str], None] = lambda _secret: None,
) -> Credential | None:
    """What proves the app when a person signs in by it; None for a public one. Raises ConfigError if there are two."""
    auth = settings.auth
    if auth.certificate_file is not None and auth.client_secret is not None:
        raise ConfigError(
            "Both auth.client_secret and auth.certificate_file are given: unset the one that is not meant."
        )
    if auth.client_secret is not None:
        secret = auth.client_secret.reveal()
        return lambda: secret
    if auth.certificate_file is not None:
        passphrase = None if auth.certificate_passphrase is None else auth.certificate_passphrase.reveal()
        return certificate_credential(auth.certificate_file, passphrase=passphrase, clock=clock)
    if any(given is not None for given in (auth.assertion_from, auth.assertion_file, auth.assertion_command)):
        app = app_of(settings, "refresh_token")
        return assertion_credential(_assertion(settings, app, clock=clock, environ=environ, learn=learn))
    return None


def store_of(settings: Settings, *, say: Callable[[str], None] = say_on_stderr) -> SignInStore:
    """Where the sign-ins of this user on this machine are kept: `~/.local/state/bulkpause/sign-ins` on Linux."""
    from platformdirs import user_state_path  # noqa: PLC0415 - costs milliseconds at start-up

    folder: Path = user_state_path("bulkpause", appauthor=False) / "sign-ins"
    return SignInStore(folder, wanted=settings.auth.token_store, say=say)


def key_of(settings: Settings) -> SignInKey:
    """Which sign-in the settings are about. Raises ConfigError if tenant or app are missing."""
    auth = settings.auth
    missing = [name for name in ("tenant_id", "client_id") if getattr(auth, name) is None]
    if missing:
        names = " and ".join(f"AZURE_{name.upper()} (auth.{name})" for name in missing)
        raise ConfigError(f"Signing in as a person needs to know which app and where: set {names}.")
    return SignInKey(
        authority=auth.authority,
        tenant_id=_given(auth.tenant_id, "auth.tenant_id"),
        client_id=_given(auth.client_id, "auth.client_id"),
    )


def sign_in_of(settings: Settings) -> SignIn | None:
    """What is public of the stored sign-in that the settings are about; None if there is none, or no tenant or app."""
    if settings.auth.tenant_id is None or settings.auth.client_id is None:
        return None
    return store_of(settings).find(key_of(settings))


def scope_of(settings: Settings, flow: Flow) -> str:
    """What a token is asked for: `auth.scope`, or all that the app, or the person by the app, may do with the API."""
    delegated = flow in {"refresh_token", "device_code"}
    right = "user_impersonation" if delegated else ".default"
    return settings.auth.scope or f"{CLOUDS[settings.api.cloud].api}/{right}"


def advice_for(settings: Settings, flow: Flow) -> str:
    """What to do if the API refuses the tokens of the flow; empty where there is no more to say."""
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
            env = without_secrets(environ, settings)
            return assertion_from_command(command, timeout_s=auth.timeout_s, learn=learn, env=env)
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


def _ready_token(auth: Auth, *, clock: Clock, env: Mapping[str, str]) -> Acquire:
    if auth.token is not None:
        return token_from_environment(auth.token.reveal(), name="BULKPAUSE_TOKEN", clock=clock)
    if auth.token_file is not None:
        return token_from_file(auth.token_file, clock=clock)
    command = _given(auth.token_command, "auth.token_command")
    return token_from_command(command, timeout_s=auth.timeout_s, clock=clock, env=env)


def app_of(settings: Settings, flow: Flow) -> EntraApp:
    """Which app signs in, where and for what. Raises ConfigError if tenant or app are missing."""
    auth = settings.auth
    return EntraApp(
        tenant_id=_given(auth.tenant_id, "auth.tenant_id"),
        client_id=_given(auth.client_id, "auth.client_id"),
        authority=auth.authority,
        scope=scope_of(settings, flow),
        trust=trust_of(settings),
        proxy=None if auth.proxy is None else auth.proxy.reveal(),
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
