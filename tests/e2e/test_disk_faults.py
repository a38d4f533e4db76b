"""A disk that fails: no request beyond what it has taken, the right exit code, and a ledger that can be read."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.e2e import faulty_disk
from tests.e2e.conftest import MakeOperator
from tests.e2e.driving import NO_COVERAGE, Operator, Ran, check_intents_come_first, check_is_whole, ledger_lines
from tests.e2e.faulty_disk import Faults
from tests.e2e.tiny_disks import on_tiny_disk

pytestmark = pytest.mark.end_to_end


def behind(faults: Faults) -> dict[str, Any]:
    """What makes `Operator.run` run the command on such a disk."""
    script = f"exec '{sys.executable}' '{faulty_disk.__file__}' \"$@\""
    return {"script": script, "env": {**faults.environment(), **NO_COVERAGE}}


def pause_all(operator: Operator, *arguments: str, **more: Any) -> Ran:
    return operator.run("pause", operator.source(operator.sandbox.report_ids), *arguments, **more)


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        (Faults(fails="write", after=6), "No space left on device"),
        (Faults(room_bytes=20_000), "No space left on device"),
        (Faults(fails="write", after=6, times=1, reason="EIO"), "Input/output error"),
        # A kernel forgets what it could not write once it has told: the sync after that one succeeds and means nothing.
        (Faults(fails="sync", after=6, times=1, reason="EIO"), "Input/output error"),
        (Faults(fails="sync", after=6, reason="EDQUOT"), "Disk quota exceeded"),
    ],
)
def test_the_first_failed_write_or_sync_is_the_end_of_sending(
    an_operator: MakeOperator, faults: Faults, reason: str
) -> None:
    operator = an_operator(reports=200, latency="5ms")
    ran = pause_all(operator, **behind(faults))
    assert ran.code == 74
    assert f"audit.jsonl: {reason}. Sending stopped at once." in ran.stderr
    assert ran.directory is not None
    check_is_whole(ran.directory / "audit.jsonl")
    assert 0 < len(ran.puts) <= len(ran.events("attempt_started")) < 200
    assert ran.summary["state"] == "broken"
    assert ran.summary["stopped_by"]["reason"] == "audit_log"
    assert (ran.summary["sent"], ran.summary["read"]) == (len(ran.puts), 200)


@pytest.mark.parametrize("faults", [Faults(fails="write"), Faults(fails="sync", reason="EIO"), Faults(room_bytes=100)])
def test_a_disk_that_takes_no_first_line_is_found_before_anything_is_sent(
    an_operator: MakeOperator, faults: Faults
) -> None:
    operator = an_operator(tls=True)
    ran = pause_all(operator, **behind(faults))
    assert (ran.code, ran.directory, operator.sandbox.journal.entries) == (73, None, ())
    assert "cannot write the audit log" in ran.stderr


def test_on_a_full_disk_only_the_summary_on_the_screen_is_left(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=400, latency="5ms")
    with on_tiny_disk(operator.home, "size=100k") as (disk, kept, script):
        ran = pause_all(operator, "--runs-dir", disk, script=script, env=NO_COVERAGE)
    assert ran.code == 74
    assert "audit.jsonl: No space left on device. Sending stopped at once." in ran.stderr
    assert "summary.json: No space left on device." in ran.stderr
    assert f"{len(ran.puts)} sent" in ran.stdout
    (ledger,) = kept.glob("*/audit.jsonl")
    check_is_whole(ledger)
    check_intents_come_first(ledger_lines(ledger), ran.puts)
    assert 0 < len(ran.puts) < 400
    assert not list(kept.glob("*/summary.json"))


@pytest.mark.parametrize("inodes", [1, 2, 3, 4])
def test_a_disk_without_room_for_another_file_is_found_before_anything_is_sent(
    an_operator: MakeOperator, inodes: int
) -> None:
    operator = an_operator()
    with on_tiny_disk(operator.home, f"nr_inodes={inodes}") as (disk, kept, script):
        ran = pause_all(operator, "--runs-dir", disk, script=script, env=NO_COVERAGE)
    assert (ran.code, operator.sandbox.journal.entries) == (73, ())
    assert "No space left on device" in ran.stderr
    assert not list(kept.iterdir())


@pytest.mark.parametrize("arguments", [("--runs-dir", "{}/runs"), ("--audit", "{}/ledger.jsonl")])
def test_a_read_only_disk_is_found_before_anything_is_sent(
    an_operator: MakeOperator, arguments: tuple[str, str]
) -> None:
    operator = an_operator()
    with on_tiny_disk(operator.home, "ro") as (disk, _, script):
        ran = pause_all(operator, arguments[0], arguments[1].format(disk), script=script, env=NO_COVERAGE)
    assert (ran.code, operator.sandbox.journal.entries) == (73, ())
    assert "Read-only file system" in ran.stderr


@pytest.mark.parametrize(
    ("name", "by_flag", "code", "reason"),
    [
        ("ledger.jsonl", True, 2, "is a directory"),
        ("ledger.jsonl", False, 73, "File exists"),
        ("ledger.jsonl.lock", True, 73, "cannot create the audit log"),
    ],
)
def test_a_directory_in_place_of_a_file_is_found_before_anything_is_sent(
    an_operator: MakeOperator, name: str, by_flag: bool, code: int, reason: str
) -> None:
    operator = an_operator()
    (operator.home / name).mkdir()
    how: dict[str, Any] = {"env": {"BULKPAUSE_AUDIT__FILE": "ledger.jsonl"}}
    ran = pause_all(operator, *(("--audit", "ledger.jsonl") if by_flag else ()), **({} if by_flag else how))
    assert (ran.code, operator.sandbox.journal.entries, list(operator.runs.glob("*"))) == (code, (), [])
    assert reason in ran.stderr
    assert (operator.home / name).is_dir()
