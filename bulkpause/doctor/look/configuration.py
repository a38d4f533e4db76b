"""What the settings come to, and who said so. Secrets are masked by the types that hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from bulkpause.doctor.facts import ConfigurationFacts
from bulkpause.errors import AuthError, ConfigError
from bulkpause.settings import Flow, Loaded, Settings, describe
from bulkpause.signin import sign_in_of

_EVIDENCE: Final[Mapping[Flow, tuple[str, ...]]] = {
    "token": ("token", "token_file", "token_command"),
    "client_secret": ("client_secret",),
    "certificate": ("certificate_file",),
    "federated": ("assertion_from", "assertion_file", "assertion_command", "identity_client_id"),
    "refresh_token": ("refresh_token",),
    "managed_identity": (),
    "device_code": (),
}
"""The settings of `auth` that speak for a flow where nobody has named one."""


def look_at_settings(
    loaded: Loaded, *, files: tuple[str, ...], profile: str | None, decide: Callable[[Settings], Flow]
) -> tuple[ConfigurationFacts, Flow | None]:
    """The settings that are not default, where they lead, and how to sign in there; or why that is not possible.

    `decide` says by which flow, which is given back; it may raise ConfigError, or AuthError if a person has to sign in
    first.
    """
    settings = loaded.settings
    flow, flaw, nobody, account = None, None, None, None
    try:
        flow = decide(settings)
        if flow == "refresh_token" and (sign_in := sign_in_of(settings)) is not None:
            account = sign_in.account or "a person"
    except ConfigError as error:
        flaw = str(error)
    except AuthError as error:
        nobody = str(error)
    facts = ConfigurationFacts(
        flaw=flaw,
        files=files,
        profile=profile,
        told=tuple(row for row in describe(loaded) if row[2] != "default"),
        target=settings.api.base_url,
        cloud=settings.api.cloud,
        family=settings.api.reports_family,
        flow=flow,
        why=None if flow is None else why(flow, loaded.origins, account=account),
        nobody=nobody,
    )
    return facts, flow


def why(flow: Flow, origins: Mapping[str, str], *, account: str | None = None) -> str:
    """What decided on `flow`: somebody's word, the credentials that are given, or that `account` has signed in."""
    if (origin := origins["auth.flow"]) != "default":
        return f"as auth.flow says ({origin})"
    given = [f"auth.{name} ({origins[f'auth.{name}']})" for name in _EVIDENCE[flow]]
    told = [text for text in given if not text.endswith(" (default)")]
    if account is not None and not told:
        return f"since {account} is signed in (`bulkpause login`)"
    return f"since there is {' and '.join(told)}" if told else "since nothing speaks for another one"
