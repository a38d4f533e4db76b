"""What a ledger says of its run, line by line: how each row ended, what is in doubt, how far it came. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from bulkpause.chain import Closing
from bulkpause.events import Fields, to_attempt, to_outcome
from bulkpause.models import Attempt, Operation, Outcome, Reply, ReportId, SourceCounts, Status, Verdict
from bulkpause.retry import ended
from bulkpause.summary import RunSummary
from bulkpause.summary.ends import Ends

BROKEN_OFF: Final = "the run broke off while this attempt was in flight"
WAITING: Final = "the run broke off before the next try"

OWED: Final = frozenset({Status.SKIPPED, Status.UNKNOWN})
"""What a continuation does in any case."""

FAILED: Final = frozenset({Status.NOT_FOUND, Status.DENIED, Status.REJECTED, Status.EXHAUSTED})
"""What it tries again only on request."""


@dataclass(slots=True)
class Unfinished:
    """A report with an intent and no outcome behind it: what its attempts came to, and whether one may still fly."""

    row: int
    request_id: str
    correlation_id: str
    attempts: list[Attempt] = field(default_factory=list)
    """Those that another one should have followed."""
    in_flight: bool = True
    before: str | None = None
    """Its report_status before the run, if that is known."""

    def outcome(self, report_id: ReportId) -> Outcome:
        """How the report ends if nobody goes on with it: `unknown` if its last request may have left."""
        attempts = self.attempts
        if self.in_flight:
            lost = Reply(Verdict.UNANSWERED, error=BROKEN_OFF)
            attempts = [*attempts, Attempt(len(attempts) + 1, self.request_id, self.correlation_id, 1, 0.0, lost)]
        last = attempts[-1].reply
        return Outcome(
            ended(attempts),
            row=self.row,
            report_id=report_id,
            status_code=last.status_code,
            http_status=last.http_status,
            message=last.message,
            error=last.error or WAITING,
            tries=len(attempts),
            sent=sum(attempt.sent for attempt in attempts),
            request_id=self.request_id,
            correlation_id=self.correlation_id,
            before=self.before,
            interrupted=True,
        )


@dataclass(slots=True)
class Part:
    """One sitting of a run, from `run_started` or `run_continued` to its last line."""

    opening: Fields
    last_at: str
    halted: tuple[str, str] | None = None
    """Reason and message."""
    stop_signal: int | None = None
    closing: Mapping[str, Any] | None = None
    """The fields of `run_finished`, if it came that far."""
    is_over: bool = False
    """Whether the lines from here on are about something else, such as a later verification."""

    @property
    def wall_s(self) -> float:
        """From its first line to its last."""
        return (self.finished - self.started).total_seconds()

    @property
    def started(self) -> datetime:
        """When its first line was written."""
        return datetime.fromisoformat(self.opening["at"])

    @property
    def finished(self) -> datetime:
        """When its last line was written."""
        return datetime.fromisoformat(self.last_at)


@dataclass(slots=True)
class Replay:
    """The state of a run, folded from its ledger. Lines that are none of ours are counted and passed over."""

    started: Fields | None = None
    """The fields of `run_started`; None in a ledger that lacks them."""
    summary: RunSummary = field(default_factory=RunSummary)
    unfinished: dict[ReportId, Unfinished] = field(default_factory=dict)
    source: SourceCounts | None = None
    """What the source held, once it has been read to its end."""
    manifest_sha256: str | None = None
    parts: list[Part] = field(default_factory=list)
    operations: set[str] = field(default_factory=set)
    """Every operation that a line names: more than one, and it is not the ledger of one run."""
    sealed: Closing | None = None
    """What the newest closing line vouches for."""
    lines: int = 0
    foreign: int = 0
    doubtful: dict[int, Outcome] = field(default_factory=dict)
    """By row, the outcomes that are `unknown` still."""

    @property
    def operation(self) -> Operation:
        """What was asked of the reports. Raises KeyError without a `run_started` line."""
        return Operation((self.started or {})["operation"])

    @property
    def has_ended(self) -> bool:
        """Whether the latest part came to its last line."""
        return bool(self.parts) and self.parts[-1].closing is not None

    def add(self, line: Fields | None) -> None:
        """Take in the next line; None stands for one that cannot be read."""
        self.lines += 1
        try:
            self._add(line or {})
        except (KeyError, TypeError, ValueError, AttributeError):
            self.foreign += 1

    def _add(self, line: Fields) -> None:
        event = line["event"]
        if self.parts and not self.parts[-1].is_over:
            self.parts[-1].last_at = line["at"]
        match event:
            case "attempt_started":
                self._intend(line)
            case "outcome":
                self._end(to_outcome(line), line)
            case "retry_scheduled":
                waiting = self.unfinished[line["report_id"]]
                attempt = to_attempt(line, request_id=waiting.request_id, correlation_id=waiting.correlation_id)
                waiting.attempts.append(attempt)
                waiting.in_flight = False
                self.summary.add_retried(attempt)
            case "resolved":
                outcome = to_outcome(line)
                self.summary.resolve(outcome, seq=line["seq"])
                self._doubt(outcome)
            case _:
                self._add_decision(event, line)

    def _end(self, outcome: Outcome, line: Fields) -> None:
        self.summary.add(outcome, seq=line["seq"])
        if outcome.report_id is not None:
            self.unfinished.pop(outcome.report_id, None)
        self.operations.add(line["operation"])
        self._doubt(outcome)

    def _doubt(self, outcome: Outcome) -> None:
        if outcome.status is Status.UNKNOWN:
            self.doubtful[outcome.row] = outcome
        elif self.doubtful:
            self.doubtful.pop(outcome.row, None)

    def _intend(self, line: Fields) -> None:
        report_id = ReportId(line["report_id"])
        known = self.unfinished.get(report_id)
        if known is None:
            self.unfinished[report_id] = Unfinished(
                line["row"], line["request_id"], line["correlation_id"], before=line.get("before")
            )
        else:
            known.request_id, known.correlation_id, known.in_flight = line["request_id"], line["correlation_id"], True

    def _add_decision(self, event: str, line: Fields) -> None:
        match event:
            case "run_started" | "run_continued":
                if event == "run_started":
                    self.started = line
                self.operations.add(line["operation"])
                self.parts.append(Part(line, line["at"]))
            case "source_read":
                self.source = SourceCounts(line["accepted"], line["duplicate"], line["invalid"])
                self.manifest_sha256 = line["manifest_sha256"]
                self.summary.duplicates = self.source.duplicate
            case "halted":
                self.parts[-1].halted = line["reason"], line["message"]
            case "stop_requested":
                self.parts[-1].stop_signal = line["signal"]
            case "run_finished":
                self.sealed = Closing(line["lines"], line["head"])
                self.parts[-1].closing = line
                self.parts[-1].is_over = True
                self.summary.duplicates = line["summary"]["duplicates"]
            case _:
                if event == "verification_started":
                    self.parts[-1].is_over = True
                elif event == "verified" and "head" in line:
                    self.sealed = Closing(line["lines"], line["head"])
                self.summary.add_event(event, line)

    def needs(self, row: int, *, failed: frozenset[Status] = frozenset()) -> bool:
        """Whether a continuation owes the row a request: never sent, in doubt, or cut short; or, on request, failed."""
        end = self.summary.ends.get(row)
        return end is None or end.interrupted or end.status in OWED or end.status in failed


def latest_outcomes(lines: Iterable[Fields], ends: Ends) -> Iterator[Outcome]:
    """Of every row the outcome that counts, in the order of the lines; `ends` come from a fold over the same lines."""
    for line in lines:
        if line["event"] in {"outcome", "resolved"} and ends.seq(line["row"]) == line["seq"]:
            yield to_outcome(line)
