"""Undoing a run: a run of its own, over what the other one changed and nobody has changed since."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from bulkpause.manifest import Manifest
from bulkpause.models import Notice, Outcome, SourceCounts
from bulkpause.record import RunRecord
from bulkpause.runs.identity import Run
from bulkpause.tenant.snapshot import Snapshot
from bulkpause.work import Rows, Work
from bulkpause.work.undo import UndoPlan, plan_from_ledger, plan_from_look

BATCH: Final = 500


def undoing(
    run: Run,
    outcomes: Callable[[], Iterable[Outcome]],
    *,
    by_status: bool = False,
    signed_in_as: str | None = None,
) -> Work:
    """A run that reverses what another one's `outcomes` say it changed, as far as a look at the tenant bears it out.

    Without a look it goes by the outcomes alone.
    """
    manifest = Manifest(run.manifest_file)
    undone = run.operation.reverse

    def plan(snapshot: Snapshot | None) -> UndoPlan:
        if snapshot is None:
            return plan_from_ledger(outcomes(), operation=undone)
        return plan_from_look(outcomes(), snapshot.find, operation=undone, by_status=by_status)

    async def rows(snapshot: Snapshot | None, record: RunRecord) -> Rows:
        planned = await asyncio.to_thread(plan, snapshot)
        for one in planned.left_alone:
            record.notice(Notice("left_alone", one.to_dict()))
        await record.durable()
        entries = sorted(planned.entries, key=lambda entry: entry.row)  # a manifest's rows ascend; a ledger's need not
        batches = (entries[start : start + BATCH] for start in range(0, len(entries), BATCH))
        manifest.start(batches, counts=lambda: SourceCounts(accepted=len(entries)))
        return manifest

    return Work(opening=Notice("run_started", run.to_fields()), rows=rows, manifest=manifest, signed_in_as=signed_in_as)
