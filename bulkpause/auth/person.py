"""An app and a person: the sign-in that `bulkpause login` keeps, renewed by its refresh token.

The Secure Application Model: https://learn.microsoft.com/en-us/partner-center/developer/enable-secure-app-model
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from bulkpause.auth import claims as jwt
from bulkpause.auth.entra import CAPABILITIES, Conversation, Credential, EntraApp, read_token
from bulkpause.auth.refusals import one_line
from bulkpause.auth.store import ClientKind, Kept, SignIn, SignInKey, SignInStore
from bulkpause.auth.tokens import Acquire, Token
from bulkpause.clock import Clock
from bulkpause.errors import AuthError, TokenUnavailableError

LOGIN_HEALS: Final = frozenset(
    {
        *(50058, 50072, 50074, 50076, 50078, 50079, 50132, 50133, 50144, 50158, 50173),
        *(53000, 53001, 53002, 53003, 53004, 65001),
        *(70000, 70008, 70043, 500133, 700081, 700082, 700083, 700084, 9002341),
    }
)
"""AADSTS codes that mean: this refresh token is not good any more, or the person has more to prove.

https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes
"""

LOGIN: Final = "type `bulkpause login`"
NOBODY: Final = f"nobody is signed in for this tenant and app: {LOGIN}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What Entra gives for a person."""

    token: Token
    refresh_token: str | None = field(repr=False)
    account: str | None


def read_grant(answer: Mapping[str, Any], asked_at: datetime) -> Granted:
    """The tokens in MSAL's answer, and whose they are. Raises AuthError."""
    token = read_token(answer, asked_at)
    fresh, told = answer.get("refresh_token"), answer.get("id_token_claims")
    names = dict(told) if isinstance(told, dict) else {}
    account = names.get("preferred_username") or jwt.claims(token.value).get("upn")
    return Granted(
        token=token,
        refresh_token=fresh if isinstance(fresh, str) and fresh else None,
        account=one_line(account) if isinstance(account, str) else None,
    )


def renew(conversation: Conversation, refresh_token: str, *, claims: str | None, clock: Clock) -> Granted:
    """New tokens for a refresh token. Raises AuthError, TokenUnavailableError if it may heal."""
    asked_at = clock.now()
    return conversation.ask(
        lambda msal: read_grant(
            msal.acquire_token_by_refresh_token(
                refresh_token, [conversation.app.scope], data={"claims": wanted_claims(claims)}
            ),
            asked_at,
        )
    )


def wanted_claims(challenge: str | None) -> str:
    """What the token is to prove, and what we can answer: MSAL adds the latter to every request but this kind."""
    wanted = json.loads(challenge) if challenge else {}
    wanted.setdefault("access_token", {})["xms_cc"] = {"values": CAPABILITIES}
    return json.dumps(wanted)


def needs_login(failure: AuthError) -> bool:
    """Whether a person can heal it by signing in again."""
    return any(int(code) in LOGIN_HEALS for code in re.findall(r"AADSTS(\d{4,8})", str(failure)))


def fingerprint(seed: str) -> str:
    """What is remembered of a seed."""
    return hashlib.sha256(seed.encode()).hexdigest()


def stored_sign_in(
    app: EntraApp,
    store: SignInStore,
    *,
    credential: Credential | None,
    seed: str | None,
    learn: Callable[[str], None],
    clock: Clock,
) -> Acquire:
    """Sign in with what `store` keeps, or with `seed` if that is news to it; `learn` hears each refresh token.

    The rotated refresh token is in the store before the access token is handed out. Between Entra's answer and that
    lies one write to the disk or the keyring: a process killed within it loses the new refresh token, and the store
    still has the one before, which Entra goes on taking (it does not revoke one for having been used).
    """
    return _Stored(app, store, credential=credential, seed=seed, learn=learn, clock=clock)


class _Stored:
    def __init__(
        self,
        app: EntraApp,
        store: SignInStore,
        *,
        credential: Credential | None,
        seed: str | None,
        learn: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._app = app
        self._store = store
        self._credential = credential
        self._seed = seed
        self._learn = learn
        self._clock = clock
        self._key = SignInKey(authority=app.authority, tenant_id=app.tenant_id, client_id=app.client_id)
        self._conversations: dict[ClientKind, Conversation] = {}
        self._unsaved: tuple[str, Kept] | None = None
        """A refresh token that could not be kept, and the one it replaces."""

    def __call__(self, *, claims: str | None = None) -> Token:
        with self._store.locked(self._key, timeout_s=self._app.timeout_s):
            sign_in, kept = self._current()
            self._learn(kept.refresh_token)
            if self._unsaved is not None and self._unsaved[0] == kept.refresh_token:
                kept = self._unsaved[1]
                self._keep(sign_in, kept, replaced=self._unsaved[0])
            try:
                granted = renew(
                    self._conversation(sign_in.client), kept.refresh_token, claims=claims, clock=self._clock
                )
            except TokenUnavailableError:
                raise
            except AuthError as error:
                raise self._refusal(error, sign_in, kept) from None
            fresh = replace(kept, refresh_token=granted.refresh_token or kept.refresh_token)
            self._learn(fresh.refresh_token)
            renewed = replace(
                sign_in, account=granted.account or sign_in.account, renewed_at=self._clock.now(), refused_at=None
            )
            self._keep(renewed, fresh, replaced=kept.refresh_token)
            return granted.token

    def _current(self) -> tuple[SignIn, Kept]:
        """What to go on with: what is kept, unless the seed is another than it grew from."""
        sign_in = self._store.find(self._key)
        kept = None if sign_in is None else self._store.load(sign_in)
        seed_sha256 = None if self._seed is None else fingerprint(self._seed)
        if self._seed is not None and (kept is None or kept.seed_sha256 != seed_sha256):
            kept, now = Kept(self._seed, seed_sha256), self._clock.now()
            sign_in = SignIn(
                key=self._key,
                account=None,
                client="public" if self._credential is None else "confidential",
                kept_in=self._store.new_kind() if sign_in is None else sign_in.kept_in,
                signed_in_at=now,
                renewed_at=now,
            )
        if sign_in is None or kept is None:
            raise AuthError(NOBODY)
        return sign_in, kept

    def _conversation(self, client: ClientKind) -> Conversation:
        """As the refresh token was got: one that was got with the app's secret is renewed with it, and only so."""
        if client == "confidential" and self._credential is None:
            raise AuthError(
                "this sign-in was made by an app with a secret or certificate, which is not given now: "
                f"set auth.client_secret or auth.certificate_file, or {LOGIN}"
            )
        if client not in self._conversations:
            credential = self._credential if client == "confidential" else None
            self._conversations[client] = Conversation(self._app, credential)
        return self._conversations[client]

    def _keep(self, sign_in: SignIn, kept: Kept, *, replaced: str) -> None:
        """Keep the new refresh token, or say loudly that it is not kept; this process remembers it meanwhile."""
        try:
            self._store.save(sign_in, kept)
        except AuthError as error:
            self._unsaved = replaced, kept
            raise AuthError(
                f"the sign-in was renewed, but its new refresh token cannot be kept: {error}. Nothing is sent with it. "
                f"Put that right and run again; if the old refresh token is refused then, {LOGIN}"
            ) from None
        self._unsaved = None

    def _refusal(self, error: AuthError, sign_in: SignIn, kept: Kept) -> AuthError:
        """The refusal with what to do; the store remembers that the sign-in is no good."""
        if not needs_login(error):
            return error
        text = str(error) if LOGIN in str(error) else f"{error}: {LOGIN}"
        if kept.refresh_token == self._seed:
            return AuthError(f"{text}. Or give a newer auth.refresh_token")
        try:
            self._store.note_refusal(sign_in, now=self._clock.now())
        except AuthError as flaw:  # the refusal is what has to be said first
            text = f"{text} ({flaw})"
        return AuthError(text)
