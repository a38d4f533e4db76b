"""What earns which exit code."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from bulkpause.cli import exits
from bulkpause.errors import (
    AuditCreateError,
    AuditError,
    AuthError,
    BulkpauseError,
    ConfigError,
    NoWayError,
    SourceError,
    TokenUnavailableError,
    UsageError,
)
from bulkpause.models import Halt, HaltReason, Outcome, Status, Verdict
from bulkpause.runs.report import RunReport
from bulkpause.tenant.verify import Finding, Verification
from tests.cli.made import a_report, outcomes, report_id

GOOD = [*outcomes(Status.SUCCEEDED, 200), *outcomes(Status.UNCHANGED, 200)]
THROTTLED = Halt(HaltReason.THROTTLED_OUT, "wait")
LOST = AuditError("lost")


@pytest.mark.parametrize("status", Status)
def test_every_status_earns_its_code(status: Status) -> None:
    expected = {Status.SUCCEEDED: 0, Status.UNCHANGED: 0, Status.UNKNOWN: 6}.get(status, 1)
    assert exits.of_report(a_report(GOOD, outcomes(status))) == expected


def test_nothing_to_do_is_success() -> None:
    assert exits.of_report(a_report()) == 0


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (HaltReason.THROTTLED_OUT, 75),
        (HaltReason.NOT_AUTHORISED, 77),
        (HaltReason.UNREACHABLE, 69),
        (HaltReason.SOURCE_FAILED, 65),
    ],
)
def test_every_halt_earns_its_code(reason: HaltReason, code: int) -> None:
    assert exits.of_report(a_report(GOOD, halt=Halt(reason, "why"))) == code


def test_no_halt_is_without_a_code() -> None:
    assert all(exits.of_report(a_report(halt=Halt(reason, "why"))) for reason in HaltReason)


@pytest.mark.parametrize(
    ("stopped_by", "code"),
    [
        ({"audit_error": LOST, "halt": THROTTLED, "stop_signal": 2}, 74),
        ({"halt": THROTTLED, "stop_signal": 2}, 75),
        ({"stop_signal": signal.SIGINT}, 130),
        ({"stop_signal": signal.SIGTERM}, 143),
        ({}, 6),
    ],
)
def test_what_stopped_the_run_wins_over_what_became_of_the_reports(stopped_by: dict[str, Any], code: int) -> None:
    report = a_report(outcomes(Status.UNKNOWN), outcomes(Status.NOT_FOUND, 404), **stopped_by)
    assert exits.of_report(report) == code


def looked_at(*groups: list[Outcome], mismatch: str | None = None, unreadable: int = 0, **more: Any) -> RunReport:
    """The report of a run that was verified, with one finding of the kind, if any."""
    report = a_report(*groups, **more)
    if mismatch is not None:
        fields = {"finding": mismatch, "report_id": report_id(1), "report_status": "Active"}
        report.summary.add_event("finding", fields)
    report.summary.add_event("verified", {"counts": Verification(Counter({Finding.UNREADABLE: unreadable})).to_dict()})
    return report


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (looked_at(GOOD), 0),
        (looked_at(GOOD, outcomes(Status.DENIED, 403)), 1),
        (looked_at(GOOD, mismatch="contradicted"), 5),
        (looked_at(GOOD, mismatch="missing"), 5),
        (looked_at(GOOD, mismatch="unreadable", unreadable=1), 6),
        (looked_at(GOOD, outcomes(Status.DENIED, 403), unreadable=1), 6),
        (looked_at(outcomes(Status.UNKNOWN), mismatch="contradicted", unreadable=1), 5),
        (looked_at(GOOD, mismatch="contradicted", stop_signal=2), 130),
        (looked_at(GOOD, mismatch="contradicted", halt=THROTTLED), 75),
        (looked_at(GOOD, mismatch="contradicted", audit_error=LOST), 74),
    ],
)
def test_what_the_service_contradicts_comes_behind_what_stopped_the_run_and_before_doubt_and_failure(
    report: RunReport, code: int
) -> None:
    assert exits.of_report(report) == code


@pytest.mark.parametrize(
    ("counts", "verdict", "code"),
    [
        ({}, None, 0),
        ({"converged": 3, "late": 2, "resolved": 1}, None, 0),
        ({"contradicted": 1, "unreadable": 1}, None, 5),
        ({"missing": 1}, None, 5),
        ({"unreadable": 1, "converged": 1}, None, 6),
        ({"unreadable": 1}, Verdict.FAULT, 69),
        ({"unreadable": 1}, Verdict.UNANSWERED, 69),
        ({"unreadable": 1}, Verdict.UNREADABLE, 69),
        ({}, Verdict.REJECTED, 69),
        ({"unreadable": 1}, Verdict.FORBIDDEN, 77),
        ({"unreadable": 1}, Verdict.UNAUTHORISED, 77),
        ({"unreadable": 1}, Verdict.THROTTLED, 75),
    ],
)
def test_a_verification_earns_its_code_by_what_it_found_or_by_why_it_could_not_look(
    counts: dict[str, int], verdict: Verdict | None, code: int
) -> None:
    found = Verification(Counter({Finding(kind): count for kind, count in counts.items()}))
    if verdict is not None:
        found.error, found.verdict = "why", verdict
    assert exits.of_verification(found) == code


@pytest.mark.parametrize(("reason", "code"), [(HaltReason.UNREACHABLE, 69), (HaltReason.NOT_AUTHORISED, 77)])
def test_a_list_that_no_other_try_can_bring_ends_as_a_run_would(reason: HaltReason, code: int) -> None:
    halt = Halt(reason, "the proxy refuses")
    found = Verification(error="the list of reports: the proxy refuses", verdict=Verdict.UNANSWERED, halt=halt)
    assert exits.of_verification(found) == exits.of_unread(Verdict.UNANSWERED, halt) == code


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (UsageError, 2),
        (SourceError, 65),
        (AuditCreateError, 73),
        (AuditError, 74),
        (AuthError, 77),
        (NoWayError, 69),
        (TokenUnavailableError, 69),
        (ConfigError, 78),
    ],
)
def test_every_error_before_a_run_earns_its_code(kind: type[BulkpauseError], code: int) -> None:
    assert exits.of_error(kind("why")) == code


def test_the_table_in_the_help_lists_every_code_and_no_other() -> None:
    codes = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
    listed = {
        int(word.strip(",")) for line in exits.TABLE.splitlines() for word in line.split()[:3] if word[0].isdigit()
    }
    assert listed == codes - {exits.SIGNALLED} | {129, 143}


def _raise(error: Exception) -> Callable[[], None]:
    def do() -> None:
        raise error

    return do


@pytest.mark.parametrize(
    "error", [ValueError("the-secret"), ExceptionGroup("the-secret", [ExceptionGroup("", [ValueError("the-secret")])])]
)
def test_an_internal_error_names_its_kind_and_not_its_text(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        _raise(error)()
    assert exits.where(caught.value) == "ValueError"


def test_an_internal_error_names_the_line_of_ours_it_came_from() -> None:
    with pytest.raises(AttributeError) as caught:
        exits.of_report(None)  # type: ignore[arg-type]
    assert exits.where(caught.value).startswith("AttributeError at exits.py:")
