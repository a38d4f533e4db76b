"""The shared token: single flight, renewal ahead of time, refusals, failures and patience, in virtual time."""

from __future__ import annotations

import asyncio
import functools
import gc
import itertools
import threading
from collections.abc import Callable, Coroutine
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkpause.auth import Token
from bulkpause.auth.tokens import in_daemon_thread, wait_before_next_try_s
from bulkpause.errors import AuthError, TokenUnavailableError
from tests.auth.fakes import HANGS_S, Desk, FakeEntra, now_s, rfc3339
from tests.virtual_time import EPOCH, VirtualClock, run_virtually


def virtually(test: Callable[[], Coroutine[object, object, None]]) -> Callable[[], None]:
    """Run an async test in virtual time."""

    @functools.wraps(test)
    def run() -> None:
        run_virtually(test())

    return run


def a_token(lifetime_s: float) -> Token:
    return Token("s3cret", "a test", obtained_at=EPOCH, expires_at=EPOCH + timedelta(seconds=lifetime_s))


def test_a_printed_token_does_not_show_its_value() -> None:
    token = a_token(60)
    assert "s3cret" not in f"{token} {token!r} {[token]}"


@pytest.mark.parametrize(("lifetime_s", "ahead_s"), [(3600, 300), (86_400, 300), (3000, 300), (100, 10), (3, 0.3)])
def test_a_token_is_due_five_minutes_or_a_tenth_of_its_life_ahead(lifetime_s: float, ahead_s: float) -> None:
    token = a_token(lifetime_s)
    assert token.expires_at - token.renew_at == timedelta(seconds=ahead_s)


@pytest.mark.parametrize(
    ("failures", "asked_s", "left_s", "wait_s"),
    [
        (1, None, 1e9, 5),
        (2, None, 1e9, 10),
        (4, None, 1e9, 40),
        (5, None, 1e9, 60),
        (10_000, None, 1e9, 60),
        (3, None, 12, 12),
        (3, None, 0.1, 5),
        (1, 30, 12, 30),
        (1, 0, 1e9, 5),
    ],
)
def test_failures_wait_longer_each_time_never_under_five_seconds_and_as_long_as_asked(
    failures: int, asked_s: float | None, left_s: float, wait_s: float
) -> None:
    assert wait_before_next_try_s(failures, asked_s, left_s=left_s) == wait_s


@virtually
async def test_fifty_callers_at_a_cold_start_make_one_acquisition_and_no_notice() -> None:
    desk = Desk()
    assert not desk.tokens.ready()
    assert set(await asyncio.gather(*(desk.tokens.token() for _ in range(50)))) == {"token-1"}
    assert desk.entra.calls == 1
    assert desk.tokens.ready()
    assert desk.notices == []


@virtually
async def test_in_the_window_one_caller_renews_and_the_others_are_served_at_once() -> None:
    desk = Desk(FakeEntra(takes_s=2))
    await desk.tokens.token()
    await desk.until(3302)
    assert not desk.tokens.ready()

    async def timed() -> tuple[str, float]:
        return await desk.tokens.token(), now_s()

    served = await asyncio.gather(*(timed() for _ in range(50)))
    assert served == [("token-2", 3304), *[("token-1", 3302)] * 49]
    assert desk.entra.calls == 2
    renewed = {"expires_at": rfc3339(6904), "elapsed_ms": 2000.0, "why": "expiry"}
    assert desk.facts("token_refreshed") == [renewed]


@virtually
async def test_a_renewal_under_way_leaves_the_valid_token_ready() -> None:
    desk = Desk(FakeEntra(takes_s=2))
    await desk.tokens.token()
    await desk.until(3302)
    async with asyncio.TaskGroup() as callers:
        callers.create_task(desk.tokens.token())
        await desk.until(3303)
        assert desk.tokens.ready()


@virtually
async def test_the_last_good_token_serves_until_its_expiry_while_renewals_fail() -> None:
    desk = Desk(FakeEntra(["good", *[TokenUnavailableError("503")] * 100], takes_s=0))
    await desk.tokens.token()
    for second in range(3301, 3600):
        await desk.until(second)
        assert await desk.tokens.token() == "good"
        assert desk.tokens.ready()
    gaps_s = [later - earlier for earlier, later in itertools.pairwise(desk.entra.called_at_s[1:])]
    assert gaps_s == pytest.approx([5, 10, 20, 40, 60, 60, 60], abs=1)
    first, *_, last = desk.facts("token_renewal_failed")
    assert first == {"error": "503", "retry_in_s": 5.0, "serves_until": rfc3339(3600)}
    assert last["retry_in_s"] == round(3600 - desk.entra.called_at_s[-1], 1)


@virtually
async def test_at_expiry_the_failed_renewal_is_tried_again_with_fresh_patience() -> None:
    desk = Desk(FakeEntra(["good", *[TokenUnavailableError("503")] * 3], takes_s=0))
    await desk.tokens.token()
    await desk.until(3590)
    assert await desk.tokens.token() == "good"
    await desk.until(3600.001)
    assert await desk.tokens.token() == "token-5"
    assert desk.entra.called_at_s[1:] == [3590, 3600.001, 3605.001, 3615.001]
    assert desk.facts("token_renewal_failed")[-1]["serves_until"] is None
    assert [fact["why"] for fact in desk.facts("token_refreshed")] == ["expiry"]


@virtually
async def test_a_lasting_refusal_in_the_window_still_lets_the_valid_token_serve() -> None:
    desk = Desk(FakeEntra(["good", AuthError("AADSTS7000222"), AuthError("AADSTS7000222")], takes_s=0))
    await desk.tokens.token()
    await desk.until(3590)
    assert await desk.tokens.token() == "good"
    await desk.until(3600)
    with pytest.raises(AuthError, match="AADSTS7000222"):
        await desk.tokens.token()


@virtually
async def test_without_a_token_a_lasting_refusal_ends_every_caller_with_one_acquisition() -> None:
    desk = Desk(FakeEntra([AuthError("AADSTS7000215")]))
    endings = await asyncio.gather(*(desk.tokens.token() for _ in range(50)), return_exceptions=True)
    assert [str(ending) for ending in endings] == ["AADSTS7000215"] * 50
    with pytest.raises(AuthError, match="AADSTS7000215"):
        await desk.tokens.token()
    assert desk.entra.calls == 1


@virtually
async def test_without_a_token_failures_that_may_heal_are_retried_for_a_minute() -> None:
    desk = Desk(FakeEntra([TokenUnavailableError("503")] * 100, takes_s=0))
    endings = await asyncio.gather(*(desk.tokens.token() for _ in range(50)), return_exceptions=True)
    assert {str(ending) for ending in endings} == {"503; given up after 60 s"}
    assert desk.entra.called_at_s == [0, 5, 15, 35, 60]
    assert [fact["retry_in_s"] for fact in desk.facts("token_renewal_failed")] == [5, 10, 20, 25]


@virtually
async def test_a_retry_after_is_waited_out() -> None:
    desk = Desk(FakeEntra([TokenUnavailableError("429", retry_after_s=42)], takes_s=0))
    assert await desk.tokens.token() == "token-2"
    assert desk.entra.called_at_s == [0, 42]


@virtually
async def test_a_retry_after_beyond_all_patience_ends_the_wait_at_once() -> None:
    desk = Desk(FakeEntra([TokenUnavailableError("429", retry_after_s=61)], takes_s=0))
    with pytest.raises(TokenUnavailableError, match="429; given up after 0 s") as caught:
        await desk.tokens.token()
    assert caught.value.retry_after_s == 61


@virtually
async def test_a_refused_token_is_replaced_once_for_everybody() -> None:
    desk = Desk()
    refused = await desk.tokens.token()
    for _ in range(8):
        desk.tokens.reject(refused)
    assert not desk.tokens.ready()
    assert set(await asyncio.gather(*(desk.tokens.token() for _ in range(8)))) == {"token-2"}
    desk.tokens.reject(refused)  # a late 401
    assert await desk.tokens.token() == "token-2"
    assert desk.entra.calls == 2
    assert [fact["why"] for fact in desk.facts("token_refreshed")] == ["refused"]


@virtually
async def test_a_source_that_repeats_the_refused_token_is_at_its_end() -> None:
    desk = Desk(FakeEntra(["same", "same"]))
    desk.tokens.reject(await desk.tokens.token())
    with pytest.raises(AuthError, match="the service refused the token from a fake, and no other"):
        await desk.tokens.token()


@virtually
async def test_a_token_refused_during_its_renewal_is_not_handed_out() -> None:
    desk = Desk(FakeEntra(takes_s=2))
    old = await desk.tokens.token()
    await desk.until(3302)
    async with asyncio.TaskGroup() as callers:
        leader = callers.create_task(desk.tokens.token())
        await desk.until(3303)
        desk.tokens.reject(old)
        assert await desk.tokens.token() == "token-2"
    assert leader.result() == "token-2"
    assert desk.entra.calls == 2


@virtually
async def test_a_challenge_is_answered_once_and_forgotten() -> None:
    desk = Desk(FakeEntra(takes_s=0))
    desk.tokens.reject(await desk.tokens.token(), claims="prove it")
    assert await desk.tokens.token() == "token-2"
    await desk.until(3302)
    assert await desk.tokens.token() == "token-3"
    assert desk.entra.claimed == [None, "prove it", None]


@virtually
async def test_a_renewal_that_flies_when_a_challenge_comes_is_made_again_with_what_it_asks() -> None:
    desk = Desk(FakeEntra(takes_s=2))
    old = await desk.tokens.token()
    await desk.until(3302)
    async with asyncio.TaskGroup() as callers:
        leader = callers.create_task(desk.tokens.token())
        await desk.until(3303)
        desk.tokens.reject(old, claims="prove it")
        others = [callers.create_task(desk.tokens.token()) for _ in range(5)]
    assert {task.result() for task in (leader, *others)} == {"token-3"}
    assert desk.entra.claimed == [None, None, "prove it"]
    assert now_s() == 3306


@virtually
async def test_a_failed_renewal_that_a_challenge_has_overtaken_is_made_again() -> None:
    desk = Desk(FakeEntra(["good", TokenUnavailableError("503")], takes_s=2))
    old = await desk.tokens.token()
    await desk.until(3302)
    async with asyncio.TaskGroup() as callers:
        leader = callers.create_task(desk.tokens.token())
        await desk.until(3303)
        desk.tokens.reject(old, claims="prove it")
    assert leader.result() == "token-3"
    assert desk.entra.called_at_s == [0, 3302, 3304]


@virtually
async def test_a_renewal_that_brings_the_same_token_waits_for_a_newer_one_in_silence() -> None:
    desk = Desk(FakeEntra(["same", "same", "newer"], takes_s=0))
    await desk.tokens.token()
    await desk.until(3300)
    assert [await desk.tokens.token(), await desk.tokens.token()] == ["same", "same"]
    await desk.until(3306)
    assert await desk.tokens.token() == "newer"
    assert [notice.event for notice in desk.notices] == ["token_refreshed"]


@virtually
async def test_a_token_that_comes_expired_is_not_handed_out() -> None:
    desk = Desk(FakeEntra(lifetime_s=0, takes_s=0))
    with pytest.raises(TokenUnavailableError, match="the token from a fake expired at 2026-01-01T00:01:00Z"):
        await desk.tokens.token()


@virtually
async def test_a_hanging_sign_in_times_out_and_no_second_one_is_set_beside_it() -> None:
    desk = Desk(FakeEntra(takes_s=HANGS_S))
    with pytest.raises(TokenUnavailableError, match="no token within 30 s: the sign-in does not answer; given up"):
        await desk.tokens.token()
    assert desk.entra.calls == 1


@virtually
async def test_a_late_sign_in_still_counts() -> None:
    desk = Desk(FakeEntra(takes_s=40))
    assert await desk.tokens.token() == "token-1"
    assert now_s() == 40
    assert desk.entra.calls == 1


@virtually
async def test_a_failure_that_comes_too_late_is_old_news_and_asked_about_anew() -> None:
    desk = Desk(FakeEntra([TokenUnavailableError("503")], takes_s=32))
    acquisition = asyncio.ensure_future(desk.tokens.token())
    await desk.until(31)
    desk.entra.takes_s = 1
    assert await acquisition == "token-2"
    assert desk.entra.called_at_s == [0, 37]
    assert now_s() == 38
    assert len(desk.facts("token_renewal_failed")) == 1


@virtually
async def test_when_the_leader_is_cancelled_the_next_caller_takes_over_its_flight() -> None:
    desk = Desk(FakeEntra(takes_s=10))
    async with asyncio.TaskGroup() as callers:
        leader = callers.create_task(desk.tokens.token())
        others = [callers.create_task(desk.tokens.token()) for _ in range(5)]
        await desk.until(1)
        leader.cancel()
    assert leader.cancelled()
    assert {other.result() for other in others} == {"token-1"}
    assert now_s() == 10
    assert desk.entra.calls == 1


@virtually
async def test_a_bug_in_a_source_is_raised_as_it_is() -> None:
    desk = Desk(FakeEntra([ZeroDivisionError("a bug")]))
    with pytest.raises(ZeroDivisionError):
        await desk.tokens.token()


@pytest.mark.parametrize("failure", [None, AuthError("no"), SystemExit()])
async def test_the_thread_hands_over_the_token_or_the_failure(failure: BaseException | None) -> None:
    def acquire() -> Token:
        if failure is not None:
            raise failure
        return a_token(60)

    (outcome,) = await asyncio.gather(in_daemon_thread(acquire), return_exceptions=True)
    assert outcome == (failure or a_token(60))


async def test_a_failure_that_nobody_waits_for_is_no_complaint() -> None:
    def acquire() -> Token:
        raise AuthError("too late")

    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context["message"]))
    await asyncio.wait([in_daemon_thread(acquire)])
    gc.collect()
    assert complaints == []


def test_a_hanging_thread_holds_up_neither_the_loop_nor_the_exit() -> None:
    released, ended = threading.Event(), threading.Event()

    def acquire() -> Token:
        released.wait()
        ended.set()
        return a_token(60)

    async def leave() -> list[bool]:
        in_daemon_thread(acquire)
        return [thread.daemon for thread in threading.enumerate() if thread.name == "bulkpause-token"]

    daemons = asyncio.run(leave())
    ended_early = ended.is_set()
    released.set()
    assert ended.wait(5)
    assert not ended_early
    assert daemons == [True]


FAILURES = st.sampled_from(
    [None, None, None, TokenUnavailableError("503"), TokenUnavailableError("429", retry_after_s=7)]
)
STEPS = st.lists(st.tuples(st.sampled_from(["call", "reject", "reject_old", "cancel"]), st.floats(0, 40)), max_size=40)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, failures=st.lists(FAILURES, max_size=8), lifetime_s=st.floats(2, 120), takes_s=st.floats(0, 45))
def test_whatever_happens_one_acquisition_flies_and_every_token_handed_out_is_good(
    steps: list[tuple[str, float]], failures: list[Exception | None], lifetime_s: float, takes_s: float
) -> None:
    async def run() -> None:
        entra = FakeEntra([failure or f"scripted-{i}" for i, failure in enumerate(failures)], lifetime_s, takes_s)
        desk = Desk(entra)
        seen: list[str] = []
        rejected: set[str] = set()

        async def call() -> None:
            token = await desk.tokens.token()
            seen.append(token)
            assert token not in rejected
            assert VirtualClock().now() < entra.expires_at[token]

        callers: list[asyncio.Task[None]] = []
        for action, pause_s in steps:
            match action:
                case "call":
                    callers += [asyncio.ensure_future(call()) for _ in range(3)]
                case "cancel" if callers:
                    callers[0].cancel()
                case "reject" | "reject_old" if seen:
                    refused = seen[0 if action == "reject_old" else -1]
                    rejected.add(refused)
                    desk.tokens.reject(refused)
            await asyncio.sleep(pause_s)
        for ending in await asyncio.gather(*callers, return_exceptions=True):
            assert ending is None or isinstance(ending, TokenUnavailableError | asyncio.CancelledError)
        assert entra.most_flying <= 1
        for failed_s in entra.failed_at_s:
            assert not any(failed_s < called_s < failed_s + 4.99 for called_s in entra.called_at_s)

    run_virtually(run())
