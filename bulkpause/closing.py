"""The end of a run on disk: the files drawn from the ledger, its last line, and what may have failed by then."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from bulkpause import audit as ledger
from bulkpause.audit import AuditLog
from bulkpause.errors import AuditError
from bulkpause.extracts import write_failed, write_left_alone
from bulkpause.models import HaltReason, Outcome, Status
from bulkpause.replay import latest_outcomes
from bulkpause.runreport import RunReport


async def close_ledger(audit: AuditLog, report: RunReport) -> None:
    """The last line, unless the ledger has failed; if it fails now, that is what stopped the run."""
    try:
        if report.audit_error is None:
            await audit.durable()
            await asyncio.to_thread(write_extracts, report)  # reads it all; a signal must not wait for that
            report.audit_lines, report.audit_head = audit.seal("run_finished", {"summary": report.to_dict()})
            await audit.durable()
    except AuditError as error:
        report.audit_error = error


def write_extracts(report: RunReport) -> None:
    """`failed.csv` and `left-alone.csv` from the ledger, where there is something for them."""
    run, summary = report.run, report.summary
    report.failed_file = None
    try:
        if summary.failed > summary.by_status[Status.INVALID]:
            write_failed(run.audit_file, run.failed_file, summary.ends)
            report.failed_file = run.failed_file
        else:
            run.failed_file.unlink(missing_ok=True)
        if summary.left_alone:
            write_left_alone(run.audit_file, run.left_alone_file)
    except OSError as error:
        report.warnings.append(f"cannot write {error.filename or run.failed_file}: {error.strerror}.")


def latest(report: RunReport) -> Iterator[Outcome]:
    """Of every row the outcome that counts, read from the ledger. Raises OSError if it cannot be read."""
    return latest_outcomes(ledger.read(report.run.audit_file), report.summary.ends)


def note_unread(report: RunReport) -> None:
    """Say so if the source may hold more than this run has read: no file of it names the rest."""
    failed = report.halt is not None and report.halt.reason is HaltReason.SOURCE_FAILED  # says so itself
    if not report.source_has_ended and not failed:
        rows = report.summary.done + report.summary.duplicates
        report.warnings.append(f"the source was read up to its row {rows:,} only; give it again for the rest.")


def audit_error(error: Exception) -> AuditError | None:
    """The failed write behind `error`; None if there is more to it, which is our bug or the configuration's."""
    if isinstance(error, ExceptionGroup):
        found, others = error.split(AuditError)
        if found is None or others is not None:
            return None
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
    return error if isinstance(error, AuditError) else None


def sole_cause(error: Exception) -> Exception:
    """What a group of one comes to; anything else as it is."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
