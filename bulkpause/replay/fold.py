"""What a ledger says of its run, line by line: how each row ended, what is in doubt, how far it came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import orjson

from bulkpause.chain import Closing, parse
from bulkpause.events import ID_LENGTH, Fields, to_attempt, to_count, to_halt, to_outcome, to_report_id, to_row
from bulkpause.models import Operation, Outcome, ReportId, SourceCounts, Status
from bulkpause.replay.parts import Part, moment
from bulkpause.replay.unfinished import Unfinished
from bulkpause.summary import RunSummary
from bulkpause.summary.ends import End, Ends

_INTENT: Final = b',"event":"attempt_started","report_id":"'
_NEAR: Final = 250
"""How far into a line that stands, where the writer spells it."""

OWED: Final = frozenset({Status.SKIPPED, Status.UNKNOWN})
"""What a continuation does in any case."""

_BEGINNINGS: Final = frozenset({"run_continued", "verification_started"})
"""What may come hours after the line before it."""

MOST_LINES: Final = (1 << 32) - 1
"""What `Ends` has room for."""

FAILED: Final = frozenset({Status.NOT_FOUND, Status.DENIED, Status.REJECTED, Status.EXHAUSTED})
"""What it tries again only on request."""


@dataclass(slots=True)
class Replay:
    """The state of a run, folded from its ledger. Lines that are none of ours are counted and passed over."""

    started: Fields | None = None
    """The fields of `run_started`; None in a ledger that lacks them."""
    summary: RunSummary = field(default_factory=RunSummary)
    source: SourceCounts | None = None
    """What the source held, once it has been read to its end."""
    manifest_sha256: str | None = None
    parts: list[Part] = field(default_factory=list)
    operations: set[str] = field(default_factory=set)
    """Every operation that a line names: more than one, and it is not the ledger of one run."""
    sealed: Closing | None = None
    """What the newest closing line vouches for."""
    signed_in_as: str | None = None
    """The tenant that the tokens were for."""
    lines: int = 0
    foreign: int = 0
    """Lines that are none of this run's, or say again what an earlier line has said."""
    seq: int = 0
    """Of the newest line of this run."""
    doubtful: dict[int, Outcome] = field(default_factory=dict)
    """By row, the outcomes that are `unknown` still."""
    _unfinished: dict[ReportId, Unfinished] = field(default_factory=dict)
    _aside: dict[str, bytes] = field(default_factory=dict)
    """By report id, the intents that nobody has read yet."""
    _head: bytes = b"\n"
    """What lines of this run begin with; nothing that a line can begin with until its first one is known."""

    @property
    def operation(self) -> Operation:
        """What was asked of the reports. Raises KeyError without a `run_started` line."""
        return Operation((self.started or {})["operation"])

    @property
    def has_ended(self) -> bool:
        """Whether the latest part came to its last line."""
        return bool(self.parts) and self.parts[-1].has_ended

    @property
    def unfinished(self) -> dict[ReportId, Unfinished]:
        """The reports with an intent and no outcome behind it."""
        for report_id in list(self._aside):
            self._read_intent(report_id)
        return self._unfinished

    def read(self, raw: bytes) -> None:
        """Take in the next line as it stands in the file.

        An intent that is spelt as the writer spells it is put aside unread, in a fraction of the time: nearly every one
        is settled by an outcome behind it.
        """
        place = raw.find(_INTENT, 0, _NEAR)
        if place >= 0 and self._put_aside(raw, place + len(_INTENT)):
            return
        try:
            line = orjson.loads(raw)
        except orjson.JSONDecodeError:
            line = None
        self.add(line)

    def _put_aside(self, raw: bytes, start: int) -> bool:
        if not raw.startswith(self._head):
            return False
        seq = raw[len(self._head) : raw.find(b",", len(self._head))]
        if not seq.isdigit() or not self.seq < int(seq) <= MOST_LINES:
            return False
        self.lines += 1
        self.seq = int(seq)
        self._aside[raw[start : start + ID_LENGTH].decode("ascii", "replace")] = raw
        return True

    def _read_intent(self, report_id: str) -> None:
        raw = self._aside.pop(report_id, None)
        if raw is None:
            return
        try:
            line = parse(raw) or {}
            self._intend(line)
            part = self.parts[-1]
            if not part.is_over:
                part.last_at = max(part.last_at, line["at"])
        except (LookupError, TypeError, ValueError):
            self.foreign += 1

    def add(self, line: Fields | None) -> None:
        """Take in the next line; None stands for one that cannot be read."""
        self.lines += 1
        try:
            if line is None or not self._is_next(line):
                self.foreign += 1
            else:
                self._add(line)
        except (LookupError, TypeError, ValueError, AttributeError):
            self.foreign += 1

    def _is_next(self, line: Fields) -> bool:
        """Whether it is this run's, and no copy of a line that was there before: that would count, and send, twice."""
        seq = line["seq"]
        if type(seq) is not int or not self.seq < seq <= MOST_LINES:
            return False
        if self.started is not None:
            if line["run_id"] != self.started["run_id"]:
                return False
            self.seq = seq
        return True

    def _add(self, line: Fields) -> None:
        event = line["event"]
        if self.parts and not self.parts[-1].is_over and event not in _BEGINNINGS:
            self.parts[-1].last_at = line["at"]
        match event:
            case "attempt_started":
                self._intend(line)
            case "outcome":
                self._end(to_outcome(line), line)
            case "retry_scheduled":
                self._read_intent(line["report_id"])
                waiting = self._unfinished[line["report_id"]]
                attempt = to_attempt(line, request_id=waiting.request_id, correlation_id=waiting.correlation_id)
                waiting.attempts.append(attempt)
                waiting.in_flight = False
                self.summary.add_retried(attempt)
            case "attempt_withdrawn":
                report_id = to_report_id(line["report_id"])
                self._aside.pop(report_id, None)
                self._unfinished.pop(report_id, None)
            case "resolved":
                outcome = to_outcome(line)
                self.summary.resolve(outcome, seq=line["seq"])
                self._doubt(outcome)
            case _:
                self._add_decision(event, line)

    def _end(self, outcome: Outcome, line: Fields) -> None:
        if line["operation"] not in self.operations:
            self.operations.add(Operation(line["operation"]))
        self.summary.add(outcome, seq=line["seq"])
        if outcome.report_id is not None:
            self._aside.pop(outcome.report_id, None)
            self._unfinished.pop(outcome.report_id, None)
        self._doubt(outcome)

    def _doubt(self, outcome: Outcome) -> None:
        if outcome.status is Status.UNKNOWN:
            self.doubtful[outcome.row] = outcome
        elif self.doubtful:
            self.doubtful.pop(outcome.row, None)

    def _intend(self, line: Fields) -> None:
        report_id, row = to_report_id(line["report_id"]), to_row(line["row"])
        request_id, correlation_id = str(line["request_id"]), str(line["correlation_id"])
        known = self._unfinished.get(report_id)
        if known is None:
            before = line.get("before")
            self._unfinished[report_id] = Unfinished(row, request_id, correlation_id, before=before)
        else:
            known.request_id, known.correlation_id, known.in_flight = request_id, correlation_id, True

    def _add_decision(self, event: str, line: Fields) -> None:
        match event:
            case "run_started" | "run_continued":
                self._begin(event, line)
            case "source_read":
                source = SourceCounts(*(to_count(line[name]) for name in ("accepted", "duplicate", "invalid")))
                self.source, self.manifest_sha256 = source, line["manifest_sha256"]
                self.summary.duplicates = source.duplicate
            case "halted":
                self.parts[-1].halt = to_halt(line)
            case "stop_requested":
                self.parts[-1].stop_signal = to_count(line["signal"])
            case "run_finished":
                self._finish(line)
            case "signed_in":
                self.signed_in_as = self.signed_in_as or line["tenant_id"]
            case _:
                if event == "verification_started":
                    self.parts[-1].is_over = True
                elif event == "verified" and "head" in line:
                    self.sealed = Closing(to_count(line["lines"]), str(line["head"]))
                self.summary.add_event(event, line)

    def _begin(self, event: str, line: Fields) -> None:
        operation, at = Operation(line["operation"]), moment(line["at"])
        if event == "run_started":
            self.started, self.seq = line, line["seq"]
            self._head = f'{{"schema":1,"run_id":"{line["run_id"]}","seq":'.encode()
        self.operations.add(operation)
        self.summary.add_event(event, line)
        self.parts.append(Part(line, at, line["at"]))

    def _finish(self, line: Fields) -> None:
        part, summary = self.parts[-1], line["summary"]
        duplicates = to_count(summary["duplicates"])
        if summary["state"] == "broken":
            part.crash = str(summary["stopped_by"]["message"])
        self.sealed = Closing(to_count(line["lines"]), str(line["head"]))
        self.summary.duplicates = duplicates
        part.has_ended = part.is_over = True

    def needs(self, row: int, *, failed: frozenset[Status] = frozenset()) -> bool:
        """Whether a continuation owes the row a request: never sent, in doubt, or cut short; or, on request, failed."""
        end = self.summary.ends.get(row)
        return end is None or _is_owed(end, failed)

    def needs_any(self, first: int, last: int, *, failed: frozenset[Status] = frozenset()) -> bool:
        """Whether it may owe a request to a row from `first` to `last`; quick, and never wrong with a no."""
        return any(end is None or _is_owed(end, failed) for end in self.summary.ends.kinds(first, last))

    def left(self, *, failed: frozenset[Status] = frozenset()) -> SourceCounts | None:
        """How many rows that is; None if the source was not read to its end, so that only the manifest can tell."""
        if self.source is None:
            return None
        settled = SourceCounts()
        for end, count in self.summary.ends:
            if end.status is Status.INVALID:
                settled.invalid += count
            elif not _is_owed(end, failed):
                settled.accepted += count
        for waiting in self.unfinished.values():  # sent again by a continuation that broke off
            earlier = self.summary.ends.get(waiting.row)
            settled.accepted -= earlier is not None and not _is_owed(earlier, failed)
        return SourceCounts(
            accepted=self.source.accepted - settled.accepted, invalid=self.source.invalid - settled.invalid
        )


def _is_owed(end: End, failed: frozenset[Status]) -> bool:
    return end.interrupted or end.status in OWED or end.status in failed


def latest_outcomes(lines: Iterable[Fields], ends: Ends) -> Iterator[Outcome]:
    """Of every row the outcome that counts, in the order of the lines; `ends` come from a fold over the same lines."""
    newest = 0
    for line in lines:
        if line["event"] not in {"outcome", "resolved"}:
            continue
        seq, row = line["seq"], line.get("row")
        if seq > newest and type(row) is int and row > 0 and ends.seq(row) == seq:  # once, if it was pasted again
            newest = seq
            yield to_outcome(line)
