"""The retry rules: what is tried again, how long it waits, when it ends, and what a Retry-After means."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from bulkpause.models import Attempt, Reply, Status, Verdict
from bulkpause.retry import Retry, RetryPolicy, Stop, backoff_s, decide, ended, retry_after_s

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
POLICY = RetryPolicy(max_tries=6, deadline_s=900, backoff_base_s=0.5, backoff_cap_s=60)
HEALING = [Verdict.THROTTLED, Verdict.FAULT, Verdict.UNREADABLE, Verdict.UNANSWERED]
DOUBTFUL = [Verdict.UNREADABLE, Verdict.UNANSWERED]


class Highest(random.Random):
    """Draws the upper end of every range, so that a delay can be told exactly."""

    def uniform(self, a: float, b: float) -> float:
        """`b`."""
        return b


def attempt(verdict: Verdict, *, sent: int = 1, asked_s: float | None = None) -> Attempt:
    return Attempt(1, "r", "c", sent=sent, elapsed_ms=1.0, reply=Reply(verdict, retry_after_s=asked_s))


def story(words: str) -> list[Attempt]:
    """`fault unanswered/0` is an attempt that met a fault, and one that never left."""
    pairs = [word.partition("/") for word in words.split()]
    return [attempt(Verdict(verdict), sent=int(sent or 1)) for verdict, _, sent in pairs]


def decided(attempts: Sequence[Attempt], *, elapsed_s: float = 0.0, policy: RetryPolicy = POLICY) -> Retry | Stop:
    return decide(policy, attempts, elapsed_s=elapsed_s, rng=Highest())


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("confirmed", Status.SUCCEEDED),
        ("unanswered confirmed", Status.SUCCEEDED),
        ("not_found", Status.NOT_FOUND),
        ("forbidden", Status.DENIED),
        ("contradicted", Status.UNKNOWN),
        ("fault contradicted", Status.UNKNOWN),
        ("rejected", Status.REJECTED),
        ("fault throttled rejected", Status.REJECTED),
        ("unauthorised unauthorised", Status.DENIED),
        ("unauthorised fault unauthorised", Status.DENIED),
    ],
)
def test_what_cannot_heal_ends_at_once(words: str, status: Status) -> None:
    assert decided(story(words)) == Stop(status)


@pytest.mark.parametrize("silence", ["unanswered", "unreadable", "unanswered fault", "unanswered/2 throttled"])
def test_a_refusal_after_an_attempt_that_may_have_acted_is_unknown(silence: str) -> None:
    assert decided(story(f"{silence} rejected")) == Stop(Status.UNKNOWN)


def test_a_refusal_after_attempts_that_never_left_is_rejected() -> None:
    assert decided(story("unanswered/0 unanswered/0 rejected")) == Stop(Status.REJECTED)


def test_a_refusal_for_haste_is_no_try_of_the_report() -> None:
    refused = [attempt(Verdict.THROTTLED)] * 50
    assert isinstance(decided(refused), Retry)
    assert isinstance(decided([*refused, *[attempt(Verdict.FAULT)] * 5]), Retry)
    assert isinstance(decided([*refused, *[attempt(Verdict.FAULT)] * 6]), Stop)
    assert decided(refused, elapsed_s=900) == Stop(Status.EXHAUSTED)


@pytest.mark.parametrize("verdict", [verdict for verdict in HEALING if verdict is not Verdict.THROTTLED])
def test_what_can_heal_is_tried_again_up_to_max_tries(verdict: Verdict) -> None:
    results = [decided([attempt(verdict)] * tries) for tries in range(1, 8)]
    assert [type(result) for result in results] == [Retry] * 5 + [Stop] * 2
    assert results[5] == Stop(Status.UNKNOWN if verdict in DOUBTFUL else Status.EXHAUSTED)


@pytest.mark.parametrize("verdict", Verdict)
def test_one_try_means_one_try_for_every_verdict(verdict: Verdict) -> None:
    assert isinstance(decided([attempt(verdict)], policy=RetryPolicy(max_tries=1)), Stop)


def test_a_refused_token_is_followed_by_the_fresh_one_without_delay_and_once() -> None:
    assert decided(story("unauthorised")) == Retry(0.0)
    assert decided(story("fault unauthorised")) == Retry(0.0)
    assert decided(story("unauthorised unauthorised")) == Stop(Status.DENIED)


def test_the_backoff_ceiling_doubles_from_the_base_to_the_cap() -> None:
    ceilings = [backoff_s(POLICY, retry, Highest()) for retry in [1, 2, 3, 7, 8, 9, 5000]]
    assert ceilings == [0.5, 1, 2, 32, 60, 60, 60]


def test_full_jitter_is_uniform_from_zero_to_the_ceiling() -> None:
    rng = random.Random(7)  # noqa: S311 - jitter, not a secret
    draws = [backoff_s(POLICY, 3, rng) for _ in range(8000)]
    assert all(0 <= draw <= 2 for draw in draws)
    eighths = [sum(part / 4 <= draw < (part + 1) / 4 for draw in draws) for part in range(8)]
    assert all(900 < count < 1100 for count in eighths)


@pytest.mark.parametrize(
    ("words", "asked_s", "delay_s"),
    [
        ("", 57.0, 57.0),
        ("", 0.0, 0.5),
        ("", 0.2, 0.5),
        ("fault fault", 57.0, 57.0),
        ("throttled", 57.0, 58.0),
        ("throttled throttled throttled", 57.0, 61.0),
        ("throttled fault", 0.0, 2.0),
    ],
)
def test_a_retry_after_is_the_least_wait_and_backoff_comes_on_top_when_throttled_again(
    words: str, asked_s: float, delay_s: float
) -> None:
    assert decided([*story(words), attempt(Verdict.THROTTLED, asked_s=asked_s)]) == Retry(delay_s)


@pytest.mark.parametrize(
    ("elapsed_s", "asked_s", "expected"),
    [
        (0.0, 900.0, Retry(900.0)),
        (0.0, 900.1, Stop(Status.EXHAUSTED)),
        (899.5, None, Retry(0.5)),
        (899.6, None, Stop(Status.EXHAUSTED)),
        (1e9, None, Stop(Status.EXHAUSTED)),
    ],
)
def test_no_retry_would_start_after_the_deadline(
    elapsed_s: float, asked_s: float | None, expected: Retry | Stop
) -> None:
    assert decided([attempt(Verdict.FAULT, asked_s=asked_s)], elapsed_s=elapsed_s) == expected


def test_a_token_refused_after_the_deadline_is_not_tried_again() -> None:
    assert decided(story("unauthorised"), elapsed_s=901) == Stop(Status.EXHAUSTED)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("", Status.SKIPPED),
        ("unanswered/0", Status.SKIPPED),
        ("unanswered/0 unanswered/0", Status.SKIPPED),
        ("unanswered", Status.UNKNOWN),
        ("fault unanswered", Status.UNKNOWN),
        ("unreadable", Status.UNKNOWN),
        ("unanswered unanswered/0", Status.UNKNOWN),
        ("fault", Status.EXHAUSTED),
        ("unanswered fault", Status.UNKNOWN),
        ("fault unanswered/0", Status.EXHAUSTED),
        ("throttled", Status.EXHAUSTED),
        ("unauthorised", Status.EXHAUSTED),
    ],
)
def test_an_unfinished_report_ends_unknown_if_any_attempt_that_left_may_have_acted(words: str, status: Status) -> None:
    assert ended(story(words)) is status


ATTEMPTS = st.lists(
    st.builds(
        attempt,
        st.sampled_from(Verdict),
        sent=st.integers(0, 2),
        asked_s=st.none() | st.floats(0, 1e9),
    ),
    min_size=1,
    max_size=12,
)


@settings(deadline=None)
@given(
    attempts=ATTEMPTS,
    elapsed_s=st.floats(0, 2000),
    policy=st.builds(
        RetryPolicy,
        max_tries=st.integers(1, 10),
        deadline_s=st.floats(0, 1000),
        backoff_base_s=st.floats(0, 100),
        backoff_cap_s=st.floats(0, 100),
    ),
    seed=st.integers(),
)
def test_whatever_came_before_a_retry_keeps_every_limit_and_a_stop_tells_no_lie(
    attempts: list[Attempt], elapsed_s: float, policy: RetryPolicy, seed: int
) -> None:
    last = attempts[-1].reply
    match decide(policy, attempts, elapsed_s=elapsed_s, rng=random.Random(seed)):  # noqa: S311 - jitter
        case Retry(delay_s):
            assert last.verdict in {*HEALING, Verdict.UNAUTHORISED}
            refused = sum(one.reply.verdict is Verdict.THROTTLED for one in attempts)
            assert len(attempts) - refused < policy.max_tries
            assert policy.max_tries > 1
            assert elapsed_s + delay_s <= policy.deadline_s
            if last.verdict is not Verdict.UNAUTHORISED:
                asked_s = last.retry_after_s or 0.0
                assert asked_s <= delay_s <= asked_s + policy.backoff_cap_s
        case Stop(status):
            assert (status is Status.SUCCEEDED) == (last.verdict is Verdict.CONFIRMED)
            assert status not in {Status.UNCHANGED, Status.INVALID}
            if last.verdict in DOUBTFUL and attempts[-1].sent:
                assert status is Status.UNKNOWN


def asked(**headers: str) -> float | None:
    pairs = {name.replace("_", "-"): value for name, value in headers.items()}
    return retry_after_s(CIMultiDict(pairs), now=NOW)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("57", 57.0),
        ("0", 0.0),
        (" 3 ", 3.0),
        ("1.5", 1.5),
        ("0.25", 0.25),
        ("007", 7.0),
        ("999999999999", 999999999999.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sunday, 01-Mar-26 12:00:30 GMT", 30.0),
        ("Sun Mar  1 12:00:30 2026", 30.0),
        ("Sun, 01 Mar 2026 13:00:30 +0100", 30.0),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30.0),
        ("Sun, 01 Mar 2026 11:59:00 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_a_retry_after_is_understood(text: str, seconds: float) -> None:
    assert asked(Retry_After=text) == seconds
    assert asked(retry_after=text) == seconds
    assert asked(RETRY_AFTER=text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *["", " ", "soon", "-1", "+1", "1,5", "5s", "1e3", "1_000", "0x10", "٣", "120, 60", ".", "1."],
        *["nan", "NaN", "inf", "-inf", "Infinity", "9" * 400],
        *["Sun, 99 Mar 2026 12:00:30 GMT", "Sun, 01 Mar 99999 12:00:30 GMT", "Sun, 01 Mar 2026 12:00:60 GMT"],
        *["Sun, 01 Mar 2026 12:00:30 +9999", f"Sun, 01 Mar 2026 12:00:30 +{'9' * 14}"],
    ],
)
def test_a_nonsensical_retry_after_is_ignored(text: str) -> None:
    assert asked(Retry_After=text) is None
    assert asked(retry_after_ms=text) is None
    assert asked(Retry_After="7", x_ms_retry_after_ms=text) == 7.0


@pytest.mark.parametrize("name", ["retry_after_ms", "x_ms_retry_after_ms", "Retry_After_Ms", "X_MS_RETRY_AFTER_MS"])
def test_milliseconds_are_more_exact_than_seconds_and_win(name: str) -> None:
    assert asked(**{name: "1500", "Retry_After": "2"}) == 1.5
    assert asked(**{name: "0"}) == 0.0
    assert asked(**{name: "12.5"}) == 0.0125


def test_no_header_asks_for_nothing() -> None:
    assert retry_after_s(CIMultiDict(), now=NOW) is None


def test_a_date_is_read_against_the_servers_own_clock() -> None:
    until, server = "Sun, 01 Mar 2026 15:00:10 GMT", "Sun, 01 Mar 2026 15:00:00 GMT"
    assert asked(Retry_After=until, Date=server) == 10.0
    assert asked(Retry_After=until, Date="yesterday") == 3 * 3600 + 10.0


@settings(deadline=None)
@given(
    text=st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} Mar \d{1,6} \d\d:\d\d:\d\d [+-]?\d{1,20}"), date=st.text()
)
def test_no_text_makes_the_header_rules_raise_or_ask_for_a_senseless_wait(text: str, date: str) -> None:
    seconds = asked(Retry_After=text, Date=date)
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)


@settings(deadline=None)
@given(wait=st.integers(0, 10**9), skew=st.integers(-(10**8), 10**8))
def test_seconds_and_date_of_the_same_wait_agree_whatever_this_sides_clock_says(wait: int, skew: int) -> None:
    server = NOW + timedelta(seconds=skew)
    until = format_datetime(server + timedelta(seconds=wait), usegmt=True)
    assert asked(Retry_After=until, Date=format_datetime(server, usegmt=True)) == asked(Retry_After=str(wait)) == wait
