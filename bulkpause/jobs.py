"""One id in a worker's hands: what it has been through, and the one outcome that comes of it. Pure."""

from __future__ import annotations

import random
from typing import Final

from bulkpause.models import Attempt, Entry, Outcome, Reject, Reply, Status, Verdict, Wire
from bulkpause.retry import ended

ABANDONED: Final = Reply(Verdict.UNANSWERED, error="abandoned in flight")
"""What stands for the reply to an attempt that left and was not waited for."""


_GUID_FIXED: Final = 0x4000_8000 << 48
_GUID_FREE: Final = ~(0xF000_C000 << 48)
"""Version and variant of a random UUID, and the bits around them."""


class Job:
    """One id in a worker's hands."""

    __slots__ = ("attempts", "before", "elapsed_ms", "entry", "flying", "retried", "started_s", "status")

    def __init__(self, entry: Entry, *, before: str | None = None) -> None:
        self.entry = entry
        self.before = before
        """Its report_status before the run, if that is known."""
        self.attempts: list[Attempt] = []
        """Those that were answered, failed or left; one given up before it left is none."""
        self.retried = 0
        """How many of the attempts were recorded as retried."""
        self.status: Status | None = None
        """How the rules ended the id; None while they have not."""
        self.flying: Wire | None = None
        """The attempt that may be on the wire now."""
        self.started_s = 0.0
        self.elapsed_ms = 0.0

    @property
    def has_left(self) -> bool:
        """Whether something of this id is on the wire now."""
        return self.flying is not None and self.flying.sent > 0

    def outcome(self) -> Outcome:
        """How the id ended: by the rules, or else by the stop or crash that is under way."""
        if not self.attempts:
            return skipped(self.entry, before=self.before)
        last = self.attempts[-1]
        reply = last.reply
        is_news = self.retried < len(self.attempts) and reply is not ABANDONED
        return Outcome(
            ended(self.attempts) if self.status is None else self.status,
            row=self.entry.row,
            report_id=self.entry.report_id,
            status_code=reply.status_code,
            http_status=reply.http_status,
            report_status=reply.report_status,
            message=reply.message,
            error=reply.error,
            tries=len(self.attempts),
            sent=sum(attempt.sent for attempt in self.attempts),
            elapsed_ms=self.elapsed_ms,
            attempt_ms=last.elapsed_ms if is_news else None,
            request_id=last.request_id,
            correlation_id=last.correlation_id,
            before=self.before,
            modified_time=reply.modified_time,
            interrupted=self.status is None,
        )


def skipped(entry: Entry, *, before: str | None = None) -> Outcome:
    """The outcome of an accepted id that never had its turn."""
    return Outcome(Status.SKIPPED, row=entry.row, report_id=entry.report_id, before=before)


def unchanged(entry: Entry, *, before: str) -> Outcome:
    """The outcome of a report that was in the wanted state already: nothing is sent."""
    return Outcome(Status.UNCHANGED, row=entry.row, report_id=entry.report_id, report_status=before, before=before)


def invalid(reject: Reject) -> Outcome:
    """The outcome of a row that holds no report id."""
    return Outcome(Status.INVALID, row=reject.row, message=f"{reject.reason}: {reject.text}")


def guid(rng: random.Random) -> str:
    """A random UUID (RFC 9562, version 4) in a third of uuid4's time, reproducible under a seed."""
    digits = f"{rng.getrandbits(128) & _GUID_FREE | _GUID_FIXED:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
