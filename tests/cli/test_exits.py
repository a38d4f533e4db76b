"""What earns which exit code."""

from __future__ import annotations

import signal
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
    SourceError,
    TokenUnavailableError,
    UsageError,
)
from bulkpause.models import Halt, HaltReason, Status
from tests.cli.made import a_report, outcomes

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


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (UsageError, 2),
        (SourceError, 65),
        (AuditCreateError, 73),
        (AuditError, 74),
        (AuthError, 77),
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
