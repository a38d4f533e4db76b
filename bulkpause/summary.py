"""What a run comes to: counts by StatusCode and by status, failures by reason, latencies. Constant size, mergeable."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from bulkpause.models import Attempt, Outcome, Status

NAMED: Final = 5
"""Examples kept per failure reason; the ledger has them all."""

REASON_LIMIT: Final = 50
"""Distinct reasons kept; a server that words every failure anew must not fill the memory."""

NO_STATUS_CODE: Final = "none"

TOO_MANY_REQUESTS: Final = 429

_VARYING = re.compile(r"[0-9a-fA-F-]{16,}|\d+")  # ids, with dashes or without, and numbers
_STEP: Final = math.log(1.02)  # latency buckets grow by 2 %, so a percentile is within 1 % of the truth


@dataclass(slots=True)
class Failure:
    """Outcomes that ended alike: how many, in what words, and the first few of them."""

    status: Status
    status_code: int | None
    reason: str
    count: int = 0
    examples: list[str] = field(default_factory=list)
    """Report ids; for invalid rows, which have none, `line 7: what stands there`."""

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "status": self.status.value,
            "status_code": self.status_code,
            "reason": self.reason,
            "count": self.count,
            "examples": self.examples,
        }


class Latencies:
    """A histogram of milliseconds in buckets of 2 %."""

    __slots__ = ("_buckets", "max_ms")

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.max_ms = 0.0

    def add(self, elapsed_ms: float) -> None:
        """Count one exchange."""
        self._buckets[round(math.log(elapsed_ms) / _STEP) if elapsed_ms > 0 else -1000] += 1
        self.max_ms = max(self.max_ms, elapsed_ms)

    def merge(self, other: Latencies) -> None:
        """Count what `other` counted as well."""
        self._buckets.update(other._buckets)
        self.max_ms = max(self.max_ms, other.max_ms)

    def percentile_ms(self, percent: float) -> float | None:
        """The latency that `percent` of the exchanges did not exceed; None before the first."""
        rank = math.ceil(self._buckets.total() * percent / 100)
        for bucket in sorted(self._buckets):
            rank -= self._buckets[bucket]
            if rank <= 0:
                return min(self.max_ms, math.exp(bucket * _STEP))
        return None

    def to_dict(self) -> dict[str, float | None]:
        """JSON form, in milliseconds to a tenth."""
        marks = {"p50": 50.0, "p90": 90.0, "p99": 99.0}
        found = {name: self.percentile_ms(percent) for name, percent in marks.items()}
        return {
            name: None if ms is None else round(ms, 1) for name, ms in {**found, "max": self.max_ms or None}.items()
        }


@dataclass(slots=True)
class RunSummary:
    """The running totals of one run. One owner adds; `merge` joins the totals of several."""

    by_status_and_code: Counter[tuple[Status, str]] = field(default_factory=Counter)
    duplicates: int = 0
    attempts: int = 0
    """Exchanges that were tried, whether or not they reached the wire."""
    sent: int = 0
    """Requests that left for the wire."""
    retries: int = 0
    throttled: int = 0
    holds: int = 0
    token_refreshes: int = 0
    latencies: Latencies = field(default_factory=Latencies)
    failures: dict[tuple[Status, int | None, str], Failure] = field(default_factory=dict)

    @property
    def by_status(self) -> Counter[Status]:
        """Outcomes counted by status."""
        counts: Counter[Status] = Counter()
        for (status, _), count in self.by_status_and_code.items():
            counts[status] += count
        return counts

    @property
    def by_status_code(self) -> Counter[str]:
        """Outcomes counted by StatusCode as text, NO_STATUS_CODE where no answer had one."""
        counts: Counter[str] = Counter()
        for (_, code), count in self.by_status_and_code.items():
            counts[code] += count
        return counts

    @property
    def done(self) -> int:
        """Rows that have their outcome; duplicates have none."""
        return self.by_status_and_code.total()

    @property
    def failed(self) -> int:
        """Rows that did not end in the wanted state."""
        return sum(count for status, count in self.by_status.items() if not status.is_good)

    @property
    def is_good(self) -> bool:
        """Whether every row ended in the wanted state."""
        return not self.failed

    def add(self, outcome: Outcome) -> None:
        """Count the end of one row."""
        code = NO_STATUS_CODE if outcome.status_code is None else str(outcome.status_code)
        self.by_status_and_code[outcome.status, code] += 1
        if outcome.tries:
            self.attempts += outcome.tries
            self.sent += outcome.sent
            self.retries += outcome.tries - 1
        if outcome.attempt_ms is not None:
            self.throttled += outcome.status_code == TOO_MANY_REQUESTS
            self.latencies.add(outcome.attempt_ms)
        if not outcome.status.is_good:
            self._add_failure(outcome)

    def add_retried(self, attempt: Attempt) -> None:
        """Count the reply of an attempt that another one follows; the last one's is in the outcome."""
        self.throttled += attempt.reply.status_code == TOO_MANY_REQUESTS
        self.latencies.add(attempt.elapsed_ms)

    def add_event(self, event: str) -> None:
        """Count a notable decision by the name of its ledger event."""
        self.holds += event == "hold"
        self.token_refreshes += event == "token_refreshed"

    def merge(self, other: RunSummary) -> None:
        """Count what `other` counted as well."""
        self.by_status_and_code.update(other.by_status_and_code)
        for name in ("duplicates", "attempts", "sent", "retries", "throttled", "holds", "token_refreshes"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.latencies.merge(other.latencies)
        for failure in other.failures.values():
            mine = self._failure(failure.status, failure.status_code, failure.reason)
            mine.count += failure.count
            mine.examples = (mine.examples + failure.examples)[:NAMED]

    def to_dict(self) -> dict[str, Any]:
        """JSON form: what `summary.json` says of the counts. Keys of status codes are text, `none` for no answer."""
        statuses = self.by_status
        failures = sorted(self.failures.values(), key=lambda failure: -failure.count)
        return {
            "read": self.done + self.duplicates,
            "duplicates": self.duplicates,
            "by_status_code": dict(sorted(self.by_status_code.items())),
            "by_status": {status.value: statuses[status] for status in Status if statuses[status]},
            "attempts": self.attempts,
            "sent": self.sent,
            "retries": self.retries,
            "throttled": self.throttled,
            "holds": self.holds,
            "token_refreshes": self.token_refreshes,
            "latency_ms": self.latencies.to_dict(),
            "failures": [failure.to_dict() for failure in failures],
        }

    def _add_failure(self, outcome: Outcome) -> None:
        reason, example = outcome.message or outcome.error or "", str(outcome.report_id)
        if outcome.status is Status.INVALID:
            reason, _, text = reason.partition(": ")
            example = f"line {outcome.row}: {text}"
        failure = self._failure(outcome.status, outcome.status_code, reason)
        failure.count += 1
        if len(failure.examples) < NAMED:
            failure.examples.append(example)

    def _failure(self, status: Status, status_code: int | None, reason: str) -> Failure:
        """The group of failures that differ only in ids and numbers; its reason is the first one's words."""
        key = (status, status_code, _VARYING.sub("#", reason))
        if len(self.failures) >= REASON_LIMIT and key not in self.failures:
            status_code, reason = None, "other reasons; see the audit log"
            key = (status, status_code, reason)
        return self.failures.setdefault(key, Failure(status, status_code, reason))
