"""What to do after an attempt: pure rules over a report's attempts so far, no clock and no randomness of their own."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple, assert_never

from bulkpause.models import Attempt, Status, Verdict

_DECIMAL: Final = re.compile(r"\s*\d+(?:\.\d+)?\s*", re.ASCII)  # float() would also take nan, 1_0 and 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How patiently one report id is retried."""

    max_tries: int = 6
    """Without those that were refused for haste, which end with the deadline; but 1 is one in any case."""
    deadline_s: float = 900.0
    """No retry starts later than this after the first attempt began."""
    backoff_base_s: float = 0.5
    backoff_cap_s: float = 60.0


class Retry(NamedTuple):
    """Try again, not sooner than `delay_s` seconds from now."""

    delay_s: float


class Stop(NamedTuple):
    """This report id has ended."""

    status: Status


def decide(policy: RetryPolicy, attempts: Sequence[Attempt], *, elapsed_s: float, rng: random.Random) -> Retry | Stop:
    """Whether the report whose `attempts` (at least one) took `elapsed_s` so far is tried again.

    Only what can heal is retried: no answer, 408, 429, 500, 502, 503, 504, an unreadable 200, and a 401 once, with
    the fresh token that the refusal brings.
    """
    reply = attempts[-1].reply
    match reply.verdict:
        case Verdict.CONFIRMED:
            return Stop(Status.SUCCEEDED)
        case Verdict.NOT_FOUND:
            return Stop(Status.NOT_FOUND)
        case Verdict.FORBIDDEN:
            return Stop(Status.DENIED)
        case Verdict.CONTRADICTED:
            return Stop(Status.UNKNOWN)
        case Verdict.REJECTED:
            # After an attempt that may have acted, a refusal may only mean "it is paused already" (api.md section 4).
            return Stop(Status.UNKNOWN if any(map(_may_have_acted, attempts)) else Status.REJECTED)
        case Verdict.UNAUTHORISED if _count(attempts, Verdict.UNAUTHORISED) > 1:
            return Stop(Status.DENIED)
        case Verdict.UNAUTHORISED:
            return _retry_within(policy, attempts, elapsed_s=elapsed_s, delay_s=0.0)
        case Verdict.THROTTLED | Verdict.FAULT | Verdict.UNREADABLE | Verdict.UNANSWERED:
            return _retry_within(policy, attempts, elapsed_s=elapsed_s, delay_s=_delay_s(policy, attempts, rng))
        case _:
            assert_never(reply.verdict)


def _retry_within(
    policy: RetryPolicy, attempts: Sequence[Attempt], *, elapsed_s: float, delay_s: float
) -> Retry | Stop:
    # A 429 says nothing of the report; but one try is one try.
    tries = len(attempts) - (_count(attempts, Verdict.THROTTLED) if policy.max_tries > 1 else 0)
    if tries >= policy.max_tries or elapsed_s + delay_s > policy.deadline_s:
        return Stop(ended(attempts))
    return Retry(delay_s)


def ended(attempts: Sequence[Attempt]) -> Status:
    """The status of a report that gets no further attempt although it might have healed.

    One lost reply is enough for doubt, even if a later attempt was answered: the report may have changed.
    """
    if not any(attempt.sent for attempt in attempts):
        return Status.SKIPPED
    return Status.UNKNOWN if any(map(_may_have_acted, attempts)) else Status.EXHAUSTED


def backoff_s(policy: RetryPolicy, retry: int, rng: random.Random) -> float:
    """Full jitter: uniform between 0 and the capped exponential of the `retry`-th retry, counted from 1.

    https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter
    """
    # 2.0 ** 1024 overflows; any cap is reached long before.
    ceiling_s = min(policy.backoff_cap_s, policy.backoff_base_s * 2.0 ** min(retry - 1, 60))
    return rng.uniform(0.0, ceiling_s)


def retry_after_s(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """The wait a reply asks for, in seconds; None if it asks for none or speaks nonsense.

    `headers` looks names up without case. Understands `retry-after-ms` and `x-ms-retry-after-ms` (azure-core), and
    Retry-After as seconds, decimals or an HTTP date (RFC 9110 section 10.2.3). A date is read against the reply's own
    Date header where there is one, so that a wrong clock on this side does not matter, else against `now`.
    """
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        milliseconds = _seconds(headers.get(name))
        if milliseconds is not None:
            return milliseconds / 1000
    text = headers.get("Retry-After")
    seconds = _seconds(text)
    if seconds is not None:
        return seconds
    until = parse_http_date(text)
    if until is None:
        return None
    return max(0.0, (until - (parse_http_date(headers.get("Date")) or now)).total_seconds())


def _delay_s(policy: RetryPolicy, attempts: Sequence[Attempt], rng: random.Random) -> float:
    jitter_s = backoff_s(policy, len(attempts), rng)
    asked_s = attempts[-1].reply.retry_after_s
    if asked_s is None:
        return jitter_s
    # Refused again: exponential backoff on top of Retry-After (Partner Center's API throttling guidance). A service
    # that asks for no wait at all gets the usual one.
    return asked_s + jitter_s if _count(attempts, Verdict.THROTTLED) > 1 else max(asked_s, jitter_s)


def _may_have_acted(attempt: Attempt) -> bool:
    return attempt.sent > 0 and attempt.reply.verdict in (Verdict.UNANSWERED, Verdict.UNREADABLE)


def _count(attempts: Sequence[Attempt], verdict: Verdict) -> int:
    return sum(attempt.reply.verdict is verdict for attempt in attempts)


def _seconds(text: str | None) -> float | None:
    if text is None or not _DECIMAL.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def parse_http_date(text: str | None) -> datetime | None:
    """The moment that a header names; None for what is no date."""
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
