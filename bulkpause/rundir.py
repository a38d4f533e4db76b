"""A run on disk: its identity, its directory, and the report of what came of it."""

from __future__ import annotations

import os
import random
import shlex
import shutil
import signal
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

from bulkpause.errors import AuditCreateError, AuditError
from bulkpause.models import Halt, Operation, Status
from bulkpause.settings import Settings
from bulkpause.summary import RunSummary

SUMMARY_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is to be done, where it is recorded, and with what settings."""

    run_id: str
    operation: Operation
    directory: Path
    settings: Settings
    source_name: str
    is_sandbox: bool = False
    flags: tuple[str, ...] = ()
    """What the command line said of the target and the pace, for the commands to type next."""

    @property
    def audit_file(self) -> Path:
        """The ledger."""
        return self.settings.audit.file or self.directory / "audit.jsonl"

    @property
    def manifest_file(self) -> Path:
        """The pinned ids."""
        return self.directory / "manifest.csv"

    @property
    def summary_file(self) -> Path:
        """The summary, written at the end whatever happened."""
        return self.directory / "summary.json"


@dataclass(slots=True, kw_only=True)
class RunReport:
    """What came of a run: its counts, and what stopped it if something did."""

    run: Run
    started_at: datetime
    finished_at: datetime
    wall_s: float
    summary: RunSummary
    halt: Halt | None = None
    stop_signal: int | None = None
    audit_error: AuditError | None = None
    crash: str | None = "not ended"
    """What broke the run off, if it was neither a signal nor a halt nor the ledger; None once it has ended."""
    source_has_ended: bool = False
    """Whether all that the source held is pinned, so that nothing of it is left unread."""
    failed_file: Path | None = None
    """`failed.csv`, if some reports are left to do again."""
    warnings: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """`finished`, `interrupted` by a signal, `halted` by itself, or `broken` off by a failed write or a crash."""
        if self.audit_error is not None or self.crash is not None:
            return "broken"
        if self.halt is not None:
            return "halted"
        return "finished" if self.stop_signal is None else "interrupted"

    def to_dict(self) -> dict[str, Any]:
        """The document of `summary.json` and `--json`. Additive changes only."""
        document = {
            "schema": SUMMARY_SCHEMA,
            "run_id": self.run.run_id,
            "operation": self.run.operation.value,
            "state": self.state,
            "stopped_by": self._stopped_by(),
            "target": self.run.settings.api.base_url,
            "tenant_id": self.run.settings.auth.tenant_id,
            "sandbox": self.run.is_sandbox,
            "source": self.run.source_name,
            "directory": str(self.run.directory),
            "audit_log": str(self.run.audit_file),
            "source_has_ended": self.source_has_ended,
            "failed_csv": None if self.failed_file is None else str(self.failed_file),
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "wall_s": round(self.wall_s, 3),
            "rate_limit_per_s": self.run.settings.run.rate.per_s,
            "achieved_per_s": round(self.summary.sent / self.wall_s, 3) if self.wall_s > 0 else None,
            "next": self.next_command,
            "undo": self.undo_command,
            **self.summary.to_dict(),
        }
        return {key: _encodable(value) for key, value in document.items()}

    @property
    def next_command(self) -> str | None:
        """What to type to do the rest: all that is not known to be in the wanted state, or, lacking a ledger, all."""
        if self.failed_file is not None:
            return self._command(self.run.operation, self.failed_file)
        if self.audit_error is not None and self.source_has_ended:
            return self._command(self.run.operation, self.run.manifest_file)
        return None

    @property
    def undo_command(self) -> str | None:
        """What to type to reverse what this run changed, and only that; None where the ledger may not have it all."""
        if self.state == "broken" or not self.summary.by_status[Status.SUCCEEDED]:
            return None
        search = r'findstr "\"status\":\"succeeded\""' if os.name == "nt" else """grep '"status":"succeeded"'"""
        return f"{search} {_quoted(self.run.audit_file)} | {self._command(self.run.operation.reverse, '-')}"

    def _command(self, operation: Operation, source: Path | str) -> str:
        return " ".join(["bulkpause", operation, _quoted(source), *map(_quoted, self.run.flags)])

    def _stopped_by(self) -> dict[str, Any] | None:
        if self.audit_error is not None:
            return {"reason": "audit_log", "message": _encodable(str(self.audit_error))}
        if self.crash is not None:
            return {"reason": "error", "message": _encodable(self.crash)}
        if self.halt is not None:
            return {"reason": self.halt.reason.value, "message": self.halt.message}
        if self.stop_signal is not None:
            return {"reason": "signal", "message": signal.Signals(self.stop_signal).name}
        return None


def new_run(
    operation: Operation,
    settings: Settings,
    *,
    source_name: str,
    now: datetime,
    rng: random.Random,
    is_sandbox: bool = False,
    flags: tuple[str, ...] = (),
) -> Run:
    """Create the run directory, 0700. Raises AuditCreateError if that is not possible."""
    run_id = f"{now:%Y%m%d-%H%M%S}-{now.microsecond:05x}{rng.getrandbits(4):x}"  # sorts by time
    directory = (settings.run.runs_path / run_id).absolute()  # what is printed must hold in any folder
    if settings.audit.file is not None:
        settings = replace(settings, audit=replace(settings.audit, file=settings.audit.file.absolute()))
    try:
        directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.mkdir(mode=0o700)
    except OSError as error:
        raise AuditCreateError(
            f"cannot create the run directory {directory}: {error.strerror}. Choose another place with --runs-dir."
        ) from None
    return Run(
        run_id=run_id,
        operation=operation,
        directory=directory,
        settings=settings,
        source_name=source_name,
        is_sandbox=is_sandbox,
        flags=flags,
    )


def discard(run: Run) -> None:
    """Remove the directory of a run that never began; Windows may keep a file that a thread has open."""
    shutil.rmtree(run.directory, ignore_errors=True)


def write_summary(report: RunReport) -> None:
    """`summary.json`, whole or not at all; if it cannot be written the report says so."""
    document = orjson.dumps(report.to_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)
    file = report.run.summary_file
    draft = file.with_suffix(".tmp")
    try:
        draft.touch(mode=0o600)
        draft.write_bytes(document)
        draft.replace(file)
    except OSError as error:
        report.warnings.append(f"cannot write {file}: {error.strerror}.")


def _encodable(value: Any) -> Any:
    """A path may hold bytes that are no UTF-8, which JSON cannot say."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def _quoted(word: Path | str) -> str:
    if os.name == "nt":
        return f'"{word}"' if set(str(word)) & set(" &()^;,") else str(word)
    return shlex.quote(str(word))
