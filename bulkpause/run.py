"""One run from settings to files: the parts wired together around the engine, and what came of it."""

from __future__ import annotations

import asyncio
import hashlib
import math
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from bulkpause import __version__
from bulkpause.audit import AuditLog
from bulkpause.auth import TokenGate, Tokens
from bulkpause.client import ClientSettings, ReportClient, warm_up
from bulkpause.clock import Clock
from bulkpause.engine import Engine, EngineSettings
from bulkpause.errors import AuditCreateError, AuditError, BulkpauseError, SourceError
from bulkpause.failed import write_failed
from bulkpause.gates import HoldGate, RateGate, ReachGate
from bulkpause.lock import LedgerLock
from bulkpause.logs import LazyLog
from bulkpause.manifest import Manifest
from bulkpause.models import HaltReason, Notice, SourceCounts, Status
from bulkpause.progress import Progress, Snapshot, Style
from bulkpause.record import RunRecord
from bulkpause.retry import RetryPolicy
from bulkpause.rundir import Run, RunReport, write_summary
from bulkpause.settings import Settings, setting_values
from bulkpause.signin import acquire_for
from bulkpause.stopping import StopSignals
from bulkpause.summary import RunSummary

LOOKAHEAD_S: Final = 0.05
"""How far ahead of its slot an intent may be written: enough to hide a disk's commit, little to be in doubt about."""

LOG_READY_S: Final = 1.0
"""When structlog is imported in any case: after the first PUTs, which that would hold up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """How a run speaks to its operator."""

    progress: Style
    log: LazyLog
    say: Callable[[str], None]
    """Says a line at once."""


async def execute(run: Run, manifest: Manifest, console: Console, *, clock: Clock, rng: random.Random) -> RunReport:
    """Send one request per pinned id and record everything, whatever stops it.

    Raises AuditCreateError or ConfigError before anything is sent; a ledger that fails later is in the report.
    """
    warm_up()
    now = clock.now()
    report = RunReport(run=run, started_at=now, finished_at=now, wall_s=0.0, summary=RunSummary())
    started_s = clock.monotonic_s()
    with StopSignals(say=console.say) as signals, LedgerLock(run.audit_file, now=now):
        async with AuditLog(run.audit_file, run_id=run.run_id, clock=clock) as audit:
            await _open_ledger(audit, run)
            try:
                await _operate(run, manifest, console, audit, report, signals=signals, clock=clock, rng=rng)
            except Exception as error:
                report.audit_error = _audit_error(error)
                if report.audit_error is None:
                    report.crash = str(error) if isinstance(error, BulkpauseError) else type(error).__name__
                    raise
            finally:
                report.summary.duplicates = manifest.counts.duplicate
                report.finished_at = clock.now()
                report.wall_s = clock.monotonic_s() - started_s
                _note_unread(report)
                await _close_ledger(audit, report)
                write_summary(report)
    return report


async def _operate(
    run: Run,
    manifest: Manifest,
    console: Console,
    audit: AuditLog,
    report: RunReport,
    *,
    signals: StopSignals,
    clock: Clock,
    rng: random.Random,
) -> None:
    """The parts of one run, alive together."""
    settings, redactor = run.settings, console.log.redactor
    record = RunRecord(operation=run.operation, audit=audit, summary=report.summary, log=console.log, redactor=redactor)
    tokens = Tokens(
        acquire_for(settings, clock=clock), clock, notify=record.notice, token_timeout_s=settings.auth.timeout_s
    )
    hold = HoldGate(cap_s=settings.retry.retry_after_cap_s, clock=clock, notify=record.notice)
    reach = ReachGate(max_tries=settings.retry.max_tries, deadline_s=settings.retry.deadline_s, clock=clock)
    token_gate = TokenGate(tokens)
    rate = RateGate(per_s=settings.run.rate.per_s)
    async with ReportClient(client_settings(settings), tokens=tokens, clock=clock) as api:
        engine = Engine(
            engine_settings(run), api=api, gates=(hold, reach, token_gate, rate), record=record, clock=clock, rng=rng
        )
        progress = Progress(
            console.progress,
            title=run.operation.value,
            snapshot=lambda: _snapshot(report.summary, engine, hold, manifest),
            clock=clock,
        )

        def note_stop(number: int) -> None:
            with suppress(AuditError):  # the engine meets the same error, and the run ends by that
                record.notice(Notice("stop_requested", {"signal": number}))

        with signals.steering(engine, status=progress.status, on_stop=note_stop):
            async with asyncio.TaskGroup() as group:
                source_end = group.create_task(_note_source_end(manifest, engine, record, report))
                companions = (
                    group.create_task(progress.show()),
                    group.create_task(_ready_log(console.log, clock)),
                )
                await engine.run(manifest)
                if engine.stopping:
                    source_end.cancel()
                for companion in companions:
                    companion.cancel()
        report.stop_signal = signals.received
        halt = engine.halted or (token_gate.final() if report.stop_signal is None else None)
        report.halt = halt and replace(halt, message=redactor.text(halt.message))
        report.crash = None


async def _ready_log(log: LazyLog, clock: Clock) -> None:
    """Import what the log needs in a thread, before a line of it would hold up the event loop."""
    await clock.sleep(LOG_READY_S)
    await asyncio.to_thread(log.prepare)


def _snapshot(summary: RunSummary, engine: Engine, hold: HoldGate, manifest: Manifest) -> Snapshot:
    invalid = summary.by_status[Status.INVALID]
    return Snapshot(
        done=summary.done - invalid,
        total=manifest.counts.accepted if manifest.is_filled else None,
        failed=summary.failed - invalid,
        throttled=summary.throttled,
        in_flight=engine.in_flight,
        held_s=hold.held_s(),
        stopping=engine.stopping,
    )


async def _note_source_end(manifest: Manifest, engine: Engine, record: RunRecord, report: RunReport) -> None:
    """Once the source has ended, write down what it held: without this line the manifest may be a part only."""
    try:
        counts = await manifest.filled()
    except SourceError:
        return  # the engine meets the same error in the feed, and halts
    if not engine.stopping:  # a stop ends the manifest too, wherever the source may be
        report.source_has_ended = True
        record.notice(Notice("source_read", {**source_counts(counts), "manifest_sha256": manifest.sha256}))


def source_counts(counts: SourceCounts) -> dict[str, int]:
    """JSON form of the source's counts."""
    return {
        "read": counts.read,
        "accepted": counts.accepted,
        "duplicate": counts.duplicate,
        "invalid": counts.invalid,
    }


def client_settings(settings: Settings) -> ClientSettings:
    """What the HTTP client needs of the settings."""
    api = settings.api
    return ClientSettings(
        base_url=api.base_url,
        connections=settings.run.concurrency,
        timeout_s=api.timeout_s,
        connect_timeout_s=api.connect_timeout_s,
        ca_file=api.ca_file,
        proxy=None if api.proxy is None else api.proxy.reveal(),
    )


def engine_settings(run: Run) -> EngineSettings:
    """What the engine needs of the settings."""
    settings = run.settings
    return EngineSettings(
        operation=run.operation,
        concurrency=settings.run.concurrency,
        lookahead=max(2, math.ceil(settings.run.rate.per_s * LOOKAHEAD_S)),
        drain_timeout_s=settings.run.drain_timeout_s,
        retry=RetryPolicy(
            max_tries=settings.retry.max_tries,
            deadline_s=settings.retry.deadline_s,
            backoff_base_s=settings.retry.backoff_base_s,
            backoff_cap_s=settings.retry.backoff_cap_s,
        ),
    )


async def _open_ledger(audit: AuditLog, run: Run) -> None:
    """The first line, durable before anything else is done; a disk that cannot take it is found here."""
    try:
        audit.write(
            "run_started",
            {
                "operation": run.operation.value,
                "tenant_id": run.settings.auth.tenant_id,
                "target": run.settings.api.base_url,
                "sandbox": run.is_sandbox,
                "source": run.source_name,
                "settings_sha256": settings_digest(run.settings),
                "version": __version__,
            },
        )
        await audit.durable()
    except AuditError as error:
        raise AuditCreateError(str(error)) from None


def settings_digest(settings: Settings) -> str:
    """SHA-256 over every setting with secrets masked: two runs with the same digest were told the same."""
    text = "\n".join(f"{key}={value}" for key, value in setting_values(settings).items())
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()


def _note_unread(report: RunReport) -> None:
    """Say so if the source may hold more than this run has read: no file of it names the rest."""
    failed = report.halt is not None and report.halt.reason is HaltReason.SOURCE_FAILED  # says so itself
    if not report.source_has_ended and not failed:
        rows = report.summary.done + report.summary.duplicates
        report.warnings.append(f"the source was read up to its row {rows:,} only; give it again for the rest.")


async def _close_ledger(audit: AuditLog, report: RunReport) -> None:
    """The last line, unless the ledger has failed; if it fails now, that is what stopped the run."""
    try:
        if report.audit_error is None:
            await audit.durable()
            await asyncio.to_thread(_write_failed, report)  # reads it all; a signal must not wait for that
            audit.seal("run_finished", {"summary": report.to_dict()})
            await audit.durable()
    except AuditError as error:
        report.audit_error = error


def _write_failed(report: RunReport) -> None:
    """`failed.csv` from the ledger, where there is something to do again; if that fails the report says so."""
    summary = report.summary
    if report.audit_error is not None or summary.failed == summary.by_status[Status.INVALID]:
        return
    target = report.run.directory / "failed.csv"
    try:
        write_failed(report.run.audit_file, target)
    except (OSError, ValueError) as error:
        report.warnings.append(f"cannot write {target}: {error}.")
    else:
        report.failed_file = target


def _audit_error(error: Exception) -> AuditError | None:
    """The failed write behind `error`; None if there is more to it, which is our bug or the configuration's."""
    if isinstance(error, ExceptionGroup):
        found, others = error.split(AuditError)
        if found is None or others is not None:
            return None
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
    return error if isinstance(error, AuditError) else None
