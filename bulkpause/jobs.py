"""One id in a worker's hands: what it has been through, and the one outcome that comes of it. Pure."""

from __future__ import annotations

import random

from bulkpause.models import Attempt, Entry, Outcome, Reject, Reply, Status, Verdict, Wire
from bulkpause.retry import ended


class Job:
    """One id in a worker's hands."""

    __slots__ = ("attempts", "correlation_id", "entry", "flying", "request_id", "started_s")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.attempts: list[Attempt] = []
        self.flying: Wire | None = None
        """The attempt that may be on the wire now."""
        self.started_s = 0.0
        self.request_id: str | None = None
        self.correlation_id: str | None = None

    def outcome(self, status: Status | None, *, now_s: float) -> Outcome:
        """How the id ended: by the rules (`status`), or by a stop or crash (None)."""
        sent = sum(attempt.sent for attempt in self.attempts)
        tries = len(self.attempts)
        if self.flying is not None:
            sent += self.flying.sent
            tries += 1
            status = Status.UNKNOWN if self.flying.sent else ended(self.attempts)
        last = self.attempts[-1] if self.attempts else None
        reply = last.reply if last is not None and self.flying is None else Reply(Verdict.UNANSWERED)
        return Outcome(
            ended(self.attempts) if status is None else status,
            row=self.entry.row,
            report_id=self.entry.report_id,
            status_code=reply.status_code,
            http_status=reply.http_status,
            report_status=reply.report_status,
            message=reply.message,
            error="abandoned in flight" if self.flying is not None else reply.error,
            tries=tries,
            sent=sent,
            elapsed_ms=(now_s - self.started_s) * 1000 if tries else 0.0,
            attempt_ms=0.0 if last is None else last.elapsed_ms,
            request_id=self.request_id,
            correlation_id=self.correlation_id,
        )


def skipped(entry: Entry) -> Outcome:
    """The outcome of an accepted id that never had its turn."""
    return Outcome(Status.SKIPPED, row=entry.row, report_id=entry.report_id)


def invalid(reject: Reject) -> Outcome:
    """The outcome of a row that holds no report id."""
    return Outcome(Status.INVALID, row=reject.row, message=f"{reject.reason}: {reject.text}")


def guid(rng: random.Random) -> str:
    """A random UUID (RFC 9562, version 4) in a third of uuid4's time, reproducible under a seed."""
    digits = f"{rng.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
