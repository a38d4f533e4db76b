"""Power loss: what a replay of the write log shows of each request, it was on the disk before it left."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e import faulty_disk
from tests.e2e.conftest import MakeOperator
from tests.e2e.driving import NO_COVERAGE, Ran
from tests.e2e.faulty_disk import Faults
from tests.e2e.write_log import STRACE, Call, from_shim, from_strace, sent_too_early

pytestmark = pytest.mark.end_to_end
FIRST, SECOND = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"


def check_syncs_come_first(calls: Sequence[Call], ran: Ran) -> None:
    """Every PUT that the service saw is in the log, and none before the sync that covers its intent."""
    sent = {call_id for call in calls if call.name == "send" for call_id in call.ids}
    puts = {str(put.correlation_id) for put in ran.puts}
    assert puts <= sent
    assert not puts & set(sent_too_early(calls))  # the one request that only reads has no intent


@pytest.mark.parametrize("sync_s", [0.0, 0.2])
def test_no_request_precedes_the_sync_of_its_intent(an_operator: MakeOperator, sync_s: float) -> None:
    operator = an_operator("500*1@20%", "lost*1@20%", reports=16 if sync_s else 100)
    log = operator.home / "calls.log"
    ran = operator.run(
        "pause",
        operator.source(operator.sandbox.report_ids),
        script=f"exec '{sys.executable}' '{faulty_disk.__file__}' \"$@\"",
        env={**Faults(sync_s=sync_s, log=str(log)).environment(), **NO_COVERAGE},
    )
    assert (ran.code, len(ran.ids("succeeded"))) == (0, operator.sandbox.settings.reports)
    check_syncs_come_first(list(from_shim(log.read_text())), ran)


def test_the_kernel_saw_the_same_order(an_operator: MakeOperator) -> None:
    operator = an_operator("500*1@20%", reports=20)
    log = operator.home / "calls.log"
    strace = f"strace {STRACE} -o '{log}'"
    if why_not := _why_no_strace(log):
        pytest.skip(f"system calls cannot be traced here: {why_not}")
    ran = operator.run(
        "pause",
        operator.source(operator.sandbox.report_ids),
        script=f'exec {strace} "$@"',
        env=NO_COVERAGE,
    )
    assert ran.code == 0
    check_syncs_come_first(list(from_strace(log.read_text(), ledger="audit.jsonl")), ran)


@pytest.mark.parametrize(
    ("log", "early"),
    [
        (f"write {FIRST}\nsync\nsend {FIRST}\n", []),
        (f"write {FIRST}\nsend {FIRST}\nsync\n", [FIRST]),
        (f"write {FIRST}\nsync\nwrite {SECOND}\nsend {SECOND}\nsend {FIRST}\nsync\n", [SECOND]),
        (f"sync\nsend {FIRST}\n", [FIRST]),
    ],
)
def test_the_replay_finds_a_request_that_left_too_early(log: str, early: list[str]) -> None:
    assert sent_too_early(from_shim(log)) == early


def test_a_traced_sync_covers_nothing_before_it_ends_nor_when_it_fails() -> None:
    def traced(*lines: str) -> list[str]:
        return [call.name for call in from_strace("\n".join(lines), ledger="audit.jsonl")]

    send = rf'7 sendto(9<TCP:[1->2]>, "PUT /\r\nMS-CorrelationId: {FIRST}\r\n\r\n", 99, 0, NULL, 0) = 99'
    begun = "8 fdatasync(6</runs/1/audit.jsonl> <unfinished ...>"
    assert traced(begun, send, "8 <... fdatasync resumed>)             = 0") == ["send", "sync"]
    assert traced(begun, "8 <... fdatasync resumed>)             = -1 EIO (Input/output error)") == []
    assert traced("8 fdatasync(6</runs/1/audit.jsonl>)     = -1 EIO (Input/output error)") == []
    assert traced("8 fdatasync(6</runs/1/manifest.csv>)     = 0") == []
    assert traced(rf'8 write(6</runs/1/audit.jsonl>, "{{\"correlation_id\":\"{FIRST}\"}}\n", 9) = 9') == ["write"]


def _why_no_strace(log: Path) -> str | None:
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", *STRACE.split(), "-o", log, "true"], capture_output=True, check=False)
    return (tried.stderr.decode().strip() or f"exit code {tried.returncode}") if tried.returncode else None
