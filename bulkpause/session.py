"""The way to the service that the settings describe: one signed-in HTTP session, and the gates before it."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from bulkpause.auth import TokenGate, Tokens, tenant_of
from bulkpause.breaker import BreakerPolicy
from bulkpause.client import ClientSettings, ReportClient
from bulkpause.clock import Clock
from bulkpause.gates import AdaptiveGate, BreakerGate, HoldGate, RateGate
from bulkpause.models import Attempt, Halt, Notice, ReportId
from bulkpause.pacing import PacePolicy
from bulkpause.patience import Heartbeat
from bulkpause.ports import Gate
from bulkpause.replies.pages import NO_QUERY
from bulkpause.reports import Listing, read_reports
from bulkpause.retry import RetryPolicy
from bulkpause.settings import Flow, Settings
from bulkpause.signin import acquire_for, advice_for, flow_of, say_on_stderr, token_timeout_s, trust_of

NO_REPORT: Final = ReportId("")
"""What a read is about, to gates that ask."""

READ_TRIES: Final = 3
"""Tries per page of a list: a run must not wait as long for what it could do without as for what it is there for."""


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in session with the service, and its gates."""

    settings: Settings
    flow: Flow
    """How it signs in."""
    api: ReportClient
    token_gate: TokenGate
    hold: HoldGate
    breaker: BreakerGate
    pace: AdaptiveGate | None
    """None if the rate is to stay as agreed."""
    rate: RateGate
    clock: Clock
    rng: random.Random

    async def admit(self) -> None:
        """Wait until a request may leave that no worker sends."""
        await self.hold.admit()
        await self.rate.admit()

    @property
    def pacing(self) -> tuple[Gate, ...]:
        """The gates that space attempts out."""
        return (self.rate,) if self.pace is None else (self.pace, self.rate)

    async def tenant_id(self) -> str | None:
        """The tenant that the token is for, None if it does not say. Raises AuthError if there is no token."""
        return tenant_of(await self.token_gate.tokens.token())

    async def read_reports(self, query: Mapping[str, str] = NO_QUERY) -> Listing:
        """The tenant's reports that pass `query`. Raises AuthError if no token is to be had."""
        retry = retry_policy(self.settings)
        return await read_reports(
            self.api,
            admit=self.admit,
            observe=self._observe,
            policy=RetryPolicy(
                max_tries=min(READ_TRIES, retry.max_tries),
                deadline_s=retry.deadline_s,
                backoff_base_s=retry.backoff_base_s,
                backoff_cap_s=retry.backoff_cap_s,
            ),
            clock=self.clock,
            rng=self.rng,
            query=query,
        )

    def _observe(self, attempt: Attempt) -> Halt | None:
        """A reply that asks for a wait holds everybody, whatever it was a reply to."""
        self.rate.observe(NO_REPORT, attempt)
        return self.hold.observe(NO_REPORT, attempt)


@asynccontextmanager
async def connected(
    settings: Settings,
    *,
    clock: Clock,
    rng: random.Random,
    notify: Callable[[Notice], None],
    learn: Callable[[str], None],
    say: Callable[[str], None] = say_on_stderr,
    departed: Callable[[float], None] = lambda _at_s: None,
) -> AsyncIterator[Session]:
    """A session as `settings` ask for; nothing is sent yet.

    `notify` hears what its parts decide, `learn` each secret before it is used, `departed` when each request leaves;
    `say` is how a person is asked to sign in.
    Raises ConfigError if credentials are missing or a file they name is unusable, AuthError if nobody has signed in.
    """
    flow = flow_of(settings)
    tokens = Tokens(
        acquire_for(settings, clock=clock, learn=learn, say=say),
        clock,
        notify=notify,
        learn=learn,
        token_timeout_s=token_timeout_s(settings, flow),
    )
    run, heart = settings.run, Heartbeat()
    pace = None
    if run.adapt:
        policy = PacePolicy(ceiling_per_s=run.rate.per_s, start_per_s=run.rate_start.per_s)
        pace = AdaptiveGate(policy, clock=clock, notify=notify, woke_s=lambda: heart.woke_s)
    hold = HoldGate(
        cap_s=settings.retry.retry_after_cap_s,
        clock=clock,
        notify=notify,
        yields=lambda: pace is not None and pace.yields,
    )
    breaker = BreakerGate(BreakerPolicy(give_up_after_s=settings.halt.give_up_after_s), clock=clock, notify=notify)
    rate = RateGate(per_s=run.rate.per_s)
    client = ReportClient(client_settings(settings), tokens=tokens, clock=clock, departed=departed)
    with heart:
        async with client as api:
            token_gate = TokenGate(tokens, advice=advice_for(settings, flow))
            yield Session(settings, flow, api, token_gate, hold, breaker, pace, rate, clock, rng)


def client_settings(settings: Settings) -> ClientSettings:
    """What the HTTP client needs of the settings."""
    api = settings.api
    return ClientSettings(
        base_url=api.base_url,
        connections=settings.run.concurrency,
        timeout_s=api.timeout_s,
        connect_timeout_s=api.connect_timeout_s,
        read_timeout_s=api.read_timeout_s,
        trust=trust_of(settings),
        proxy=None if api.proxy is None else api.proxy.reveal(),
    )


def retry_policy(settings: Settings) -> RetryPolicy:
    """How patiently one request is tried again."""
    return RetryPolicy(
        max_tries=settings.retry.max_tries,
        deadline_s=settings.retry.deadline_s,
        backoff_base_s=settings.retry.backoff_base_s,
        backoff_cap_s=settings.retry.backoff_cap_s,
    )
