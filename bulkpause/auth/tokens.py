"""The one token all workers share: fetched once, renewed ahead of time, never sent again after a refusal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

from bulkpause.aside import begin_aside
from bulkpause.clock import Clock
from bulkpause.errors import AuthError, TokenUnavailableError
from bulkpause.models import Notice

MAX_SKEW = timedelta(seconds=300)
"""How long before its expiry a token is renewed at most; a short-lived one is renewed in its last tenth."""

FIRST_WAIT_S = 5.0
"""Entra wants no quicker second try: MSAL itself answers a failure from memory for as long (api.md section 8)."""

LONGEST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token and its life. Printing it does not show its value."""

    value: str = field(repr=False)
    source: str
    """Where it came from, in words for a message."""
    obtained_at: datetime
    expires_at: datetime

    @property
    def renew_at(self) -> datetime:
        """When its renewal window opens."""
        return self.expires_at - min(MAX_SKEW, (self.expires_at - self.obtained_at) / 10)


class Acquire(Protocol):
    """A synchronous way to a token; `Tokens` runs it in a thread, one call at a time."""

    def __call__(self, *, claims: str | None = None) -> Token:
        """Fetch a token, never from a memory of its own. Raises AuthError, TokenUnavailableError if it may heal.

        `claims` is what the service asked the token to prove when it refused the last one.
        """


class Start(Protocol):
    """How `Tokens` sets an `Acquire` going without waiting for it."""

    def __call__(self, acquire: Callable[[], Token], /) -> asyncio.Future[Token]:
        """Begin; the future ends with the token or the exception."""


def in_daemon_thread(acquire: Callable[[], Token], /) -> asyncio.Future[Token]:
    """Run `acquire` in a thread that a stopping run need not wait for, as `asyncio.to_thread` would make it."""
    return asyncio.wrap_future(begin_aside(acquire, name="token"))


def wait_before_next_try_s(failures: int, asked_s: float | None, *, left_s: float) -> float:
    """Seconds to leave the token endpoint alone after so many failures in a row.

    Doubling and capped, cut at `left_s` (when a token or the patience ends), never shorter than was asked for.
    """
    backoff_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failures - 1, 10))
    return max(asked_s or 0.0, FIRST_WAIT_S, min(backoff_s, left_s))


class Tokens:
    """Hands out the current token. Whoever finds it due renews it; all others are served or wait for that one call.

    There is no background task. If a renewal fails, the last good token serves until its true expiry. With none at
    hand, failures that may heal are retried for `give_up_after_s`; after that, or a refusal, every call raises.
    `learn` hears of each token before anybody has it.
    """

    def __init__(
        self,
        acquire: Acquire,
        clock: Clock,
        *,
        notify: Callable[[Notice], None],
        learn: Callable[[str], None] = lambda _token: None,
        token_timeout_s: float = 30.0,
        give_up_after_s: float = 60.0,
        start: Start = in_daemon_thread,
    ) -> None:
        self._acquire = acquire
        self._clock = clock
        self._notify = notify
        self._learn = learn
        self._token_timeout_s = token_timeout_s
        self._give_up_after_s = give_up_after_s
        self._start = start
        self._lock = asyncio.Lock()
        self._token: Token | None = None
        self._renew_at = datetime.min.replace(tzinfo=UTC)
        self._why = "first"
        self._claims: str | None = None
        self._refused: set[str] = set()
        self._flight: tuple[asyncio.Future[Token], float, str | None] | None = None
        self._failures = 0
        self._not_before_s = float("-inf")
        self._without_since_s: float | None = None
        self._final: AuthError | None = None

    async def token(self) -> str:
        """Return a token that is neither expired nor refused. Raises AuthError if none is to be had; that is final."""
        token = self._served()
        if token is not None:
            return token.value
        async with self._lock:
            return await self._lead()

    def ready(self) -> bool:
        """Whether `token` would answer at once: a valid token is at hand, its renewal not due or already under way."""
        return self._served() is not None

    def reject(self, token: str, *, claims: str | None = None) -> None:
        """Note that the service refused `token`. It is never handed out again; a newer one stays current.

        `claims` is what the service wants the next one to prove.
        """
        self._refused.add(token)
        if self._token is not None and self._token.value == token:
            self._token = None
            self._why, self._claims = "refused", claims

    @property
    def refused(self) -> int:
        """How many different tokens the service has refused."""
        return len(self._refused)

    def _held(self) -> Token | None:
        """The current token, if its life is not over."""
        token = self._token
        return token if token is not None and self._clock.now() < token.expires_at else None

    def _is_due(self) -> bool:
        """Whether the token's renewal may be tried now."""
        return self._clock.now() >= self._renew_at and self._clock.monotonic_s() >= self._not_before_s

    def _served(self) -> Token | None:
        """The token a caller gets without waiting; None for the one caller who has to lead the renewal."""
        if self._token is not None and self._clock.now() < self._renew_at:
            return self._token  # the usual case, several times for every attempt
        token = self._held()
        return token if token is not None and (self._lock.locked() or not self._is_due()) else None

    async def _lead(self) -> str:
        """Renew until a token is at hand. Only under the lock; a cancelled leader leaves its flight to the next."""
        while (token := self._held()) is None or self._is_due():
            if self._final is not None:
                raise self._final
            if token is None and self._without_since_s is None:
                self._without_since_s, self._failures = self._clock.monotonic_s(), 0
            if (wait_s := self._not_before_s - self._clock.monotonic_s()) > 0:
                await self._clock.sleep(wait_s)
            try:
                fresh, elapsed_ms = await self._fetch()
            except AuthError as failure:
                self._fail(failure)
            else:
                self._adopt(fresh, elapsed_ms)
        return token.value

    async def _fetch(self) -> tuple[Token, float]:
        """Join the acquisition under way or start one. There is never a second beside it, even if it hangs."""
        if self._flight is None:
            claims = self._claims
            self._flight = self._start(partial(self._acquire, claims=claims)), self._clock.monotonic_s(), claims
        future, started_s, proven = self._flight
        done, _ = await asyncio.wait({future}, timeout=self._token_timeout_s)
        if not done:
            raise TokenUnavailableError(f"no token within {self._token_timeout_s:g} s: the sign-in does not answer")
        self._flight = None
        if self._claims not in (None, proven):  # asked for before the challenge came: it would be refused as well
            future.exception()
            return await self._fetch()
        token = future.result()
        if token.value in self._refused:
            raise AuthError(f"the service refused the token from {token.source}, and no other one is to be had there")
        if token.expires_at <= self._clock.now():
            raise TokenUnavailableError(f"the token from {token.source} expired at {_rfc3339(token.expires_at)}")
        return token, (self._clock.monotonic_s() - started_s) * 1000

    def _adopt(self, token: Token, elapsed_ms: float) -> None:
        if self._token is not None and self._token.value == token.value:
            self._hold_off(None)  # a file or a command that has nothing newer yet
            return
        self._learn(token.value)
        why, self._why, self._claims = self._why, "expiry", None
        self._token, self._renew_at = token, token.renew_at
        self._failures, self._not_before_s, self._without_since_s = 0, float("-inf"), None
        if why != "first":
            expires_at = _rfc3339(token.expires_at)
            fields = {"expires_at": expires_at, "elapsed_ms": round(elapsed_ms, 1), "why": why}
            self._notify(Notice("token_refreshed", fields))

    def _fail(self, failure: AuthError) -> None:
        """Serve on with the last good token, or wait for the next try. Raises when there is none and no hope left."""
        asked_s = failure.retry_after_s if isinstance(failure, TokenUnavailableError) else None
        if (token := self._held()) is None:
            self._give_up_if_hopeless(failure, asked_s)
        wait_s = self._hold_off(asked_s)
        serves_until = None if token is None else _rfc3339(token.expires_at)
        fields = {"error": str(failure), "retry_in_s": round(wait_s, 1), "serves_until": serves_until}
        self._notify(Notice("token_renewal_failed", fields))

    def _give_up_if_hopeless(self, failure: AuthError, asked_s: float | None) -> None:
        left_s = self._patience_left_s()
        if not isinstance(failure, TokenUnavailableError):
            self._final = failure
        elif left_s <= 0 or (asked_s or 0.0) > left_s:
            text = f"{failure}; given up after {self._give_up_after_s - left_s:.0f} s"
            self._final = TokenUnavailableError(text, retry_after_s=asked_s)
        if self._final is not None:
            raise self._final from None

    def _hold_off(self, asked_s: float | None) -> float:
        """Set when the next try may be: backing off, yet once more right at the expiry or at the end of patience."""
        self._failures += 1
        token = self._held()
        left_s = self._patience_left_s() if token is None else (token.expires_at - self._clock.now()).total_seconds()
        wait_s = wait_before_next_try_s(self._failures, asked_s, left_s=left_s)
        self._not_before_s = self._clock.monotonic_s() + wait_s
        return wait_s

    def _patience_left_s(self) -> float:
        now_s = self._clock.monotonic_s()
        return self._give_up_after_s - (now_s - (now_s if self._without_since_s is None else self._without_since_s))


def _rfc3339(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
