"""The sign-in and the harmless GET: for one token, which never leaves this module but to the service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Final

from bulkpause.aside import aside
from bulkpause.auth import Acquire, Token
from bulkpause.auth.claims import claims
from bulkpause.client import Probe, ReportClient
from bulkpause.clock import Clock
from bulkpause.doctor.facts import ExchangeFacts, TokenFacts
from bulkpause.errors import AuthError, NoWayError, TokenUnavailableError
from bulkpause.models import Verdict
from bulkpause.replies.puts import quota
from bulkpause.session import client_settings
from bulkpause.settings import Settings

NIL: Final = "00000000-0000-0000-0000-000000000000"
"""A report that nobody has: asking for it changes nothing, and shows nothing."""

_NEVER: Final = datetime.max.replace(tzinfo=UTC)
"""What a token that does not tell its expiry is said to live for."""


@dataclass(slots=True)
class OneToken:
    """A TokenSource that has one token and gets no other."""

    value: str = field(repr=False)

    async def token(self) -> str:
        """The token."""
        return self.value

    def reject(self, token: str, *, claims: str | None = None) -> None:
        """There is no other one; the verdict says that it was refused."""


async def sign_in(
    acquire: Acquire, *, clock: Clock, timeout_s: float, learn: Callable[[str], None], claims_wanted: str | None = None
) -> tuple[TokenFacts, OneToken | None]:
    """What comes of signing in, and the token if there is one; `learn` hears of it before anybody else."""
    started_s = clock.monotonic_s()
    try:
        token = await aside(partial(acquire, claims=claims_wanted), name="doctor", timeout_s=timeout_s)
    except TimeoutError:
        return TokenFacts(flaw=f"the sign-in does not answer within {timeout_s:g} s", is_away=True), None
    except AuthError as error:
        return TokenFacts(flaw=str(error), is_away=isinstance(error, TokenUnavailableError | NoWayError)), None
    learn(token.value)
    elapsed_ms = (clock.monotonic_s() - started_s) * 1000
    return _told(token, elapsed_ms=elapsed_ms), OneToken(token.value)


def _told(token: Token, *, elapsed_ms: float) -> TokenFacts:
    return TokenFacts(
        source=token.source,
        elapsed_ms=elapsed_ms,
        claims=claims(token.value),
        expires_at=None if token.expires_at == _NEVER else token.expires_at,
    )


async def knock(settings: Settings, token: OneToken, *, clock: Clock, asks_for_mfa: bool) -> tuple[ExchangeFacts, ...]:
    """Ask for a report that nobody has, twice: with a new connection, and on the same one.

    The second asks about MFA where that makes sense. There is none if the first was not answered, or for haste.
    """
    async with ReportClient(client_settings(settings), tokens=token, clock=clock) as api:
        first = await api.probe(query={"reportId": NIL})
        if first.reply.verdict in {Verdict.UNANSWERED, Verdict.THROTTLED}:
            return (_seen(first),)
        more = {"ValidateMfa": "true"} if asks_for_mfa else {}
        return _seen(first), _seen(await api.probe(query={"reportId": NIL}, more=more))


def _seen(probe: Probe) -> ExchangeFacts:
    named = {"X-RateLimit-Limit": "x-ratelimit-limit", "X-RateLimit-Remaining": "x-ratelimit-remaining"}
    told = {name: probe.headers[key] for name, key in named.items() if key in probe.headers}
    return ExchangeFacts(
        reply=probe.reply,
        elapsed_ms=probe.elapsed_ms,
        quota=quota(told),
        headers=probe.headers,
        correlation_id=probe.correlation_id,
    )
