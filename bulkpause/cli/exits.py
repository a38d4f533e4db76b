"""The exit codes, and what earns which."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

from bulkpause.errors import (
    AuditCreateError,
    AuditError,
    AuthError,
    BulkpauseError,
    ConfigError,
    LedgerError,
    NoWayError,
    SourceError,
    TokenUnavailableError,
    UsageError,
)

if TYPE_CHECKING:
    from bulkpause.doctor.checks import Obstacle
    from bulkpause.models import Halt, HaltReason, Verdict
    from bulkpause.runs.report import RunReport
    from bulkpause.tenant.verify import Verification

OK: Final = 0
NOT_ALL: Final = 1
USAGE: Final = 2
HALTED: Final = 3
OUT_OF_TIME: Final = 4
MISMATCH: Final = 5
UNKNOWN: Final = 6
BAD_SOURCE: Final = 65
UNREACHABLE: Final = 69
INTERNAL: Final = 70
NO_AUDIT: Final = 73
AUDIT_FAILED: Final = 74
THROTTLED_OUT: Final = 75
NOT_AUTHORISED: Final = 77
BAD_CONFIG: Final = 78
SIGNALLED: Final = 128
INTERRUPTED: Final = SIGNALLED + signal.SIGINT

TABLE: Final = """\
  0   every report succeeded or was unchanged, or there was nothing to do
  1   finished, some reports did not succeed
  2   the command line is wrong
  3   halted by a guard
  4   the time limit was reached, reports are left
  5   verification mismatch: a report, or the audit log, is not as it should be
  6   some outcomes are unknown: the report may have changed
  65  the source of ids, or the audit log to read, is unusable
  69  the service cannot be reached, or fails everything; or no list
  70  internal error
  73  the audit log cannot be created; nothing was sent
  74  the audit log cannot be written, sending stopped; or stdout cannot
  75  throttled out: the service asks for a longer wait than allowed,
      or refuses everything
  77  not authorised
  78  the configuration is wrong
  129, 130, 143  stopped by SIGHUP, SIGINT, SIGTERM after a drain"""

_ERRORS: Final[tuple[tuple[type[BulkpauseError], int], ...]] = (
    (UsageError, USAGE),
    (SourceError, BAD_SOURCE),
    (LedgerError, BAD_SOURCE),
    (AuditCreateError, NO_AUDIT),
    (AuditError, AUDIT_FAILED),
    (NoWayError, UNREACHABLE),
    (TokenUnavailableError, UNREACHABLE),
    (AuthError, NOT_AUTHORISED),
    (ConfigError, BAD_CONFIG),
)


def of_report(report: RunReport) -> int:
    """What stopped the run wins, then what the service contradicts, then outcomes in doubt, then failures."""
    stopped = _of_stop(report)
    return _of_outcomes(report) if stopped is None else stopped


def _of_stop(report: RunReport) -> int | None:
    if report.audit_error is not None:
        return AUDIT_FAILED
    if report.halt is not None:
        return _of_halt(report.halt.reason)
    return None if report.stop_signal is None else SIGNALLED + report.stop_signal


def _of_halt(reason: HaltReason) -> int:
    from bulkpause.models import HaltReason  # noqa: PLC0415 - keep --help quick

    match reason:
        case HaltReason.THROTTLED_OUT:
            return THROTTLED_OUT
        case HaltReason.NOT_AUTHORISED:
            return NOT_AUTHORISED
        case HaltReason.UNREACHABLE:
            return UNREACHABLE
        case HaltReason.SOURCE_FAILED:
            return BAD_SOURCE
        case HaltReason.GUARD:
            return HALTED
        case HaltReason.TIME_LIMIT:
            return OUT_OF_TIME


def _of_outcomes(report: RunReport) -> int:
    from bulkpause.models import Status  # noqa: PLC0415 - keep --help quick
    from bulkpause.tenant.verify import MISMATCHES, Finding  # noqa: PLC0415
    from bulkpause.work.undo import Why  # noqa: PLC0415

    summary = report.summary
    if any(summary.findings.get(finding) for finding in MISMATCHES):
        return MISMATCH
    is_unread = summary.verified is not None and summary.verified[Finding.UNREADABLE]
    if summary.by_status[Status.UNKNOWN] or is_unread or summary.left_alone.get(Why.IN_DOUBT):
        return UNKNOWN
    return OK if summary.is_good and report.source_has_ended else NOT_ALL


def of_verification(found: Verification) -> int:
    """What the service contradicts, or why it could not be asked."""
    if found.stop_signal is not None:
        return SIGNALLED + found.stop_signal
    if found.error is not None:
        return of_unread(found.verdict, found.halt)
    if found.is_mismatch:
        return MISMATCH
    return UNKNOWN if found.is_in_doubt else OK


def of_unread(verdict: Verdict, halt: Halt | None = None) -> int:
    """The code of a list that could not be read, by what its last reply meant for all, else for itself."""
    from bulkpause.models import Verdict  # noqa: PLC0415 - keep --help quick

    if halt is not None:
        return _of_halt(halt.reason)
    match verdict:
        case Verdict.UNAUTHORISED | Verdict.FORBIDDEN:
            return NOT_AUTHORISED
        case Verdict.THROTTLED:
            return THROTTLED_OUT
        case _:
            return UNREACHABLE


def of_obstacle(obstacle: Obstacle | None) -> int:
    """The code of an examination, by what stands in the way of a run first."""
    from bulkpause.doctor.checks import Obstacle  # noqa: PLC0415 - keep --help quick

    match obstacle:
        case None:
            return OK
        case Obstacle.CONFIGURATION:
            return BAD_CONFIG
        case Obstacle.NOT_WRITABLE:
            return NO_AUDIT
        case Obstacle.UNREACHABLE:
            return UNREACHABLE
        case Obstacle.NOT_AUTHORISED:
            return NOT_AUTHORISED


def of_error(error: BulkpauseError) -> int:
    """The code of an error that ended the command before or outside a run."""
    return next((code for kind, code in _ERRORS if isinstance(error, kind)), INTERNAL)


def where(error: BaseException) -> str:
    """The kind of an unexpected error and the line of our code it came from; not its text, which may hold secrets."""
    import traceback  # noqa: PLC0415 - keep --help quick
    from pathlib import Path  # noqa: PLC0415

    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "bulkpause" in Path(frame.filename).parts]
    place = f" at {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    return f"{type(error).__name__}{place}"
