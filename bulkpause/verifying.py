"""Verifying a run that was: its reports read back, and what comes of that written behind the rest of its ledger."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bulkpause import __version__
from bulkpause.audit import AuditLog
from bulkpause.clock import Clock
from bulkpause.closing import sign, write_extracts
from bulkpause.errors import AuthError
from bulkpause.logs import LazyLog
from bulkpause.models import Notice, Verdict
from bulkpause.record import RunRecord
from bulkpause.runs.past import PastRun, outcomes_of, report_of
from bulkpause.runs.report import RunReport, write_summary
from bulkpause.session import Session, connected
from bulkpause.settings import Settings, settings_digest
from bulkpause.stopping import StopSignals, unless_stopped
from bulkpause.tenant.readback import verify
from bulkpause.tenant.verify import Verification
from bulkpause.work import foreign_tenant
from bulkpause.work.continuing import settle_unfinished


class _Look:
    """What a stop means to a verification: no further look, and what was found until then is kept."""

    in_flight = 0

    def __init__(self) -> None:
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Look no further."""
        self._stopped.set()

    def cancel(self) -> None:
        """The same."""
        self._stopped.set()

    async def stop_requested(self) -> None:
        """Wait for that."""
        await self._stopped.wait()


async def verify_run(
    past: PastRun,
    settings: Settings,
    log: LazyLog,
    *,
    clock: Clock,
    rng: random.Random,
    say: Callable[[str], None],
) -> tuple[Verification, RunReport]:
    """What the service says of the run's outcomes, and what the run comes to with that.

    The caller holds the ledger's lock. Doubts that are settled by it change the outcome in place. A signal ends it, and
    the ledger is closed all the same. Raises AuditError if the ledger cannot be written.
    """
    run, replay, look = past.run, past.replay, _Look()
    with StopSignals(say=say) as signals, signals.steering(look, status=lambda: "verifying", on_stop=lambda _: None):
        async with AuditLog(run.audit_file, run_id=run.run_id, clock=clock, tail=past.tail) as audit:
            record = RunRecord(
                operation=run.operation, audit=audit, summary=replay.summary, log=log, redactor=log.redactor
            )
            record.notice(Notice("verification_started", _opening(past, settings)))
            settle_unfinished(replay, record)
            await record.durable()
            async with connected(
                settings, clock=clock, rng=rng, notify=record.notice, learn=log.redactor.learn, say=say
            ) as session:
                log.info("sign_in.flow", flow=session.flow)
                found = await unless_stopped(look.stop_requested, _look_at(past, session, record))
            if found is None:
                found = Verification(error="stopped before the end", stop_signal=signals.received)
            await record.durable()
            found.error = found.error and log.redactor.text(found.error).rstrip(".")
            fields = {"counts": found.to_dict()}
            replay.summary.add_event("verified", fields)
            report = report_of(past)
            await asyncio.to_thread(write_extracts, report)
            report.sealed = audit.seal("verified", fields)
            await audit.durable()
            await asyncio.to_thread(sign, report, settings)
        write_summary(report)
    return found, report


async def _look_at(past: PastRun, session: Session, record: RunRecord) -> Verification:
    with suppress(AuthError):  # met again by the look, and told as its outcome
        if (flaw := foreign_tenant(await session.tenant_id(), past.replay.signed_in_as)) is not None:
            return Verification(error=flaw, verdict=Verdict.UNAUTHORISED)
    return await verify(session, record, lambda: outcomes_of(past), operation=past.run.operation)


def _opening(past: PastRun, settings: Settings) -> dict[str, Any]:
    return {
        "cut_bytes": past.tail.cut_bytes,
        "foreign_lines": past.replay.foreign,
        "settings_sha256": settings_digest(settings),
        "version": __version__,
    }
