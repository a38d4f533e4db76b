"""The nouns every other module speaks in: frozen values and closed enums, standard library only.

What is made for every request is a NamedTuple, at a third of the price of a frozen dataclass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, NewType

ReportId = NewType("ReportId", str)
"""A canonical report id: a lower-case UUID with dashes. Only `ids.parse_report_id` makes one."""

MESSAGE_LIMIT = 500
"""Characters of a server's message that an outcome keeps."""

UNLISTED = "unlisted"
"""What stands for the report_status of a report that was not in the tenant's list."""


class Operation(StrEnum):
    """What the API is asked to do with a report."""

    PAUSE = "pause"
    RESUME = "resume"

    @property
    def wanted(self) -> str:
        """The report_status a confirmed reply shows (api.md section 3)."""
        return "Paused" if self is Operation.PAUSE else "Active"

    @property
    def reverse(self) -> Operation:
        """The operation that undoes this one."""
        return Operation.RESUME if self is Operation.PAUSE else Operation.PAUSE


class Status(StrEnum):
    """Every way a report id can end. Closed: match it exhaustively."""

    SUCCEEDED = "succeeded"
    """The reply confirms the wanted state."""
    UNCHANGED = "unchanged"
    """It was in the wanted state already."""
    NOT_FOUND = "not_found"
    DENIED = "denied"
    """403, or 401 again after a fresh token."""
    REJECTED = "rejected"
    """Any other answer that cannot heal."""
    EXHAUSTED = "exhausted"
    """Could have healed, did not in time; the last attempt was answered."""
    UNKNOWN = "unknown"
    """Sent, and no trustworthy answer came: the report may have changed."""
    SKIPPED = "skipped"
    """Accepted from the source, never sent."""
    INVALID = "invalid"
    """The row holds no report id; never sent."""

    @property
    def is_good(self) -> bool:
        """Whether the report is known to be in the wanted state."""
        return self is Status.SUCCEEDED or self is Status.UNCHANGED


class Verdict(StrEnum):
    """What one reply means for the report it is about."""

    CONFIRMED = "confirmed"
    NOT_FOUND = "not_found"
    FORBIDDEN = "forbidden"
    UNAUTHORISED = "unauthorised"
    """401: the token was refused, which may be the token's fault or the report's."""
    THROTTLED = "throttled"
    FAULT = "fault"
    """The service failed in a way that may heal: 408, 500, 502, 503, 504."""
    REJECTED = "rejected"
    UNREADABLE = "unreadable"
    """A 2xx whose body cannot be read; the report may have changed."""
    CONTRADICTED = "contradicted"
    """A 2xx whose body speaks of another report or of the wrong state."""
    UNANSWERED = "unanswered"
    """No reply came. `sent` tells whether the request left this machine."""


class HaltReason(StrEnum):
    """Why a run was stopped by itself, before every id had its turn."""

    THROTTLED_OUT = "throttled_out"
    NOT_AUTHORISED = "not_authorised"
    UNREACHABLE = "unreachable"
    SOURCE_FAILED = "source_failed"
    GUARD = "guard"
    """A condition under which the operator wants no more of it."""
    TIME_LIMIT = "time_limit"


class Entry(NamedTuple):
    """One accepted, canonical, first-seen report id and the line of the source it stood on."""

    report_id: ReportId
    row: int


@dataclass(frozen=True, slots=True)
class Reject:
    """One row without a usable report id: its line, the offending text (escaped, cut) and why."""

    row: int
    text: str
    reason: str


@dataclass(slots=True)
class SourceCounts:
    """Rows counted by the one thread that reads the source: read = accepted + duplicate + invalid."""

    accepted: int = 0
    duplicate: int = 0
    invalid: int = 0

    @property
    def read(self) -> int:
        """Rows that held a record, whatever became of them."""
        return self.accepted + self.duplicate + self.invalid


class Quota(NamedTuple):
    """What X-RateLimit headers say: how many requests a period allows, and how many of them are left."""

    limit: int
    remaining: int


@dataclass(frozen=True, slots=True)
class Halt:
    """The run must stop taking ids: why, in a word for the exit code and a sentence for the reader."""

    reason: HaltReason
    message: str
    causes: tuple[str, ...] = ()
    """What separates the failures from the rest, the clearest first, a sentence each."""


class Reply(NamedTuple):
    """What the far side said to one attempt, judged by `replies.judge`, or why it said nothing."""

    verdict: Verdict
    http_status: int | None = None
    status_code: int | None = None
    """The envelope's StatusCode, else the HTTP code: what the summary counts."""
    report_status: str | None = None
    message: str | None = None
    error: str | None = None
    """For UNANSWERED: what went wrong on the wire, free of secrets."""
    retry_after_s: float | None = None
    modified_time: str | None = None
    """When the service says the report was last changed, in its words: a confirmed change names its own time."""
    quota: Quota | None = None
    claims: str | None = None
    """What the service wants a token to prove, as its challenge has it: JSON for the next sign-in."""
    halt: Halt | None = None
    """Why no other attempt of this run can fare better: a refused certificate, a proxy's password, a missing MFA."""


class Report(NamedTuple):
    """One report as the service lists it. Text is as it was sent: hostile until shown escaped."""

    report_id: ReportId
    report_status: str | None = None
    """Active, Paused or Inactive in this spelling; whatever else the service says as it says it."""
    name: str | None = None
    query_id: str | None = None
    user: str | None = None
    """Whose it is: a sign-in name, or a number where the API gives one."""
    modified_time: str | None = None
    """When it was last changed, in whole seconds; None until the first change."""


class Page(NamedTuple):
    """One reply to a request for the tenant's reports, judged by `pages.judge_page`, or why there was none."""

    reply: Reply
    """CONFIRMED for a readable page, NOT_FOUND where no report passes the filter, else what failed."""
    reports: tuple[Report, ...] = ()
    next_link: str | None = None
    """Where the list goes on, absolute or relative; None on its last page."""
    unreadable: int = 0
    """Items without a report id."""
    sent: int = 1
    """How often the request left: 0 if the connection was never made, 2 if aiohttp re-sent it silently."""


@dataclass(slots=True)
class Wire:
    """How often one attempt left for the wire, counted as it happens, so that a cancelled attempt is known too."""

    sent: int = 0
    """0 if the connection was never made, 2 if aiohttp re-sent the request silently."""


class Attempt(NamedTuple):
    """One HTTP exchange, numbered from 1 per report id."""

    number: int
    request_id: str
    correlation_id: str
    sent: int
    elapsed_ms: float
    reply: Reply


class Outcome(NamedTuple):
    """How one row of the source ended. A continued run may end a row again; its latest outcome counts."""

    status: Status
    row: int
    report_id: ReportId | None = None
    status_code: int | None = None
    http_status: int | None = None
    report_status: str | None = None
    message: str | None = None
    error: str | None = None
    tries: int = 0
    sent: int = 0
    elapsed_ms: float = 0.0
    """From the first attempt's start to the last reply, waits between them included."""
    attempt_ms: float | None = None
    """The last attempt alone; None if it was abandoned, or recorded as retried before a stop came."""
    request_id: str | None = None
    correlation_id: str | None = None
    before: str | None = None
    """The report_status in the snapshot, UNLISTED if it was not there; None without a snapshot."""
    modified_time: str | None = None
    """When the service says it changed the report, in its words."""
    interrupted: bool = False
    """Whether a stop or a crash ended the id before the rules did, so that a continuation owes it more tries."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A decision worth a ledger line of its own, such as `hold` or `token_refreshed`."""

    event: str
    fields: Mapping[str, object] = field(default_factory=dict)
