"""The end of a run on disk: the files drawn from the ledger, its last line, and what may have failed by then."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from bulkpause import audit as ledger
from bulkpause.audit import AuditLog
from bulkpause.errors import AuditError, ConfigError
from bulkpause.models import HaltReason, Outcome, Status
from bulkpause.proof.signing import load_key, signature_file, write_signature
from bulkpause.replay import latest_outcomes
from bulkpause.runs.extracts import write_failed, write_left_alone
from bulkpause.runs.report import RunReport
from bulkpause.settings import Settings


async def close_ledger(audit: AuditLog, report: RunReport, settings: Settings) -> None:
    """The last line, and its signature where one is wanted; a ledger that fails now is what stopped the run."""
    try:
        if report.audit_error is None:
            await audit.durable()
            await asyncio.to_thread(write_extracts, report)  # reads it all; a signal must not wait for that
            report.sealed = audit.seal("run_finished", {"summary": report.to_dict()})
            await audit.durable()
            await asyncio.to_thread(sign, report, settings)
    except AuditError as error:
        report.audit_error = error


def sign(report: RunReport, settings: Settings) -> None:
    """Sign what the last line vouches for, if the settings name a key; a signature that fails is a warning."""
    file, closing, run = settings.audit.signing_key_file, report.sealed, report.run
    if file is None and signature_file(run.audit_file).exists():
        report.warnings.append(
            "the audit log was signed, and is longer now: with audit.signing_key_file set, bulkpause verify signs it "
            "anew."
        )
    if file is None or closing is None:
        return
    try:
        key = load_key(file)
        now = report.finished_at
        write_signature(key, run.audit_file, run_id=run.run_id, lines=closing.lines, head=closing.head, now=now)
    except (ConfigError, OSError) as error:
        report.warnings.append(f"the audit log is not signed: {error}")


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
    if not report.source_has_ended and report.run.undoes is not None:
        report.warnings.append(
            f"stopped before it had found out what there is to undo: undo {report.run.undoes} again."
        )
    elif not report.source_has_ended and not failed:
        rows = report.summary.done + report.summary.duplicates
        report.warnings.append(
            f"the source was read up to its row {rows:,}, perhaps not to its end; give it again for the rest."
        )


def audit_error(error: Exception) -> AuditError | None:
    """The failed write behind `error`; None if there is more to it, which is our bug or the configuration's."""
    if isinstance(error, ExceptionGroup):
        found, others = error.split(AuditError)
        if found is None or others is not None:
            return None
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
    return error if isinstance(error, AuditError) else None
