"""Runs that were, as a person reads them: a line each, one report's story, every failure, an export."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TextIO

import orjson

from bulkpause.audit import read
from bulkpause.cli import streams
from bulkpause.cli.words import many, print_json, print_text
from bulkpause.errors import BulkpauseError, UsageError
from bulkpause.events import outcome_fields
from bulkpause.ids import escaped
from bulkpause.lock import owner_of
from bulkpause.models import Outcome, ReportId, Status
from bulkpause.progress import duration
from bulkpause.redaction import printable
from bulkpause.runs.extracts import OUTCOME_COLUMNS, outcome_row
from bulkpause.runs.finding import RunFolder
from bulkpause.runs.past import PastRun, outcomes_of, read_run, report_of, sealed_summary

EXPORT_COLUMNS: Final = (
    *OUTCOME_COLUMNS,
    "report_status",
    "before",
    "modified_time",
    "tries",
    "sent",
    "elapsed_ms",
    "correlation_id",
)

RUN_COLUMNS: Final = ("RUN", "OPERATION", "STATE", "READ", "DONE", "FAILED", "LEFT", "AGE", "SOURCE")

GLANCED: Final = (
    "operation",
    "undoes",
    "source",
    "started_at",
    "finished_at",
    "read",
    "unrecorded",
    "by_status",
    "next",
    "undo",
)

NOT_DONE: Final = frozenset(status for status in Status if not status.is_good and status is not Status.INVALID)


Document = Mapping[str, Any]


def glance(folder: RunFolder) -> Document:
    """What can be said of a run at a glance, whatever state it is in; `flaw` says why, where that is little."""
    known = {"run_id": folder.run_id, "directory": str(folder.directory)}
    is_live = False
    try:
        is_live = owner_of(folder.audit_file) is not None
        document = sealed_summary(folder)
        if document is None or not document.keys() >= set(GLANCED) or not _is_sound(document):
            document = report_of(read_run(folder)).to_dict()
    except BulkpauseError as error:
        return {**known, "state": "live" if is_live else "unread", "flaw": str(error)}
    state = "live" if is_live else document["state"]
    return {**known, "state": state, **{name: document[name] for name in GLANCED}}


def _is_sound(document: Document) -> bool:
    """Whether a `summary.json` says of the run what a line needs: anybody may have edited it."""
    try:
        counts = {Status(word): int(count) for word, count in document["by_status"].items()}
        datetime.fromisoformat(document["started_at"])
    except (AttributeError, TypeError, ValueError):
        return False
    return (
        bool(counts or not document["read"])
        and isinstance(document["read"], int)
        and isinstance(document["unrecorded"], int)
    )


def show_runs(glances: Sequence[Document], *, total: int, path: Path, now: datetime, as_json: bool) -> None:
    """The runs, the newest first."""
    if as_json:
        print_json(glances)
    elif not glances:
        streams.say(f"No runs in {path}.")
    else:
        print_text("\n".join(_in_columns([RUN_COLUMNS, *(_run_row(one, now) for one in glances)])))
        if total > len(glances):
            streams.say(f"{total - len(glances):,} older ones; --last {total} lists all.")


def _in_columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Each row on a line; the numbers in the middle to the right, the last cell as long as it is."""
    widths = [max(map(len, column)) for column in zip(*(row[:-1] for row in rows), strict=True)]
    for row in rows:
        left = [f"{cell:{width}}" for cell, width in zip(row[:3], widths[:3], strict=True)]
        right = [f"{cell:>{width}}" for cell, width in zip(row[3:-1], widths[3:], strict=True)]
        yield "  ".join([*left, *right, row[-1]]).rstrip()


def _run_row(one: Document, now: datetime) -> tuple[str, ...]:
    if "flaw" in one:
        return (one["run_id"], "", one["state"], "", "", "", "", "", printable(one["flaw"]))
    counts = {Status(word): count for word, count in one["by_status"].items()}
    good = sum(count for status, count in counts.items() if status.is_good)
    owed = counts.get(Status.SKIPPED, 0) + counts.get(Status.UNKNOWN, 0)
    started_at = one["started_at"]
    if isinstance(started_at, str):
        started_at = datetime.fromisoformat(started_at)
    return (
        one["run_id"],
        one["operation"] if one["undoes"] is None else f"{one['operation']} (undo)",
        one["state"],
        f"{one['read'] + one['unrecorded']:,}",
        f"{good:,}",
        f"{sum(counts.values()) - good - owed:,}",
        f"{owed + one['unrecorded']:,}",
        duration((now - started_at).total_seconds()),
        printable(one["source"]),
    )


def show_story(past: PastRun, report_id: ReportId, *, as_json: bool) -> bool:
    """Every line of the ledger about one report; whether there is one."""
    lines = [line for line in read(past.run.audit_file) if line.get("report_id") == report_id]
    if as_json:
        print_json(lines)
    elif lines:
        print_text("\n".join([f"Report {report_id} in run {past.run.run_id}:", *map(_told, lines)]))
    if not lines:
        streams.say(f"bulkpause: run {past.run.run_id} knows nothing of {report_id}.")
    return bool(lines)


def _told(line: dict[str, Any]) -> str:
    """One ledger line in words."""
    try:
        said = _said(line)
    except (KeyError, TypeError):
        said = f"{line['event']}, in a line that does not say what it should"
    return f"  {str(line.get('at'))[11:23]:12}  {escaped(said, limit=500)}"


def _said(line: dict[str, Any]) -> str:
    match line["event"]:
        case "attempt_started":
            return f"try {line['attempt']} is about to leave (MS-CorrelationId {line['correlation_id']})"
        case "attempt_withdrawn":
            return "that try did not leave: a stop came first"
        case "retry_scheduled":
            code = "" if line["status_code"] is None else f" {line['status_code']}"
            reason = line["message"] or line["error"] or ""
            wait = duration(line["retry_in_ms"] / 1000)
            return f"try {line['attempt']} came to {line['verdict']}{code}: {reason}; the next in {wait}"
        case "outcome" | "resolved" as event:
            code = "" if line["status_code"] is None else f" {line['status_code']}"
            reason = line["message"] or line["error"]
            before = f", before the run {line['before']}" if line.get("before") else ""
            ended = "ended" if event == "outcome" else "resolved"
            return f"{ended} {line['status']}{code}{f': {reason}' if reason else ''} (row {line['row']}{before})"
        case "finding":
            return f"read back: {line['finding']}, the service says {line['report_status'] or 'nothing'}"
        case "left_alone":
            return f"left alone: {line['said']}"
        case event:
            return str(event)


def show_failures(past: PastRun, *, as_json: bool) -> None:
    """Every report that is not in the wanted state."""
    outcomes = (outcome for outcome in outcomes_of(past) if not outcome.status.is_good)
    report = report_of(past)
    unsent = report.unrecorded - report.in_doubt
    if as_json:
        print_json([outcome_fields(outcome, operation=past.run.operation) for outcome in outcomes])
        return
    count = 0
    for count, outcome in enumerate(outcomes, 1):  # noqa: B007 - counted as they go by
        code = "" if outcome.status_code is None else f" {outcome.status_code}"
        name = outcome.report_id or f"line {outcome.row}"
        reason = outcome.message or outcome.error or ""
        print_text(f"{name:36}  {outcome.status.value}{code}{f': {escaped(reason, limit=300)}' if reason else ''}")
    if unsent > 0:
        streams.say(f"{many(unsent, 'report')} without an outcome, never sent: bulkpause continue does them.")
    if count:
        streams.say(f"{many(count, 'report')} not in the wanted state.")
    elif unsent <= 0:
        streams.say("Every report is in the wanted state.")


def chosen_statuses(text: str | None) -> frozenset[Status]:
    """The statuses that a list with commas names; all if there is none. Raises UsageError for an unknown word."""
    if text is None:
        return frozenset(Status) - {Status.INVALID}
    known = {status.value: frozenset({status}) for status in Status if status is not Status.INVALID}
    known["failed"] = NOT_DONE
    words = [word.strip().lower() for word in text.split(",")]
    if unknown := [word for word in words if word not in known]:
        raise UsageError(f"--status {unknown[0]}: is none of {', '.join(sorted(known))}.")
    return frozenset().union(*(known[word] for word in words))


def export(past: PastRun, statuses: frozenset[Status], *, form: str, output: Path | None) -> None:
    """The outcomes of these statuses, in the order in which they came. Raises UsageError if `output` is in the way."""
    outcomes = (one for one in outcomes_of(past) if one.report_id is not None and one.status in statuses)
    try:
        with nullcontext(sys.stdout) if output is None else _new_file(output) as stream:
            for chunk in _as_csv(outcomes) if form == "csv" else _as_json_lines(outcomes, past):
                stream.write(chunk)
    except FileExistsError:
        raise UsageError(f"{output} exists, and is not written over. Choose another name.") from None
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}.") from None


def _new_file(path: Path) -> TextIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline="")


def _as_csv(outcomes: Iterator[Outcome]) -> Iterator[str]:
    buffer = io.StringIO()
    rows = csv.writer(buffer, lineterminator="\n")
    rows.writerow(EXPORT_COLUMNS)
    for one in outcomes:
        more = (
            one.report_status,
            one.before,
            one.modified_time,
            one.tries,
            one.sent,
            one.elapsed_ms,
            one.correlation_id,
        )
        rows.writerow([*outcome_row(one), *more])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _as_json_lines(outcomes: Iterator[Outcome], past: PastRun) -> Iterator[str]:
    for one in outcomes:
        yield orjson.dumps(outcome_fields(one, operation=past.run.operation)).decode() + "\n"
