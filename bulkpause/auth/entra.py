"""Sign-in of an application at Microsoft Entra, through MSAL: by client secret, certificate or another's assertion.

MSAL is synchronous and slow to import, so all of this runs in the thread of `Tokens`. One request is one token.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

from bulkpause.auth.refusals import judge_error, one_line
from bulkpause.auth.tokens import Acquire, Token
from bulkpause.clock import Clock
from bulkpause.errors import AuthError, ConfigError, TokenUnavailableError
from bulkpause.trust import Trust

T = TypeVar("T")

CAPABILITIES = ["CP1"]
"""It can answer a claims challenge, so Entra may let the service send one."""

LONGEST_LIFE_S = 10 * 365 * 86_400
"""Whoever tells of more tells nonsense."""

_CANNOT_USE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError, OSError)
"""MSAL's words for settings and answers that it cannot use; it checks the shape of neither."""

Credential = Callable[[], "str | Mapping[str, object]"]
"""What proves the app to MSAL, read when it is needed; it may go to a file."""


class Road(Protocol):
    """What carries MSAL's requests."""

    def close(self) -> None:
        """Close its connections; the next request opens new ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntraApp:
    """Which application signs in, where, for what, and over what road."""

    tenant_id: str
    client_id: str
    authority: str = "https://login.microsoftonline.com"
    scope: str = "https://api.partnercenter.microsoft.com/.default"
    trust: Trust = field(default_factory=Trust)
    proxy: str | None = field(default=None, repr=False)
    timeout_s: float = 30.0


def client_secret(app: EntraApp, secret: str, *, clock: Clock) -> Acquire:
    """Sign in by client secret."""
    return _Confidential(app, lambda: secret, clock)


def client_certificate(app: EntraApp, file: Path, *, passphrase: str | None = None, clock: Clock) -> Acquire:
    """Sign in by a certificate, PFX or PEM, which is read when it is first needed and again after a failure."""
    return _Confidential(app, certificate_credential(file, passphrase=passphrase, clock=clock), clock)


def client_assertion(app: EntraApp, assertion: Callable[[], str], *, clock: Clock) -> Acquire:
    """Sign in by what another issuer that the app trusts says of this workload; asked anew for every token."""
    return _Confidential(app, assertion_credential(assertion), clock)


def certificate_credential(file: Path, *, passphrase: str | None, clock: Clock) -> Credential:
    """A certificate as MSAL wants it."""

    def load() -> Mapping[str, object]:
        from bulkpause.auth.certificate import load_certificate  # noqa: PLC0415 - slow to import

        return load_certificate(file, passphrase=passphrase, now=clock.now())

    return load


def assertion_credential(assertion: Callable[[], str]) -> Credential:
    """Another issuer's assertion as MSAL wants it."""
    return lambda: {"client_assertion": assertion}


class MsalObject(ABC):
    """One MSAL object and its connections. A failure starts it anew: what it was made of may have changed."""

    def __init__(self, *, where: str) -> None:
        self._where = where
        self._msal: Any = None
        self._road: Road | None = None

    def ask(self, question: Callable[[Any], T]) -> T:
        """What `question` makes of MSAL's answer. Raises AuthError, TokenUnavailableError if it may heal."""
        try:
            if self._msal is None:
                self._msal, self._road = self._connect()
            return question(self._msal)
        except AuthError as error:
            failure = self._judged(error).with_traceback(None)
            failure.__context__ = None
        except ConfigError as error:
            failure = AuthError(str(error))
        except _CANNOT_USE as error:
            failure = AuthError(f"sign-in at {self._where} is not possible: {one_line(str(error))}")
        finally:
            if self._road is not None:
                self._road.close()  # the next request is an hour away
        self._msal = None
        raise failure  # from here, because the frames it came through hold the secret and the connections

    @abstractmethod
    def _connect(self) -> tuple[Any, Road]:
        """MSAL's object for this way, and what carries its requests."""

    def _judged(self, failure: AuthError) -> AuthError:
        """The failure as it is to be told."""
        return failure


class ThroughMsal(MsalObject):
    """A way to a token that asks MSAL one thing."""

    def __init__(self, *, where: str, source: str, clock: Clock) -> None:
        super().__init__(where=where)
        self._source = source
        self._clock = clock

    def __call__(self, *, claims: str | None = None) -> Token:
        """A token from the network. Raises AuthError, TokenUnavailableError if it may heal."""
        asked_at = self._clock.now()
        return self.ask(lambda msal: read_token(self._ask(msal, claims), asked_at, source=self._source))

    @abstractmethod
    def _ask(self, msal: Any, claims: str | None) -> Mapping[str, object]:
        """MSAL's answer."""


class _Confidential(ThroughMsal):
    """An application with a credential of its own."""

    def __init__(self, app: EntraApp, credential: Credential, clock: Clock) -> None:
        super().__init__(where=app.authority, source="Entra", clock=clock)
        self._app = app
        self._credential = credential

    def _ask(self, msal: Any, claims: str | None) -> Mapping[str, object]:
        answer: Mapping[str, object] = msal.acquire_token_for_client([self._app.scope], claims_challenge=claims)
        return answer

    def _connect(self) -> tuple[Any, Road]:
        return _application(self._app, self._credential)


class Conversation(MsalObject):
    """What is asked of an app about a person; without a credential of a public app, which needs none."""

    def __init__(self, app: EntraApp, credential: Credential | None = None) -> None:
        super().__init__(where=app.authority)
        self.app = app
        self._credential = credential

    def _connect(self) -> tuple[Any, Road]:
        return _application(self.app, self._credential)


def _application(app: EntraApp, credential: Credential | None) -> tuple[Any, Road]:
    """MSAL's object for the app, and what carries its requests."""
    import msal  # noqa: PLC0415 - slow to import

    from bulkpause.auth.transport import Transport  # noqa: PLC0415 - imports requests, as slow

    road = Transport(trust=app.trust, proxy=app.proxy, timeout_s=app.timeout_s)
    common = {
        "authority": f"{app.authority}/{app.tenant_id}",
        "http_client": road,
        "token_cache": forgetful_cache(),
        "instance_discovery": False,  # Microsoft need not be asked whether it knows the authority
        "client_capabilities": CAPABILITIES,
    }
    if credential is None:
        return msal.PublicClientApplication(app.client_id, **common), road
    return msal.ConfidentialClientApplication(
        app.client_id,
        client_credential=credential(),
        azure_region=False,  # else MSAL_FORCE_REGION in the environment moves the token endpoint
        **common,
    ), road


def forgetful_cache() -> Any:
    """A token cache for MSAL that keeps nothing: `Tokens` owns the last good token, and knows which were refused."""
    import msal  # noqa: PLC0415 - slow to import

    class Forgetful(msal.TokenCache):  # type: ignore[misc]  # MSAL has no types
        def add(self, event: object, now: object = None) -> None:
            """Forget at once."""

    return Forgetful()


def read_token(result: Mapping[str, object], asked_at: datetime, *, source: str = "Entra") -> Token:
    """The token in MSAL's answer; its life counts from when it was asked for. Raises AuthError."""
    match result:
        case {"access_token": str(value), "expires_in": int(lifetime_s)} if (
            re.fullmatch(r"[!-~]+", value) and 0 < lifetime_s <= LONGEST_LIFE_S
        ):
            expires_at = asked_at + timedelta(seconds=lifetime_s)
            return Token(value, source, obtained_at=asked_at, expires_at=expires_at)
        case {"error": _}:
            raise judge_error(result)
        case _:
            raise TokenUnavailableError(f"{source}'s answer holds no token with a lifetime")
