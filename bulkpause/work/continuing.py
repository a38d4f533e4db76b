"""Going on with a run from its directory alone: what is settled by a look, and the rows that are left."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulkpause.chain import Tail
from bulkpause.errors import ConfigError, SourceError
from bulkpause.manifest import read_manifest
from bulkpause.models import Entry, Notice, Reject, SourceCounts, Status
from bulkpause.record import RunRecord
from bulkpause.replay import Replay
from bulkpause.runs.identity import Run
from bulkpause.settings import Settings
from bulkpause.tenant.snapshot import Snapshot
from bulkpause.tenant.verify import resolved
from bulkpause.work import Rows, Work


@dataclass(slots=True)
class Left:
    """The rows of a manifest that a run still owes a request. A Feed."""

    manifest_file: Path
    replay: Replay
    failed: frozenset[Status]
    counts: SourceCounts
    is_filled: bool = True

    async def batches(self) -> AsyncGenerator[Sequence[Entry | Reject], None]:
        """They, in the order of the source. Raises SourceError if the manifest cannot be read."""
        for batch in read_manifest(self.manifest_file, may_skip=self._is_done):
            yield [row for row in batch if self.replay.needs(row.row, failed=self.failed)]
            await asyncio.sleep(0)  # a run that is nearly done has little to wait for in between

    def _is_done(self, first: int, last: int) -> bool:
        return not self.replay.needs_any(first, last, failed=self.failed)

    def stop(self) -> None:
        """Nothing: all rows are pinned, and the engine ends those that are left."""


def continuation(
    run: Run,
    replay: Replay,
    tail: Tail,
    *,
    left: SourceCounts,
    failed: frozenset[Status] = frozenset(),
) -> Work:
    """The rest of `run`, whose ledger `replay` was folded from: never sent, in doubt, cut short, and `failed` ones.

    `left` is what `count_left` counts of them. Raises SourceError if the manifest is not the one that was pinned.
    """
    check_manifest(run.manifest_file, replay)

    async def rows(snapshot: Snapshot | None, record: RunRecord) -> Rows:
        settle_unfinished(replay, record)
        if snapshot is not None:
            left.accepted -= resolve_doubts(replay, record, snapshot)
        await record.durable()
        return Left(run.manifest_file, replay, failed, left)

    first = replay.parts[0]
    return Work(
        opening=Notice(
            "run_continued",
            {
                **run.to_fields(),
                "retries": sorted(failed),
                "cut_bytes": tail.cut_bytes,
                "foreign_lines": replay.foreign,
            },
        ),
        rows=rows,
        manifest=None,
        source_has_ended=replay.source is not None,
        summary=replay.summary,
        tail=tail,
        part=len(replay.parts),
        signed_in_as=replay.signed_in_as,
        started_at=first.started,
        earlier_wall_s=sum(part.wall_s for part in replay.parts),
        warnings=_damage(replay, tail),
    )


def _damage(replay: Replay, tail: Tail) -> tuple[str, ...]:
    """What the operator must know of a ledger that is not as the run before has meant to leave it."""
    said = []
    if tail.cut_bytes:
        said.append(f"the audit log's last line was torn by the crash: {tail.cut_bytes:,} bytes were cut.")
    if replay.foreign:
        lines = "1 line" if replay.foreign == 1 else f"{replay.foreign:,} lines"
        said.append(f"passed over {lines} of the audit log that this run did not write; see bulkpause audit verify.")
    return tuple(said)


def check_same(run: Run, settings: Settings, *, is_sandbox: bool) -> None:
    """Raise ConfigError unless the settings lead to the tenant and the service that `run` was about."""
    if is_sandbox != run.is_sandbox:
        where, flag = ("the sandbox", "with") if run.is_sandbox else (run.target, "without")
        raise ConfigError(f"run {run.run_id} was about {where}: call it again {flag} --sandbox.")
    if is_sandbox:
        return
    told: dict[str, tuple[Any, Any]] = {
        "api.base_url": (run.target, settings.api.base_url),
        "auth.tenant_id": (run.tenant_id, settings.auth.tenant_id),
    }
    for key, (then, now) in told.items():
        if then != now:
            raise ConfigError(
                f"run {run.run_id} was about {key} {then or 'not set'}, and the settings say {now or 'not set'}. "
                "Nothing was sent: set it as it was, see bulkpause config show."
            )


def check_manifest(file: Path, replay: Replay) -> None:
    """Raise SourceError if the file is not what the ledger says was pinned."""
    if replay.manifest_sha256 is None:
        return
    try:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"{file}: cannot be read: {error.strerror}.") from error
    if digest != replay.manifest_sha256:
        raise SourceError(f"{file} was changed after the run had pinned it. Nothing was sent.")


def count_left(file: Path, replay: Replay, failed: frozenset[Status]) -> SourceCounts:
    """What is left of the manifest. Raises SourceError if it cannot be read."""
    if (known := replay.left(failed=failed)) is not None:
        return known
    counts = SourceCounts()
    unfinished = {waiting.row for waiting in replay.unfinished.values()}
    for batch in read_manifest(file):
        for row in batch:
            if row.row in unfinished or replay.needs(row.row, failed=failed):
                counts.accepted += isinstance(row, Entry)
                counts.invalid += isinstance(row, Reject)
    return counts


def settle_unfinished(replay: Replay, record: RunRecord) -> None:
    """Give every report whose attempts a crash cut short the outcome that it has until somebody goes on with it."""
    for report_id, waiting in replay.unfinished.items():
        outcome = waiting.outcome(report_id)
        record.outcome(outcome)
        if outcome.status is Status.UNKNOWN:
            replay.doubtful[outcome.row] = outcome
    replay.unfinished.clear()


def resolve_doubts(replay: Replay, record: RunRecord, snapshot: Snapshot) -> int:
    """Settle the doubts about reports that are in the wanted state, and say how many; the others are sent again."""
    settled = 0
    for outcome in list(replay.doubtful.values()):
        now = resolved(outcome, snapshot.find, operation=replay.operation)
        if now is not None and now.status.is_good:
            record.resolved(now)
            del replay.doubtful[outcome.row]
            settled += 1
    return settled
