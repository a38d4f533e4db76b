"""A run's identity, directory, summary and the commands to type next."""

from __future__ import annotations

import os
import random
import re
import shlex
import stat
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from bulkpause.errors import AuditCreateError, AuditError
from bulkpause.models import Halt, HaltReason, Operation, Status
from bulkpause.rundir import RunReport, discard, new_run, write_summary
from bulkpause.settings import Run as RunSettings
from bulkpause.settings import Settings
from tests.cli.made import a_report, a_run, outcomes

NOW = datetime(2026, 11, 22, 3, 4, 5, tzinfo=UTC)
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows quotes, and guards files, otherwise")
FULL = AuditError("full.")
HALT = Halt(HaltReason.UNREACHABLE, "no answer")
DONE = outcomes(Status.SUCCEEDED, 200)


def make(folder: Path, *, now: datetime = NOW, seed: int = 1) -> Any:
    settings = Settings(run=RunSettings(runs_dir=folder))
    return new_run(Operation.PAUSE, settings, source_name="stdin", now=now, rng=random.Random(seed))  # noqa: S311 - no secret


def test_a_run_has_a_directory_named_by_its_id(tmp_path: Path) -> None:
    run = make(tmp_path / "a" / "b")
    assert re.fullmatch(r"20261122-030405-[0-9a-f]{6}", run.run_id)
    assert run.directory == tmp_path / "a" / "b" / run.run_id
    assert run.directory.is_dir()


def test_run_ids_sort_by_time(tmp_path: Path) -> None:
    times = [NOW + timedelta(seconds=seconds) for seconds in (0, 1e-6, 0.5, 1, 60, 3600, 86400 * 40)]
    ids = [make(tmp_path, now=now, seed=seed).run_id for seed, now in enumerate(times)]
    assert ids == sorted(ids)


@POSIX
def test_only_its_owner_can_look_into_it(tmp_path: Path) -> None:
    assert stat.S_IMODE(make(tmp_path).directory.stat().st_mode) == 0o700


def test_a_place_that_cannot_be_written_is_said_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AuditCreateError, match=r"cannot create the run directory .*: .*\. Choose .* --runs-dir\."):
        make(tmp_path / "file")


def test_two_runs_never_share_a_directory(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(AuditCreateError, match="File exists"):
        make(tmp_path)


def test_a_run_that_never_began_leaves_nothing_behind(tmp_path: Path) -> None:
    run = make(tmp_path)
    run.manifest_file.write_text("report_id,row,invalid\n")
    discard(run)
    assert list(tmp_path.iterdir()) == []
    discard(run)


def test_the_ledger_is_in_the_directory_unless_it_was_put_elsewhere() -> None:
    assert a_run(Path("runs/x")).audit_file == Path("runs/x/audit.jsonl")
    assert a_run(Path("runs/x"), audit=Path("a.jsonl")).audit_file == Path("a.jsonl")


@pytest.mark.parametrize(
    ("more", "state", "stopped_by"),
    [
        ({}, "finished", None),
        ({"stop_signal": 15}, "interrupted", {"reason": "signal", "message": "SIGTERM"}),
        ({"halt": HALT, "stop_signal": 15}, "halted", {"reason": "unreachable", "message": "no answer"}),
        ({"audit_error": FULL, "halt": HALT}, "broken", {"reason": "audit_log", "message": "full."}),
        ({"crash": "ValueError", "stop_signal": 2}, "broken", {"reason": "error", "message": "ValueError"}),
    ],
)
def test_the_summary_says_what_stopped_the_run(more: dict[str, Any], state: str, stopped_by: object) -> None:
    document = a_report(DONE, **more).to_dict()
    assert (document["state"], document["stopped_by"]) == (state, stopped_by)


def test_a_report_is_of_a_broken_run_until_the_run_has_ended() -> None:
    report = RunReport(run=a_run(), started_at=NOW, finished_at=NOW, wall_s=0, summary=a_report().summary)
    assert report.state == "broken"


FAILED_FILE = Path("runs/20261122-030000-0b5c2c/failed.csv")


@POSIX
@pytest.mark.parametrize(
    ("more", "command"),
    [
        ({}, None),
        ({"failed_file": FAILED_FILE}, f"bulkpause pause {FAILED_FILE}"),
        ({"failed_file": FAILED_FILE, "stop_signal": 2}, f"bulkpause pause {FAILED_FILE}"),
        ({"audit_error": FULL}, f"bulkpause pause {FAILED_FILE.with_name('manifest.csv')}"),
        ({"audit_error": FULL, "source_has_ended": False}, None),
    ],
)
def test_the_next_command_does_the_rest(more: dict[str, Any], command: str | None) -> None:
    assert a_report(DONE, **more).next_command == command


@POSIX
@pytest.mark.parametrize(
    ("groups", "more", "is_offered"),
    [
        ([DONE], {}, True),
        ([DONE, outcomes(Status.DENIED, 403)], {"stop_signal": 2}, True),
        ([DONE], {"halt": HALT}, True),
        ([outcomes(Status.UNCHANGED, 200)], {}, False),
        ([DONE], {"audit_error": FULL}, False),
        ([DONE], {"crash": "ValueError"}, False),
    ],
)
def test_undo_is_offered_where_the_ledger_names_all_that_was_changed(
    groups: list[Any], more: dict[str, Any], is_offered: bool
) -> None:
    assert (a_report(*groups, **more).undo_command is not None) is is_offered


@POSIX
def test_commands_survive_the_shell_and_go_to_the_same_place() -> None:
    run = a_run(Path("my runs/x"), flags=("--base-url", "https://host/v1", "--config", "it's.toml"))
    report = a_report(DONE, run=run, failed_file=run.directory / "failed.csv")
    flags = ["--base-url", "https://host/v1", "--config", "it's.toml"]
    assert shlex.split(report.next_command or "") == ["bulkpause", "pause", "my runs/x/failed.csv", *flags]
    search, _, undo = (report.undo_command or "").partition(" | ")
    assert shlex.split(search) == ["grep", '"status":"succeeded"', "my runs/x/audit.jsonl"]
    assert shlex.split(undo) == ["bulkpause", "resume", "-", *flags]


def test_on_windows_commands_are_quoted_for_its_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bulkpause.rundir.os.name", "nt")
    report = a_report(DONE, run=a_run(audit=DIR_WITH_BLANK / "audit.jsonl"), failed_file=FAILED_FILE)
    assert report.next_command == f"bulkpause pause {FAILED_FILE}"
    assert report.undo_command == (
        rf'findstr "\"status\":\"succeeded\"" "{DIR_WITH_BLANK / "audit.jsonl"}" | bulkpause resume -'
    )


DIR_WITH_BLANK = Path("my runs")


def test_the_summary_is_written_whole(tmp_path: Path) -> None:
    report = a_report(DONE, outcomes(Status.NOT_FOUND, 404), run=a_run(tmp_path), stop_signal=2)
    write_summary(report)
    document = orjson.loads((tmp_path / "summary.json").read_bytes())
    assert document == orjson.loads(orjson.dumps(report.to_dict(), option=orjson.OPT_UTC_Z))
    assert (document["schema"], document["started_at"], document["wall_s"]) == (1, "2026-11-22T03:00:00Z", 4.0)
    assert (document["rate_limit_per_s"], document["achieved_per_s"]) == (5.0, 0.5)
    assert os.listdir(tmp_path) == ["summary.json"]  # noqa: PTH208 - names are what is compared


def test_a_summary_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    report = a_report(run=a_run(tmp_path / "gone"))
    write_summary(report)
    assert len(report.warnings) == 1
    assert re.match(r"cannot write .*summary\.json: No such file or directory\.", report.warnings[0])


def test_no_rate_is_claimed_for_a_run_that_took_no_time() -> None:
    assert a_report(wall_s=0.0).to_dict()["achieved_per_s"] is None
