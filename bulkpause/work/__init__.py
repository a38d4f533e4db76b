"""What a run is to do: the rows it takes, found out once the tenant has been read, and what came before it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bulkpause.chain import Tail
from bulkpause.manifest import Manifest
from bulkpause.models import Notice, SourceCounts
from bulkpause.ports import Feed
from bulkpause.record import RunRecord
from bulkpause.runs.identity import Run
from bulkpause.summary import RunSummary
from bulkpause.tenant.snapshot import Snapshot


class Rows(Feed, Protocol):
    """A Feed that can say how many rows it has."""

    @property
    def counts(self) -> SourceCounts:
        """Rows known so far."""

    @property
    def is_filled(self) -> bool:
        """Whether `counts` is final."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a run is to do, and what earlier parts of it came to."""

    opening: Notice
    """The ledger line that everything else stands behind."""
    rows: Callable[[Snapshot | None, RunRecord], Awaitable[Rows]]
    """Settles what can be settled without a request, and gives the rows that are left."""
    manifest: Manifest | None
    """The source's rows, while they are still being pinned."""
    source_has_ended: bool = False
    """Whether all that the source held was pinned before this part of the run."""
    summary: RunSummary = field(default_factory=RunSummary)
    tail: Tail | None = None
    """Where the ledger goes on, if there is one."""
    part: int = 0
    """How many parts of the run came before this one."""
    started_at: datetime | None = None
    """When the first of them began."""
    earlier_wall_s: float = 0.0
    warnings: tuple[str, ...] = ()
    signed_in_as: str | None = None
    """The tenant that the token of an earlier part, or of the run that is undone, was for."""


def foreign_tenant(tenant_id: str | None, expected: str | None) -> str | None:
    """What is wrong with a token for `tenant_id` where the run was about `expected`; None if nothing is known to be."""
    if tenant_id is None or expected is None or tenant_id == expected:
        return None
    return f"the token is for tenant {tenant_id}, and the run was about tenant {expected}"


def fresh(run: Run, manifest: Manifest) -> Work:
    """A run over the rows of a manifest that is being filled."""

    async def rows(_snapshot: Snapshot | None, _record: RunRecord) -> Rows:
        return manifest

    return Work(opening=Notice("run_started", run.to_fields()), rows=rows, manifest=manifest)
