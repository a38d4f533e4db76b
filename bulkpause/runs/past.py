"""Runs that were, read back from their ledgers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from bulkpause.audit import find_tail, last_line, read, read_lines
from bulkpause.chain import Tail, parse
from bulkpause.errors import SourceError
from bulkpause.models import Outcome, Status
from bulkpause.replay import Replay, latest_outcomes
from bulkpause.runs.finding import RunFolder
from bulkpause.runs.identity import Run
from bulkpause.runs.report import RunReport


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run as its ledger tells it."""

    run: Run
    replay: Replay
    tail: Tail


def read_run(folder: RunFolder) -> PastRun:
    """The run, folded from its ledger. Raises SourceError if that cannot be read, or is none."""
    file = folder.audit_file
    replay = Replay()
    try:
        for raw in read_lines(file):
            replay.read(raw)
        tail = find_tail(file)
    except FileNotFoundError:
        if folder.summary_file.exists():
            raise SourceError(
                f"the audit log {file} of run {folder.run_id} is gone, and {folder.summary_file} says that there was "
                "one. Put it back."
            ) from None
        raise SourceError(
            f"run {folder.run_id} has no audit log at {file}. If it was not moved, nothing was sent: give the source "
            "to a new run."
        ) from None
    except OSError as error:
        raise SourceError(f"{file}: cannot be read: {error.strerror}.") from error
    if replay.started is None:
        raise SourceError(f"{file}: no audit log of a run, its first line is missing.")
    if len(replay.operations) > 1:
        raise SourceError(
            f"{file}: names {' and '.join(sorted(replay.operations))}; the audit log of one run does not."
        )
    try:
        run = Run.from_fields(replay.parts[-1].opening, directory=folder.directory, audit_file=file)
    except (KeyError, TypeError, ValueError):
        raise SourceError(
            f"{file}: its {replay.parts[-1].opening['event']} line does not say what the run was."
        ) from None
    return PastRun(run, replay, tail._replace(seq=replay.seq))  # a foreign line may have counted otherwise


def report_of(past: PastRun) -> RunReport:
    """What came of a run, told from its ledger alone."""
    replay, last = past.replay, past.replay.parts[-1]
    return RunReport(
        run=past.run,
        started_at=replay.parts[0].started,
        finished_at=last.finished,
        wall_s=sum(part.wall_s for part in replay.parts),
        summary=replay.summary,
        halt=last.halt,
        stop_signal=last.stop_signal,
        crash=last.crash,
        was_continued=len(replay.parts) > 1,
        was_killed=not last.has_ended,
        unrecorded=0 if last.has_ended else _unrecorded(past),
        in_doubt=sum(replay.summary.ends.get(waiting.row) is None for waiting in replay.unfinished.values()),
        source_has_ended=replay.source is not None,
        failed_file=past.run.failed_file if past.run.failed_file.exists() else None,
        sealed=replay.sealed,
    )


def _unrecorded(past: PastRun) -> int:
    """How many pinned rows have no outcome."""
    if past.replay.source is not None:
        pinned = past.replay.source.accepted + past.replay.source.invalid
    else:
        try:
            with past.run.manifest_file.open("rb") as stream:
                pinned = sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b"")) - 1
        except OSError:
            return 0
    return max(0, pinned - past.replay.summary.done)


DERIVED: Final = (
    *("run_id", "operation", "state", "target", "tenant_id", "sandbox", "source", "undoes", "source_has_ended"),
    *("audit_lines", "audit_head"),
)
"""What summary.json says beside the counts that the ledger says as well; times and paths may rightly differ."""


def sealed_summary(folder: RunFolder) -> dict[str, Any] | None:
    """`summary.json`, if the last line of the ledger is the one it speaks of; None if only the ledger can tell."""
    try:
        summary = orjson.loads(folder.summary_file.read_bytes())
        last = parse(last_line(folder.audit_file))
        is_of_it = last is not None and last.get("head") is not None and last["head"] == summary["audit_head"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return summary if is_of_it else None


def differences(report: RunReport) -> list[str]:
    """Where `summary.json` says otherwise than the ledger it is told from, one sentence each; none if there is none."""
    file = report.run.summary_file
    try:
        written = orjson.loads(file.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValueError):
        return [f"{file} cannot be read."]
    if not isinstance(written, dict):
        return [f"{file} is no summary."]
    if report.was_killed and report.sealed is not None and written.get("audit_head") == report.sealed.head:
        return []  # the run was continued since, and had no time to write another
    derived = orjson.loads(orjson.dumps(report.to_dict(), option=orjson.OPT_UTC_Z))
    names = [*DERIVED, *report.summary.to_dict()]
    return [
        f"{file.name} says {name} {written.get(name)!r}, the audit log {derived[name]!r}."
        for name in names
        if written.get(name) != derived[name]
    ]


def outcomes_of(past: PastRun) -> Iterator[Outcome]:
    """Of every row the outcome that counts; one whose attempt a crash cut short is in doubt. Raises OSError."""
    ends = past.replay.summary.ends
    ended = (waiting.outcome(report_id) for report_id, waiting in past.replay.unfinished.items())
    again = {  # by a continuation that broke off; nothing has changed if nothing left
        outcome.row: outcome
        for outcome in ended
        if outcome.status is not Status.SKIPPED or ends.get(outcome.row) is None
    }
    yield from (one for one in latest_outcomes(read(past.run.audit_file), ends) if one.row not in again)
    yield from again.values()
