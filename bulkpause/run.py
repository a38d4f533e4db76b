"""One run from settings to files: the parts wired together around the engine, and what came of it."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Final

from bulkpause.audit import AuditLog
from bulkpause.client import warm_up
from bulkpause.clock import Clock
from bulkpause.closing import audit_error, close_ledger, latest, note_unread
from bulkpause.display import Display
from bulkpause.engine import Engine, EngineSettings
from bulkpause.errors import AuditCreateError, AuditError, AuthError, BulkpauseError, SourceError
from bulkpause.events import halt_fields
from bulkpause.gates import ReachGate
from bulkpause.logs import LazyLog
from bulkpause.manifest import Manifest
from bulkpause.models import Halt, HaltReason, Notice, SourceCounts, Status
from bulkpause.ports import nothing_known
from bulkpause.progress import Style
from bulkpause.record import RunRecord
from bulkpause.runs.identity import Run
from bulkpause.runs.report import RunReport, write_summary
from bulkpause.session import Session, connected, retry_policy
from bulkpause.settings import Settings, settings_digest
from bulkpause.signin import advice_for
from bulkpause.stopping import StopSignals, sole_cause, unless_stopped
from bulkpause.tenant.readback import take_snapshot, verify
from bulkpause.tenant.snapshot import Snapshot
from bulkpause.timing import curfew_for, with_rest
from bulkpause.watch import Watch
from bulkpause.work import Rows, Work, foreign_tenant

LOOKAHEAD_S: Final = 0.05
"""How far ahead of its slot an intent may be written: enough to hide a disk's commit, little to be in doubt about."""

LOG_READY_S: Final = 1.0
"""When structlog is imported in any case: after the first PUTs, which that would hold up."""

NO_SNAPSHOT: Final = (
    "the tenant's reports could not be read first (snapshot_failed in the audit log says why), so reports that were in "
    "the wanted state already count as changed by this run."
)
BLIND_UNDO: Final = (
    "the tenant's reports were not read first, so this undo went by the audit log of the other run alone: it could not "
    "know what somebody else has changed since."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """How a run speaks to its operator."""

    progress: Style
    log: LazyLog
    say: Callable[[str], None]
    """Says a line at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What lives as long as one run."""

    run: Run
    settings: Settings
    work: Work
    console: Console
    record: RunRecord
    report: RunReport
    signals: StopSignals
    clock: Clock


async def execute(
    run: Run, settings: Settings, work: Work, console: Console, *, clock: Clock, rng: random.Random, force: bool = False
) -> RunReport:
    """Send one request per row that needs one and record everything, whatever stops it.

    The caller holds the lock of the run's ledger. Raises AuditCreateError or ConfigError before anything is sent; a
    ledger that fails later is in the report. With `force` what is in the wanted state already is sent its request, too.
    """
    warm_up()
    now, log = clock.now(), console.log
    report = RunReport(
        run=run,
        started_at=work.started_at or now,
        finished_at=now,
        wall_s=0.0,
        summary=work.summary,
        was_continued=work.part > 0,
        source_has_ended=work.source_has_ended,
        warnings=list(work.warnings),
    )
    started_s = clock.monotonic_s()
    with StopSignals(say=console.say) as signals:
        async with AuditLog(run.audit_file, run_id=run.run_id, clock=clock, tail=work.tail) as audit:
            await _open_ledger(audit, work.opening, settings)
            report.summary.add_event(work.opening.event, work.opening.fields)
            record = RunRecord(
                operation=run.operation, audit=audit, summary=report.summary, log=log, redactor=log.redactor
            )
            parts = _Parts(
                run=run,
                settings=settings,
                work=work,
                console=console,
                record=record,
                report=report,
                signals=signals,
                clock=clock,
            )
            try:
                await _operate(parts, rng=rng, force=force)
            except Exception as error:  # noqa: BLE001 - it is raised again, or in the report
                report.audit_error = audit_error(error)
                if report.audit_error is None:
                    cause = sole_cause(error)
                    said = str(cause) if isinstance(cause, BulkpauseError) else type(cause).__name__
                    report.crash = log.redactor.text(said)
                    raise cause from None
            finally:
                if work.manifest is not None:
                    report.summary.duplicates = work.manifest.counts.duplicate
                report.finished_at = clock.now()
                report.wall_s = work.earlier_wall_s + clock.monotonic_s() - started_s
                note_unread(report)
                with suppress(AuditError):  # met again when the ledger is closed
                    record.certify(rate_per_s=settings.run.rate.per_s)
                await close_ledger(audit, report, settings)
                write_summary(report)
    return report


async def _operate(parts: _Parts, *, rng: random.Random, force: bool) -> None:
    """The session, the engine and what watches over it, alive together."""
    record, report, clock = parts.record, parts.report, parts.clock
    retry, clean = parts.settings.retry, parts.console.log.redactor.text
    watch = Watch(parts.settings.halt.when, now=clock.now, rng=rng, clean=clean)
    notify = watch.hearing(record.notice)
    async with connected(
        parts.settings,
        clock=clock,
        rng=rng,
        notify=notify,
        learn=parts.console.log.redactor.learn,
        say=parts.console.say,
        departed=record.departed,
    ) as session:
        parts.console.log.info("sign_in.flow", flow=session.flow)
        reach = ReachGate(max_tries=retry.max_tries, deadline_s=retry.deadline_s, clock=clock)
        curfew = curfew_for(parts.settings, clock=clock)
        engine = Engine(
            engine_settings(parts.run, parts.settings, force=force),
            api=session.api,
            gates=(session.hold, reach, session.breaker, session.token_gate, *session.pacing),
            record=record,
            clock=clock,
            rng=rng,
            curfew=curfew,
        )
        display = Display(
            parts.settings,
            parts.work.manifest,
            title=parts.run.operation.value,
            style=parts.console.progress,
            record=record,
            engine=engine,
            session=session,
            curfew=curfew,
        )

        def note_stop(number: int) -> None:
            with suppress(AuditError):  # the engine meets the same error, and the run ends by that
                record.notice(Notice("stop_requested", {"signal": number}))

        with parts.signals.steering(engine, status=display.progress.status, on_stop=note_stop):
            async with asyncio.TaskGroup() as group:
                companions = (
                    group.create_task(display.progress.show()),
                    group.create_task(display.outlook.keep_looking(display.moment)),
                    group.create_task(
                        curfew.watch(engine, held_s=lambda: max(session.hold.held_s(), session.breaker.wait_s()))
                    ),
                    group.create_task(_ready_log(parts.console.log, clock)),
                )
                snapshot = await _snapshot(parts, engine, session)
                rows = await _rows(parts, engine, snapshot)
                display.begin(rows)
                group.create_task(_note_source_end(parts.work.manifest, record, report))
                before = nothing_known if snapshot is None else snapshot.before
                await engine.run(
                    rows,
                    before=before,
                    watch=lambda outcome: watch.observe(outcome, is_news=record.is_news(outcome)),
                )
                report.forecast = display.outlook.looking_back(left=report.left)
                if parts.settings.run.verify:
                    if not engine.stopping and engine.halted is None:
                        await unless_stopped(engine.stop_requested, _verify(parts, session))
                    if engine.stopping or engine.halted is not None:
                        report.warnings.append(
                            f"not verified. For that, type {report.command('verify', parts.run.directory)}"
                        )
                for companion in companions:
                    companion.cancel()
        report.stop_signal = parts.signals.received
        halt = engine.halted
        if halt is None and report.stop_signal is None and (halt := session.token_gate.final()) is not None:
            record.notice(Notice("halted", halt_fields(halt)))
        if halt is not None and halt.reason is HaltReason.TIME_LIMIT:
            halt = with_rest(halt, display.outlook.of(report.left))
        counts = report.summary.by_status
        if (
            counts[Status.DENIED]
            and not counts[Status.SUCCEEDED]
            and (advice := advice_for(parts.settings, session.flow))
        ):
            report.warnings.append(f"this app alone was denied every change. {advice}.")
        report.halt = halt and Halt(halt.reason, clean(halt.message), tuple(map(clean, halt.causes)))
        report.crash = None


async def _ready_log(log: LazyLog, clock: Clock) -> None:
    """Import what the log needs in a thread, before a line of it would hold up the event loop."""
    await clock.sleep(LOG_READY_S)
    await asyncio.to_thread(log.prepare)


async def _snapshot(parts: _Parts, engine: Engine, session: Session) -> Snapshot | None:
    """The tenant's reports before anything is sent; None, and a warning, if they could not be read."""
    snapshot = None
    manifest = parts.work.manifest
    if (
        manifest is not None
        and parts.run.undoes is None
        and not await unless_stopped(engine.stop_requested, manifest.begun())
    ):
        return None  # nothing is asked of a service that there is nothing to do at
    await _note_tenant(parts, engine, session)
    if parts.settings.run.snapshot and not engine.stopping:
        file = parts.run.snapshot_file(parts.work.part)
        try:
            found = await unless_stopped(engine.stop_requested, take_snapshot(session, file, parts.record))
        except AuthError as error:
            engine.halt_without_token(error)
        else:
            if isinstance(found, Halt):
                engine.halt(found)
            else:
                snapshot = found
    if snapshot is None and not engine.stopping:
        if parts.run.undoes is not None:
            parts.report.warnings.append(BLIND_UNDO)
        elif parts.settings.run.snapshot:
            parts.report.warnings.append(NO_SNAPSHOT)
    return snapshot


async def _note_tenant(parts: _Parts, engine: Engine, session: Session) -> None:
    """Write down whose token it is; a run that would go on with another tenant's ends before it sends anything."""
    try:
        tenant_id = await unless_stopped(engine.stop_requested, session.tenant_id())
    except AuthError as error:
        engine.halt_without_token(error)
        return
    if engine.stopping:
        return
    parts.record.notice(Notice("signed_in", {"tenant_id": tenant_id}))
    if (flaw := foreign_tenant(tenant_id, parts.work.signed_in_as)) is not None:
        engine.halt(Halt(HaltReason.NOT_AUTHORISED, f"{flaw}. Nothing was sent."))


async def _rows(parts: _Parts, engine: Engine, snapshot: Snapshot | None) -> Rows:
    """What is to be done. An undo that is stopped before its look has no rows: a continuation would go on blindly."""
    manifest = parts.work.manifest
    if manifest is None or parts.run.undoes is None or not engine.stopping:
        return await parts.work.rows(snapshot, parts.record)
    manifest.stop()
    manifest.start((), counts=SourceCounts)
    return manifest


async def _verify(parts: _Parts, session: Session) -> None:
    """Read back what the run claims, and write down what came of it."""
    record, report = parts.record, parts.report
    await record.durable()
    record.notice(Notice("verification_started", {}))
    found = await verify(session, record, lambda: latest(report), operation=parts.run.operation)
    if found.error is not None:
        report.warnings.append(f"not verified: {parts.console.log.redactor.text(found.error).rstrip('.')}.")
    record.notice(Notice("verified", {"counts": found.to_dict()}))


async def _note_source_end(manifest: Manifest | None, record: RunRecord, report: RunReport) -> None:
    """Once the source has ended, write down what it held: without this line the manifest may be a part only."""
    if manifest is None:
        return
    try:
        counts = await manifest.filled()
    except SourceError:
        return  # the engine meets the same error in the feed, and halts
    if manifest.is_whole:
        report.source_has_ended = True
        fields = {"read": counts.read, **asdict(counts), "manifest_sha256": manifest.sha256}
        record.notice(Notice("source_read", fields))


def engine_settings(run: Run, settings: Settings, *, force: bool = False) -> EngineSettings:
    """What the engine needs of the settings."""
    return EngineSettings(
        operation=run.operation,
        concurrency=settings.run.concurrency,
        lookahead=max(2, math.ceil(settings.run.rate.per_s * LOOKAHEAD_S)),
        drain_timeout_s=settings.run.drain_timeout_s,
        force=force,
        retry=retry_policy(settings),
    )


async def _open_ledger(audit: AuditLog, opening: Notice, settings: Settings) -> None:
    """The first line, durable before anything else is done; a disk that cannot take it is found here."""
    try:
        audit.write(opening.event, {**opening.fields, "settings_sha256": settings_digest(settings)})
        await audit.durable()
    except AuditError as error:
        raise AuditCreateError(str(error)) from None
