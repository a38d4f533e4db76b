"""Reading the tenant back: before a run, to know what it finds, and after it, to know whether it is so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from bulkpause.errors import AuthError, NoWayError, TokenUnavailableError
from bulkpause.models import Halt, Notice, Operation, Outcome, Verdict
from bulkpause.record import RunRecord
from bulkpause.reports import Listing
from bulkpause.session import Session
from bulkpause.tenant.snapshot import Snapshot
from bulkpause.tenant.verify import (
    MISMATCHES,
    Finding,
    Verification,
    contradicted,
    first_look,
    is_claimed,
    is_contradicted,
    judge,
    resolved,
)

SNAPSHOT_LIMIT_S: Final = 300.0
"""How long a run waits for the list of reports before it goes on without."""

SETTLE_S: Final = 2.0
"""How long a service may take to show what it has confirmed."""


async def take_snapshot(session: Session, file: Path, record: RunRecord) -> Snapshot | Halt | None:
    """The tenant's reports before anything is done, kept in `file`; None, loudly, if they cannot be read or kept.

    A Halt if the service asks for a longer wait than is allowed.
    Raises AuthError if no token is to be had.
    """
    started_s = session.clock.monotonic_s()
    listing = await _read(session)
    snapshot = await asyncio.to_thread(Snapshot, listing.reports)
    flaw = listing.error or await asyncio.to_thread(_keep, snapshot, file)
    fields = {
        "requests": listing.requests,
        "elapsed_ms": round((session.clock.monotonic_s() - started_s) * 1000),
        "file": file.name,
    }
    if flaw is not None:
        record.notice(Notice("snapshot_failed", {"error": flaw, **fields}))
        return listing.halt
    record.notice(Notice("snapshot_taken", {"reports": len(snapshot), "unreadable": listing.unreadable, **fields}))
    return snapshot


async def _read(session: Session) -> Listing:
    try:
        async with asyncio.timeout(SNAPSHOT_LIMIT_S):
            return await session.read_reports()
    except TimeoutError:
        return Listing((), f"the list of reports was not read within {SNAPSHOT_LIMIT_S:g} s", 0, 0)


def _keep(snapshot: Snapshot, file: Path) -> str | None:
    """Write the snapshot; why not, if it cannot be written."""
    try:
        snapshot.write(file)
    except OSError as error:
        return f"cannot write {file}: {error.strerror}"
    return None


async def verify(
    session: Session,
    record: RunRecord,
    outcomes: Callable[[], Iterable[Outcome]],
    *,
    operation: Operation,
    settle_s: float = SETTLE_S,
) -> Verification:
    """Hold the run's outcomes against the service: settle what is in doubt, and name what is not as claimed.

    What does not hold at the first look is looked at again after `settle_s`. Raises OSError if `outcomes` do.
    """
    found = Verification()
    listing = await _look(session)
    found.requests = listing.requests
    pending: list[Outcome] = []
    if listing.error is None:
        snapshot = Snapshot(listing.reports)
        found.counts[Finding.CONVERGED], pending = await asyncio.to_thread(
            lambda: first_look(outcomes(), snapshot.find, operation=operation)
        )
    if pending:
        await session.clock.sleep(settle_s)
        listing = await _look(session)
        found.requests += listing.requests
    if listing.error is None:
        snapshot = Snapshot(listing.reports)
        for outcome in pending:
            found.counts[_settle(outcome, snapshot, record, operation=operation)] += 1
    else:
        found.error, found.verdict, found.halt = listing.error, listing.verdict, listing.halt
        claimed = await asyncio.to_thread(lambda: sum(map(is_claimed, outcomes())))
        found.counts[Finding.UNREADABLE] = claimed - found.counts[Finding.CONVERGED]
    return found


async def _look(session: Session) -> Listing:
    """The tenant's reports; without a token none, and why."""
    try:
        return await session.read_reports()
    except AuthError as error:
        is_away = isinstance(error, (NoWayError, TokenUnavailableError))
        return Listing((), str(error), 0, 0, Verdict.UNANSWERED if is_away else Verdict.UNAUTHORISED)


def _settle(outcome: Outcome, snapshot: Snapshot, record: RunRecord, *, operation: Operation) -> Finding:
    """What the second look says, written down where it is not as claimed."""
    finding = judge(outcome, snapshot.find, operation=operation)
    if not outcome.status.is_good and not (is_contradicted(outcome) and finding in MISMATCHES):
        now = resolved(outcome, snapshot.find, operation=operation)
        if now is None:
            return Finding.UNREADABLE
        record.resolved(now)
        return Finding.RESOLVED
    if finding is Finding.CONVERGED:
        return Finding.LATE
    report = None if outcome.report_id is None else snapshot.find(outcome.report_id)
    fields = {
        "finding": finding.value,
        "report_id": outcome.report_id,
        "status": outcome.status.value,
        "report_status": None if report is None else report.report_status,
        "modified_time": None if report is None else report.modified_time,
        "row": outcome.row,
    }
    record.notice(Notice("finding", fields))
    if finding is Finding.CONTRADICTED and report is not None:
        record.resolved(contradicted(outcome, report))
    return finding
