"""A run on disk: its identity, its directory, and what its first ledger line says of both."""

from __future__ import annotations

import os
import random
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

from bulkpause import __version__
from bulkpause.errors import AuditCreateError
from bulkpause.models import Operation
from bulkpause.settings import Settings

RUN_ID: Final = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")
AUDIT_NAME: Final = "audit.jsonl"
POINTER_NAME: Final = "audit.path"
"""Names the ledger, where `--audit` has put it elsewhere: the directory alone must lead to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What was asked for, of which tenant, and where it is recorded."""

    run_id: str
    operation: Operation
    directory: Path
    audit_file: Path
    source_name: str
    target: str
    tenant_id: str | None = None
    is_sandbox: bool = False
    rate_per_s: float = 0.0
    flags: tuple[str, ...] = ()
    """What the command line said of the target and the pace, for the commands to type next."""
    undoes: str | None = None
    """The id of the run that this one undoes."""

    @property
    def manifest_file(self) -> Path:
        """The pinned ids."""
        return self.directory / "manifest.csv"

    @property
    def summary_file(self) -> Path:
        """The summary, written at the end whatever happened."""
        return self.directory / "summary.json"

    @property
    def failed_file(self) -> Path:
        """The reports that are not in the wanted state, if there are any."""
        return self.directory / "failed.csv"

    @property
    def left_alone_file(self) -> Path:
        """The reports that an undo did not touch, if there are any."""
        return self.directory / "left-alone.csv"

    def snapshot_file(self, part: int) -> Path:
        """The tenant's reports as they were before the run, or before its `part`-th continuation."""
        return self.directory / (f"snapshot-{part + 1}.csv" if part else "snapshot.csv")

    def to_fields(self) -> dict[str, Any]:
        """The fields of `run_started` that tell who the run is."""
        return {
            "operation": self.operation.value,
            "tenant_id": self.tenant_id,
            "target": self.target,
            "sandbox": self.is_sandbox,
            "source": _encodable(self.source_name),
            "undoes": self.undoes,
            "rate_limit_per_s": self.rate_per_s,
            "flags": [_encodable(flag) for flag in self.flags],
            "version": __version__,
        }

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], *, directory: Path, audit_file: Path) -> Self:
        """The run that a `run_started` line is about. Raises KeyError, TypeError or ValueError for what is none."""
        run_id, undoes = fields["run_id"], fields.get("undoes")
        if not RUN_ID.fullmatch(run_id) or not (undoes is None or RUN_ID.fullmatch(undoes)):
            raise ValueError("no run id")
        return cls(
            run_id=run_id,
            operation=Operation(fields["operation"]),
            directory=directory,
            audit_file=audit_file,
            source_name=fields["source"],
            target=fields["target"],
            tenant_id=fields["tenant_id"],
            is_sandbox=fields["sandbox"],
            rate_per_s=fields.get("rate_limit_per_s", 0.0),
            flags=tuple(map(str, fields.get("flags", ()))),
            undoes=undoes,
        )


def new_run(
    operation: Operation,
    settings: Settings,
    *,
    source_name: str,
    now: datetime,
    rng: random.Random,
    is_sandbox: bool = False,
    flags: tuple[str, ...] = (),
    undoes: str | None = None,
) -> Run:
    """Create the run directory, 0700. Raises AuditCreateError if that is not possible."""
    run_id = f"{now:%Y%m%d-%H%M%S}-{now.microsecond:05x}{rng.getrandbits(4):x}"  # sorts by time
    directory = (settings.run.runs_path / run_id).absolute()  # what is printed must hold in any folder
    audit_file = directory / AUDIT_NAME if settings.audit.file is None else settings.audit.file.absolute()
    try:
        directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.mkdir(mode=0o700)
        if settings.audit.file is not None:
            pointer = directory / POINTER_NAME
            pointer.touch(mode=0o600)
            pointer.write_bytes(os.fsencode(audit_file) + b"\n")
    except OSError as error:
        raise AuditCreateError(
            f"cannot create the run directory {directory}: {error.strerror}. Choose another place with --runs-dir."
        ) from None
    return Run(
        run_id=run_id,
        operation=operation,
        directory=directory,
        audit_file=audit_file,
        source_name=source_name,
        target=settings.api.base_url,
        tenant_id=settings.auth.tenant_id,
        is_sandbox=is_sandbox,
        rate_per_s=settings.run.rate.per_s,
        flags=flags,
        undoes=undoes,
    )


def discard(run: Run) -> None:
    """Remove the directory of a run that never began; Windows may keep a file that a thread has open."""
    shutil.rmtree(run.directory, ignore_errors=True)


def _encodable(text: str) -> str:
    """A path may hold bytes that are no UTF-8, which JSON cannot say."""
    return text.encode(errors="backslashreplace").decode()
