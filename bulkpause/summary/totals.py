"""What a run comes to: counts by StatusCode and by status, failures by reason, latencies. A row costs eight bytes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bulkpause.models import UNLISTED, Attempt, Outcome, Status
from bulkpause.summary.ends import End, Ends, FailureKey
from bulkpause.summary.latencies import Latencies
from bulkpause.summary.windows import Certificate

NAMED: Final = 5
"""Examples kept per failure reason; the ledger has them all."""

REASON_LIMIT: Final = 50
"""Distinct reasons kept; a server that words every failure anew must not fill the memory."""

NO_STATUS_CODE: Final = "none"

TOO_MANY_REQUESTS: Final = 429

_VARYING = re.compile(r"[0-9a-fA-F-]{16,}|\d+")  # ids, with dashes or without, and numbers


def without_varying(reason: str) -> str:
    """The words of a reason without ids and numbers: reasons alike in these are one."""
    return _VARYING.sub("#", reason)


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


@dataclass(slots=True)
class Group:
    """Reports that have something in common: how many, and the first few by id, with a word each."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str) -> None:
        """Count one more."""
        self.count += 1
        if len(self.examples) < NAMED:
            self.examples.append(example)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {"count": self.count, "examples": self.examples}


@dataclass(slots=True)
class RunSummary:
    """The running totals of one run: what left for the wire adds up, and of every row the latest end counts."""

    duplicates: int = 0
    attempts: int = 0
    """Exchanges that were tried, whether or not they reached the wire."""
    sent: int = 0
    """Requests that left for the wire."""
    retries: int = 0
    throttled: int = 0
    holds: int = 0
    outages: int = 0
    """How often nothing succeeded any more."""
    limit_found_per_s: float | None = None
    """What the service was found to allow, at last and for certain; None if no limit was met twice."""
    token_refreshes: int = 0
    listed: int | None = None
    """Reports in the snapshot of the tenant that the run began with; None if it has none."""
    verified: dict[str, Any] | None = None
    """What the latest verification counted."""
    findings: dict[str, Group] = field(default_factory=dict)
    """What it found to be otherwise than claimed, by kind."""
    left_alone: dict[str, Group] = field(default_factory=dict)
    """Reports that an undo did not touch, by reason."""
    latencies: Latencies = field(default_factory=Latencies)
    certificate: Certificate = field(default_factory=Certificate)
    failures: dict[FailureKey, Failure] = field(default_factory=dict)
    ends: Ends = field(default_factory=Ends)

    @property
    def by_status_and_code(self) -> Counter[tuple[Status, str]]:
        """Outcomes counted by status and StatusCode, the latter as text, NO_STATUS_CODE where no answer had one."""
        counts: Counter[tuple[Status, str]] = Counter()
        for end, count in self.ends:
            counts[end.status, NO_STATUS_CODE if end.status_code is None else str(end.status_code)] += count
        return counts

    @property
    def by_status(self) -> Counter[Status]:
        """Outcomes counted by status."""
        counts: Counter[Status] = Counter()
        for end, count in self.ends:
            counts[end.status] += count
        return counts

    @property
    def by_status_code(self) -> Counter[str]:
        """Outcomes counted by StatusCode as text."""
        counts: Counter[str] = Counter()
        for (_, code), count in self.by_status_and_code.items():
            counts[code] += count
        return counts

    @property
    def unlisted(self) -> int:
        """Reports that were sent a request although the tenant's list did not have them."""
        return sum(count for end, count in self.ends if end.was_unlisted)

    @property
    def interrupted(self) -> int:
        """Reports that a stop or a crash ended before the rules did."""
        return sum(count for end, count in self.ends if end.interrupted)

    @property
    def done(self) -> int:
        """Rows that have their outcome; duplicates have none."""
        return sum(count for _, count in self.ends)

    @property
    def failed(self) -> int:
        """Rows that did not end in the wanted state."""
        return sum(count for status, count in self.by_status.items() if not status.is_good)

    @property
    def is_good(self) -> bool:
        """Whether every row ended in the wanted state."""
        return not self.failed

    def add(self, outcome: Outcome, *, seq: int = 0) -> None:
        """Count the end of one row, in place of its earlier end if it had one; `seq` is that of its ledger line."""
        if outcome.tries:
            self.attempts += outcome.tries
            self.sent += outcome.sent
            self.retries += outcome.tries - 1
        if outcome.attempt_ms is not None:
            self.throttled += outcome.status_code == TOO_MANY_REQUESTS
            self.latencies.add(outcome.attempt_ms)
        self.resolve(outcome, seq=seq)

    def resolve(self, outcome: Outcome, *, seq: int = 0) -> None:
        """Count how a row turned out in place of its earlier end; nothing was sent for that."""
        earlier = self.ends.get(outcome.row)
        if earlier is not None and earlier.failure is not None:
            self._take_back(earlier.failure, earlier.example)
        status, was_unlisted = outcome.status, outcome.before == UNLISTED and outcome.tries > 0
        failure, example = (None, None) if status.is_good else self._add_failure(outcome)
        end = End(status, outcome.status_code, failure, example, outcome.interrupted, was_unlisted)
        self.ends.put(outcome.row, end, seq=seq)

    def add_retried(self, attempt: Attempt) -> None:
        """Count the reply of an attempt that another one follows; the last one's is in the outcome."""
        self.throttled += attempt.reply.status_code == TOO_MANY_REQUESTS
        self.latencies.add(attempt.elapsed_ms)

    def add_event(self, event: str, fields: Mapping[str, Any]) -> None:
        """Count a notable decision by the name and the fields of its ledger line."""
        self.certificate.add_event(event, fields)
        match event:
            case "hold":
                self.holds += 1
            case "rate_changed":
                self.limit_found_per_s = fields["limit_per_s"] if fields["confirmed"] else self.limit_found_per_s
            case "breaker_opened":
                self.outages += 1
            case "token_refreshed":
                self.token_refreshes += 1
            case "snapshot_taken":
                self.listed = int(fields["reports"])
            case "verification_started" | "run_continued":
                self.findings.clear()
                self.verified = None
            case "finding":
                example = f"{fields['report_id']} is {fields['report_status'] or 'not listed'}"
                self.findings.setdefault(fields["finding"], Group()).add(example)
            case "verified":
                self.verified = dict(fields["counts"])
            case "left_alone":
                self.left_alone.setdefault(fields["why"], Group()).add(f"{fields['report_id']}: {fields['said']}")
            case _:
                pass

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
            "outages": self.outages,
            "limit_found_per_s": self.limit_found_per_s,
            "token_refreshes": self.token_refreshes,
            "unlisted": self.unlisted,
            "interrupted": self.interrupted,
            "listed": self.listed,
            "verified": self.verified,
            "findings": {kind: group.to_dict() for kind, group in self.findings.items()},
            "left_alone": {why: group.to_dict() for why, group in self.left_alone.items()},
            "latency_ms": self.latencies.to_dict(),
            "rate_windows": self.certificate.to_dict(),
            "failures": [failure.to_dict() for failure in failures],
        }

    def _take_back(self, key: FailureKey, example: str | None) -> None:
        failure = self.failures[key]
        failure.count -= 1
        if example is not None:
            failure.examples.remove(example)
        if not failure.count:
            del self.failures[key]

    def _add_failure(self, outcome: Outcome) -> tuple[FailureKey, str | None]:
        """The key of the group it was counted in, and its text there if it is one of the examples."""
        reason, example = outcome.message or outcome.error or "", str(outcome.report_id)
        if outcome.status is Status.INVALID:
            reason, _, text = reason.partition(": ")
            example = f"line {outcome.row}: {text}"
        key, failure = self._failure(outcome.status, outcome.status_code, reason)
        failure.count += 1
        if len(failure.examples) >= NAMED:
            return key, None
        failure.examples.append(example)
        return key, example

    def _failure(self, status: Status, status_code: int | None, reason: str) -> tuple[FailureKey, Failure]:
        """The group of failures that differ only in ids and numbers; its reason is the first one's words."""
        key = (status, status_code, without_varying(reason))
        if len(self.failures) >= REASON_LIMIT and key not in self.failures:
            status_code, reason = None, "other reasons; see the audit log"
            key = (status, status_code, reason)
        return key, self.failures.setdefault(key, Failure(status, status_code, reason))
