"""Sign-in of an application at Microsoft Entra, through MSAL: by client secret or by certificate; and MSAL itself.

MSAL is synchronous and its constructor already goes to the network, so all of this runs in the thread of `Tokens`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bulkpause.auth.refusals import judge_error
from bulkpause.auth.tokens import Acquire, Token
from bulkpause.clock import Clock
from bulkpause.errors import AuthError, ConfigError, TokenUnavailableError
from bulkpause.trust import Trust

if TYPE_CHECKING:
    from bulkpause.auth.transport import Transport


CAPABILITIES = ["CP1"]
"""It can answer a claims challenge, so Entra may let the service send one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntraApp:
    """Which application signs in, where, for what, and over what road."""

    tenant_id: str
    client_id: str
    authority: str = "https://login.microsoftonline.com"
    scope: str = "https://api.partnercenter.microsoft.com/.default"
    instance_discovery: bool = True
    """Whether Microsoft is asked about an authority that MSAL does not know; False for a private one or a sandbox."""
    trust: Trust = field(default_factory=Trust)
    proxy: str | None = field(default=None, repr=False)
    timeout_s: float = 30.0


Credential = Callable[[], "str | Mapping[str, Any]"]
"""What proves the app to MSAL, read when it is needed; it may go to a file."""


def client_secret(app: EntraApp, secret: str, *, clock: Clock) -> Acquire:
    """Sign in by client secret."""
    return _App(app, lambda: secret, clock)


def client_certificate(app: EntraApp, file: Path, *, passphrase: str | None = None, clock: Clock) -> Acquire:
    """Sign in by a certificate, PFX or PEM, which is read when it is first needed and again after a failure."""
    return _App(app, certificate_credential(file, passphrase=passphrase, clock=clock), clock)


def certificate_credential(file: Path, *, passphrase: str | None, clock: Clock) -> Credential:
    """The certificate as MSAL wants it."""

    def load() -> Mapping[str, str]:
        from bulkpause.auth.certificate import load_certificate  # noqa: PLC0415 - slow to import

        return load_certificate(file, passphrase=passphrase, now=clock.now())

    return load


class _App:
    """An app that signs in by itself."""

    def __init__(self, app: EntraApp, credential: Credential, clock: Clock) -> None:
        self._scope = app.scope
        self._conversation = Conversation(app, credential)
        self._clock = clock

    def __call__(self, *, claims: str | None = None) -> Token:
        asked_at = self._clock.now()
        answer = self._conversation.ask(
            lambda msal: msal.acquire_token_for_client([self._scope], claims_challenge=claims)
        )
        return read_token(answer, asked_at)


class Conversation:
    """One MSAL application and its connections; without a credential a public one, which only a person can sign in to.

    A failure starts it anew: the certificate may have changed.
    """

    def __init__(self, app: EntraApp, credential: Credential | None = None) -> None:
        self.app = app
        self._credential = credential
        self._msal: Any = None
        self._transport: Transport | None = None

    def ask(self, question: Callable[[Any], Mapping[str, Any]]) -> Mapping[str, Any]:
        """MSAL's answer to what `question` asks it. Raises AuthError, TokenUnavailableError if it may heal."""
        try:
            if self._msal is None:
                self._msal = self._connect()
            return question(self._msal)
        except AuthError as error:
            failure = error.with_traceback(None)
            failure.__context__ = None
        except ConfigError as error:
            failure = AuthError(str(error))
        except (ValueError, KeyError, TypeError) as error:  # MSAL's words for what it cannot use
            failure = AuthError(f"sign-in at {self.app.authority} is not possible: {error}")
        finally:
            if self._transport is not None:
                self._transport.close()  # the next request is an hour away
        self._msal = None
        raise failure  # from here, because the frames it came through hold the secret and the connections

    def _connect(self) -> Any:
        import msal  # noqa: PLC0415 - slow to import

        from bulkpause.auth.transport import Transport  # noqa: PLC0415 - imports requests, as slow

        class Forgetful(msal.TokenCache):  # type: ignore[misc]  # MSAL has no types
            """Keeps nothing: `Tokens` owns the last good token, and MSAL would hand out a refused one again."""

            def add(self, event: object, now: object = None) -> None:
                """Forget at once."""

        app = self.app
        self._transport = Transport(trust=app.trust, proxy=app.proxy, timeout_s=app.timeout_s)
        common = {
            "authority": f"{app.authority}/{app.tenant_id}",
            "http_client": self._transport,
            "token_cache": Forgetful(),
            "instance_discovery": app.instance_discovery,
            "client_capabilities": CAPABILITIES,
        }
        if self._credential is None:
            return msal.PublicClientApplication(app.client_id, **common)
        return msal.ConfidentialClientApplication(
            app.client_id,
            client_credential=self._credential(),
            azure_region=False,  # else MSAL_FORCE_REGION in the environment moves the token endpoint
            **common,
        )


def read_token(result: Mapping[str, object], asked_at: datetime) -> Token:
    """The token in MSAL's answer; its life counts from when it was asked for. Raises AuthError."""
    match result:
        case {"access_token": str(value), "expires_in": int(lifetime_s)}:
            expires_at = asked_at + timedelta(seconds=lifetime_s)
            return Token(value, "Entra", obtained_at=asked_at, expires_at=expires_at)
        case {"error": _}:
            raise judge_error(result)
        case _:
            raise TokenUnavailableError("Entra's answer holds no token with a lifetime")
