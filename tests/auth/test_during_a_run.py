"""Renewals while requests fly: real MSAL and real sockets, on a clock that runs ahead, so that an hour is a second."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from bulkpause.auth import Tokens, client_secret
from bulkpause.client import ClientSettings, ReportClient
from bulkpause.errors import AuthError
from bulkpause.models import Notice, Operation, Reply, Wire
from bulkpause.sandbox import Sandbox, SandboxSettings, parse_fault, serve_in_thread
from bulkpause.trust import Trust
from tests.auth.test_entra import app_of

PATIENCE_S = 10.0


@dataclass
class QuickClock:
    """A Clock on which `speed` seconds pass in one, and that can be put forward."""

    speed: float = 1.0
    ahead_s: float = 0.0
    started_s: float = field(default_factory=time.monotonic)

    def monotonic_s(self) -> float:
        """Seconds since it was made."""
        return (time.monotonic() - self.started_s) * self.speed + self.ahead_s

    sleepless_s = monotonic_s

    def now(self) -> datetime:
        """As if it had been made at a fixed moment."""
        return datetime(2026, 11, 24, tzinfo=UTC) + timedelta(seconds=self.monotonic_s())

    async def sleep(self, delay_s: float) -> None:
        """Wait as long as `delay_s` seconds take on it."""
        await asyncio.sleep(delay_s / self.speed)


@contextmanager
def far_side(*faults: str, lifetime_s: float = 3600) -> Iterator[Sandbox]:
    parsed = tuple(map(parse_fault, faults))
    with serve_in_thread(SandboxSettings(reports=50, faults=parsed, token_lifetime_s=lifetime_s)) as running:
        yield running


@dataclass
class Shift:
    """Workers that send one PUT after another, and what came of it."""

    running: Sandbox
    clock: QuickClock = field(default_factory=QuickClock)
    jump_s: float = 0.0
    """How far the clock is put forward at the first reply."""
    timeout_s: float = 10.0
    notices: list[Notice] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)

    async def work(self, *, workers: int, until: Callable[[], bool]) -> None:
        """Send as fast as answers come until that holds; give up if it never does."""
        give_up_s = time.monotonic() + PATIENCE_S
        app = app_of(self.running, timeout_s=self.timeout_s)
        acquire = client_secret(app, self.running.client_secret, clock=self.clock)
        tokens = Tokens(acquire, self.clock, notify=self.notices.append)
        settings = ClientSettings(
            base_url=self.running.base_url, connections=workers, trust=Trust(ca_file=self.running.ca_file)
        )
        async with ReportClient(settings, tokens=tokens, clock=self.clock) as client, asyncio.TaskGroup() as group:
            for number in range(workers):
                group.create_task(self._send_all(client, number, until=until, give_up_s=give_up_s))

    async def _send_all(
        self, client: ReportClient, number: int, *, until: Callable[[], bool], give_up_s: float
    ) -> None:
        report_id = self.running.report_ids[number]
        sent = 0
        while not until():
            assert time.monotonic() < give_up_s
            sent += 1
            name = f"{number}-{sent}"
            reply = await client.send(Operation.PAUSE, report_id, request_id=name, correlation_id=name, wire=Wire())
            if not self.replies:
                self.clock.ahead_s += self.jump_s
            self.replies.append(reply)

    @property
    def renewals(self) -> int:
        """How many tokens came after the first."""
        return sum(notice.event == "token_refreshed" for notice in self.notices)

    @property
    def failures(self) -> list[Mapping[str, object]]:
        """What was said of each renewal that failed."""
        return [notice.fields for notice in self.notices if notice.event == "token_renewal_failed"]

    @property
    def token_answers(self) -> list[int | str]:
        """What each token request was answered."""
        return [entry.status for entry in self.running.journal.entries if entry.operation == "token"]

    @property
    def tokens_used(self) -> Counter[str | None]:
        """PUTs by the token they came with."""
        return Counter(put.token for put in self.running.journal.puts)


INTO_THE_WINDOW_S = 3310.0
"""An hour's token is due for its renewal, and has almost five minutes to live."""


async def test_an_outage_of_entra_fails_no_report_while_the_last_token_lives() -> None:
    with far_side("503*1+drop*1+html*1@token,n=2..4") as running:
        shift = Shift(running, QuickClock(speed=120), jump_s=INTO_THE_WINDOW_S)
        await shift.work(workers=8, until=lambda: shift.renewals == 1)
        assert {reply.http_status for reply in shift.replies} == {200}
        assert shift.token_answers == [200, 503, "dropped", 200, 200]
        assert len(shift.failures) == 3
        assert all(fields["serves_until"] is not None for fields in shift.failures)
        assert len(shift.tokens_used) == 2


async def test_a_secret_that_is_withdrawn_ends_the_run_when_the_last_token_does_and_not_before() -> None:
    with far_side("invalid-client@token,n=2..99") as running:
        shift = Shift(running, QuickClock(speed=400), jump_s=INTO_THE_WINDOW_S)
        with pytest.RaisesGroup(AuthError, flatten_subgroups=True, check=_all_say_why) as caught:
            await shift.work(workers=1, until=lambda: False)
        assert caught.value is not None
        assert {reply.http_status for reply in shift.replies} == {200}
        assert shift.clock.monotonic_s() >= 3600
        assert shift.failures


def _all_say_why(group: BaseExceptionGroup[AuthError]) -> bool:
    return all("use the secret's value, not its id. AADSTS7000215" in str(error) for error in group.exceptions)


@asynccontextmanager
async def ticking() -> AsyncIterator[list[float]]:
    """When the loop came back to a ticker of 5 ms."""
    ticks_s: list[float] = []

    async def tick() -> None:
        while True:
            await asyncio.sleep(0.005)
            ticks_s.append(time.monotonic())

    ticker = asyncio.create_task(tick())
    try:
        yield ticks_s
    finally:
        ticker.cancel()


async def test_a_token_endpoint_that_hangs_holds_up_neither_the_loop_nor_a_report() -> None:
    hangs_s = 1.0
    with far_side("hang*1@token,n=2") as running:
        shift = Shift(running, jump_s=INTO_THE_WINDOW_S, timeout_s=hangs_s)
        async with ticking() as ticks_s:
            await shift.work(workers=8, until=lambda: bool(shift.failures))
        assert shift.token_answers == [200, "hung"]
        assert {reply.http_status for reply in shift.replies} == {200}
        asked_at_s = next(entry.at_s for entry in running.journal.entries if entry.status == "hung")
        hung = [at_s for at_s in ticks_s if asked_at_s < at_s < asked_at_s + hangs_s]
        assert max(later - earlier for earlier, later in itertools.pairwise(hung)) < hangs_s / 2
        assert hung[-1] - hung[0] > hangs_s / 2
        assert sum(hung[0] < put.at_s < hung[-1] for put in running.journal.puts) >= 8


async def test_fifty_workers_and_a_five_second_token_make_one_token_request_a_lifetime() -> None:
    with far_side(lifetime_s=5) as running:
        shift = Shift(running, QuickClock(speed=8))
        await shift.work(workers=50, until=lambda: shift.renewals == 2)
        lived_s = shift.clock.monotonic_s()
        assert {reply.http_status for reply in shift.replies} == {200}
        assert 3 <= len(shift.token_answers) <= math.ceil(lived_s / 4.5)
        assert len(shift.tokens_used) == len(shift.token_answers)


async def test_a_revoked_token_costs_each_worker_one_put_at_most() -> None:
    with far_side("revoke*1@n=100") as running:
        shift = Shift(running)
        await shift.work(workers=16, until=lambda: len(shift.replies) >= 300)
        statuses = Counter(reply.http_status for reply in shift.replies)
        assert 1 <= statuses[401] <= 16
        assert set(statuses) == {200, 401}
        assert shift.token_answers == [200, 200]
