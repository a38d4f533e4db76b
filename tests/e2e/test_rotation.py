"""A ledger that somebody else moves or cuts: noticed before another request leaves."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeOperator
from tests.e2e.driving import check_is_whole, ledger_lines, wait_until

pytestmark = pytest.mark.end_to_end


def copy_and_truncate(ledger: Path) -> Path:
    """What logrotate does with `copytruncate`."""
    copy = ledger.with_suffix(".1")
    copy.write_bytes(ledger.read_bytes())
    ledger.write_bytes(b"")
    return copy


def move_away(ledger: Path) -> Path:
    """What logrotate does by itself."""
    copy = ledger.with_suffix(".1")
    ledger.rename(copy)
    return copy


@pytest.mark.parametrize(
    ("rotate", "reason"),
    [(copy_and_truncate, "changed by somebody else"), (move_away, "moved, replaced or removed")],
)
def test_a_rotated_ledger_ends_the_run_before_another_request_leaves(
    an_operator: MakeOperator, rotate: Callable[[Path], Path], reason: str
) -> None:
    operator = an_operator(reports=400, latency="5ms")
    running = operator.start("pause", operator.source(operator.sandbox.report_ids), "--rate", "200/s")
    wait_until(lambda: len(operator.sandbox.journal.puts) >= 20)
    running.process.send_signal(signal.SIGSTOP)  # no line is written between the copy and the cut
    (ledger,) = operator.runs.glob("*/audit.jsonl")
    copy = rotate(ledger)
    running.process.send_signal(signal.SIGCONT)
    _, stderr = running.process.communicate()
    assert running.process.returncode == 74
    assert f"audit.jsonl was {reason}" in stderr.decode()
    assert "Sending stopped at once." in stderr.decode()
    for file in filter(Path.exists, (copy, ledger)):
        check_is_whole(file)
    named = {line["correlation_id"] for line in ledger_lines(copy) if line["event"] == "attempt_started"}
    assert {put.correlation_id for put in operator.sandbox.journal.puts} <= named
