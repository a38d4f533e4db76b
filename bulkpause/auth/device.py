"""A person signs in by a code that is typed into any browser (RFC 8628)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from bulkpause.auth.entra import Conversation, EntraApp
from bulkpause.auth.person import Granted, needs_login, read_grant, renew
from bulkpause.auth.refusals import one_line
from bulkpause.auth.tokens import Acquire, Token
from bulkpause.clock import Clock
from bulkpause.errors import AuthError, TokenUnavailableError

SLOWER_S: Final = 5.0
"""How much longer to wait each time the service says slow_down (RFC 8628 section 3.5)."""

PATIENCE_S: Final = 1000.0
"""More than the 15 min that a code of Entra's is good for."""

LONGEST_LIFE_S: Final = 3600.0
"""No code is waited for longer, whatever its answer says."""

AGAIN: Final = "Run it again for a new one"


def sign_in_by_code(
    conversation: Conversation,
    *,
    prompt: Callable[[str], None],
    wait: Callable[[float], None],
    clock: Clock,
    claims: str | None = None,
) -> Granted:
    """Ask for a code, show it by `prompt`, and `wait` until the person has signed in with it, declined, or run late.

    Raises AuthError, TokenUnavailableError if no code is to be had just now.
    """
    scopes = [conversation.app.scope]
    flow = dict(conversation.ask(lambda msal: msal.initiate_device_flow(scopes, claims_challenge=claims)))
    if not all(isinstance(flow.get(name), str) for name in ("device_code", "user_code", "verification_uri")):
        raise TokenUnavailableError("Entra's answer holds no code to sign in with")
    life_s = min(float(flow["expires_in"]), LONGEST_LIFE_S)
    interval_s = min(max(float(flow["interval"]), 0.0), life_s)
    deadline = clock.now() + timedelta(seconds=life_s)
    prompt(
        f"To sign in, open {one_line(flow['verification_uri'])} in a browser, on any machine, and enter the code "
        f"{one_line(flow['user_code'])} within {life_s / 60:.0f} min. Ctrl-C gives up."
    )
    while clock.now() < deadline:
        wait(interval_s)
        asked_at = clock.now()
        try:  # MSAL asks once and goes by no interval of its own: it could be neither stopped nor tested
            answer = conversation.ask(
                lambda msal: msal.acquire_token_by_device_flow(
                    {**flow, "interval": 1}, claims_challenge=claims, exit_condition=lambda _flow: True
                )
            )
        except TokenUnavailableError as trouble:
            interval_s = max(interval_s, trouble.retry_after_s or SLOWER_S)
            continue  # the person goes on meanwhile
        match answer.get("error"):
            case "authorization_pending":
                pass
            case "slow_down":
                interval_s += SLOWER_S
            case "authorization_declined" | "access_denied":
                raise AuthError("the sign-in was declined in the browser")
            case "expired_token":
                break
            case _:
                return read_grant(answer, asked_at)
    raise AuthError(f"nobody signed in with the code while it was good. {AGAIN}")


def device_code(
    app: EntraApp,
    *,
    prompt: Callable[[str], None],
    learn: Callable[[str], None],
    wait: Callable[[float], None],
    clock: Clock,
) -> Acquire:
    """Sign in a person at this terminal; nothing is kept, but renewals ask nobody while this process lives."""
    return _AtTerminal(app, prompt=prompt, learn=learn, wait=wait, clock=clock)


class _AtTerminal:
    def __init__(
        self,
        app: EntraApp,
        *,
        prompt: Callable[[str], None],
        learn: Callable[[str], None],
        wait: Callable[[float], None],
        clock: Clock,
    ) -> None:
        self._conversation = Conversation(app)
        self._prompt = prompt
        self._learn = learn
        self._wait = wait
        self._clock = clock
        self._refresh_token: str | None = None
        self._given_up: AuthError | None = None

    def __call__(self, *, claims: str | None = None) -> Token:
        if self._given_up is not None:
            raise self._given_up  # whoever declined once is not asked for each renewal
        granted = None if self._refresh_token is None else self._renewed(self._refresh_token, claims)
        if granted is None:
            try:
                granted = sign_in_by_code(
                    self._conversation, prompt=self._prompt, wait=self._wait, clock=self._clock, claims=claims
                )
            except TokenUnavailableError:
                raise
            except AuthError as failure:
                self._given_up = failure
                raise
        if granted.refresh_token is not None:
            self._learn(granted.refresh_token)
            self._refresh_token = granted.refresh_token
        return granted.token

    def _renewed(self, refresh_token: str, claims: str | None) -> Granted | None:
        """What the refresh token is good for; None if the person has to sign in once more."""
        try:
            return renew(self._conversation, refresh_token, claims=claims, clock=self._clock)
        except TokenUnavailableError:
            raise
        except AuthError as failure:
            if not needs_login(failure):
                raise
            self._prompt(f"The sign-in has to be repeated: {failure}")
            self._refresh_token = None
            return None
