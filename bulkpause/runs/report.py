"""What came of a run: its counts, what stopped it if something did, and what to type next."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

from bulkpause.chain import Closing
from bulkpause.errors import AuditError
from bulkpause.models import Halt, HaltReason, Status
from bulkpause.replay import FAILED, OWED
from bulkpause.runs.identity import Run
from bulkpause.summary import RunSummary

SUMMARY_SCHEMA: Final = 1

_SWITCHES: Final = frozenset({"--sandbox", "--force", "--by-status", "--no-adapt"})
_REFUSED: Final = {
    "continue": frozenset({"--by-status"}),
    "undo": frozenset({"--by-status", "--force"}),
    "verify": frozenset(
        {
            "--by-status",
            "--force",
            "--halt",
            "--rate-start",
            "--no-adapt",
            "--concurrency",
            "--max-tries",
            "--timeout",
            "--deadline",
        }
    ),
}
"""By verb, which of a run's flags it does not know, or must not inherit."""


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
    was_continued: bool = False
    """Whether it has several parts, each of which may have had another rate."""
    was_killed: bool = False
    """Whether the ledger has no last line: the process was killed, or the machine went down."""
    unrecorded: int = 0
    """Rows of a run that was killed for which the ledger has no outcome."""
    in_doubt: int = 0
    """How many of these have an intent, and may have been sent."""
    source_has_ended: bool = False
    """Whether all that the source held is pinned, so that nothing of it is left unread."""
    failed_file: Path | None = None
    """`failed.csv`, if some reports are left to do again."""
    sealed: Closing | None = None
    """What the last line of the ledger vouches for; None if there is no such line."""
    forecast: Mapping[str, Any] | None = None
    """What was foretold of its latest part, and what came of that; None if it was not there to be seen."""
    warnings: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Accepted reports that never had their turn, or not to its end."""
        return sum(count for end, count in self.summary.ends if end.status is Status.SKIPPED or end.interrupted)

    @property
    def state(self) -> str:
        """`finished`, `interrupted` by a signal or kill, `halted` by itself, `broken` by a failed write or a crash."""
        if self.was_killed:
            return "interrupted"
        if self.audit_error is not None or self.crash is not None:
            return "broken"
        if self.halt is not None:
            return "halted"
        return "finished" if self.stop_signal is None else "interrupted"

    def to_dict(self) -> dict[str, Any]:
        """The document of `summary.json` and `--json`. Additive changes only."""
        run = self.run
        document = {
            "schema": SUMMARY_SCHEMA,
            "run_id": run.run_id,
            "operation": run.operation.value,
            "state": self.state,
            "stopped_by": self._stopped_by(),
            "target": run.target,
            "tenant_id": run.tenant_id,
            "sandbox": run.is_sandbox,
            "source": run.source_name,
            "undoes": run.undoes,
            "directory": str(run.directory),
            "audit_log": str(run.audit_file),
            "audit_lines": None if self.sealed is None else self.sealed.lines,
            "audit_head": None if self.sealed is None else self.sealed.head,
            "unrecorded": self.unrecorded,
            "source_has_ended": self.source_has_ended,
            "failed_csv": None if self.failed_file is None else str(self.failed_file),
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "wall_s": round(self.wall_s, 3),
            "rate_limit_per_s": run.rate_per_s,
            "achieved_per_s": round(self.summary.sent / self.wall_s, 3) if self.wall_s > 0 else None,
            "forecast": self.forecast,
            "next": self.next_command,
            "undo": self.undo_command,
            **self.summary.to_dict(),
        }
        return {key: _encodable(value) for key, value in document.items()}

    @property
    def next_command(self) -> str | None:
        """What to type to do the rest: all that is not known to be in the wanted state; None if nothing is left.

        An undo that did not come to know all there is to undo has to begin anew.
        """
        if self.run.undoes is not None and not self.source_has_ended:
            by_status = [flag for flag in self.run.flags if flag == "--by-status"]
            return self.command("undo", self.run.directory.parent / self.run.undoes, *by_status)
        ends = [end for end, _ in self.summary.ends]
        has_failed = any(end.status in FAILED and not end.interrupted for end in ends)
        is_cut = self.was_killed or self.audit_error is not None
        has_more = is_cut or any(end.status in OWED or end.interrupted for end in ends)
        if not (has_failed or has_more):
            return None
        return self.command("continue", self.run.directory, *(["--failed"] if has_failed else []))

    @property
    def undo_command(self) -> str | None:
        """What to type to reverse what this run changed, and only that; None if it changed nothing."""
        counts = self.summary.by_status
        return self.command("undo", self.run.directory) if counts[Status.SUCCEEDED] or counts[Status.UNKNOWN] else None

    @property
    def failures_command(self) -> str | None:
        """What to type to see what a guard has halted for; None if none has."""
        if self.state != "halted" or self.halt is None or self.halt.reason is not HaltReason.GUARD:
            return None
        return f"bulkpause show {_quoted(self.run.directory)} --failures"

    def command(self, verb: str, directory: Path, *options: str) -> str:
        """The command about a run directory, with those flags of this run that the verb knows."""
        flags, refused = iter(self.run.flags), _REFUSED[verb]
        given = [[flag] if flag in _SWITCHES else [flag, next(flags, "")] for flag in flags]
        kept = [_quoted(part) for parts in given if parts[0] not in refused for part in parts]
        return " ".join(["bulkpause", verb, _quoted(directory), *options, *kept])

    def _stopped_by(self) -> dict[str, Any] | None:
        if self.was_killed:
            return {"reason": "killed", "message": "the audit log has no last line"}
        if self.audit_error is not None:
            return {"reason": "audit_log", "message": _encodable(str(self.audit_error))}
        if self.crash is not None:
            return {"reason": "error", "message": _encodable(self.crash)}
        if self.halt is not None:
            causes = {"causes": list(self.halt.causes)} if self.halt.causes else {}
            return {"reason": self.halt.reason.value, "message": self.halt.message, **causes}
        if self.stop_signal is not None:
            return {"reason": "signal", "message": _signal_name(self.stop_signal)}
        return None


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


def _signal_name(number: int) -> str:
    """Of a signal that this system may not have: the run may have been on another one."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _encodable(value: Any) -> Any:
    """A path may hold bytes that are no UTF-8, which JSON cannot say."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def _quoted(word: Path | str) -> str:
    if os.name == "nt":
        return f'"{word}"' if set(str(word)) & set(" &()^;,") else str(word)
    return shlex.quote(str(word))
