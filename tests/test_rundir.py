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
from bulkpause.runs.finding import RunFolder
from bulkpause.runs.identity import Run, discard, new_run
from bulkpause.runs.report import RunReport, write_summary
from bulkpause.settings import Audit, Settings
from bulkpause.settings import Run as RunSettings
from tests.cli.made import DIRECTORY, a_report, a_run, outcomes

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
        (
            {"halt": Halt(HaltReason.GUARD, "enough. Why.", ("Why", "What"))},
            "halted",
            {"reason": "guard", "message": "enough. Why.", "causes": ["Why", "What"]},
        ),
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


DENIED = outcomes(Status.DENIED, 403)
SKIPPED = outcomes(Status.SKIPPED)
UNKNOWN = outcomes(Status.UNKNOWN)


@POSIX
@pytest.mark.parametrize(
    ("more", "command"),
    [
        ({"halt": Halt(HaltReason.GUARD, "enough")}, f"bulkpause show {DIRECTORY} --failures"),
        ({"halt": HALT}, None),
        ({"audit_error": FULL, "halt": Halt(HaltReason.GUARD, "enough")}, None),
        ({}, None),
    ],
)
def test_after_a_halt_by_a_guard_the_failures_can_be_looked_at(more: dict[str, Any], command: str | None) -> None:
    assert a_report(DENIED, SKIPPED, **more).failures_command == command


@POSIX
@pytest.mark.parametrize(
    ("groups", "more", "options"),
    [
        ([DONE], {}, None),
        ([DONE, outcomes(Status.INVALID, message="empty: ")], {}, None),
        ([DONE, SKIPPED], {"stop_signal": 2}, ""),
        ([DONE, UNKNOWN], {}, ""),
        ([DONE, DENIED], {}, " --failed"),
        ([DENIED, SKIPPED], {"halt": HALT}, " --failed"),
        ([DONE], {"audit_error": FULL}, ""),
        ([DONE], {"was_killed": True}, ""),
    ],
)
def test_the_next_command_does_the_rest(groups: list[Any], more: dict[str, Any], options: str | None) -> None:
    command = a_report(*groups, **more).next_command
    assert command == (None if options is None else f"bulkpause continue {DIRECTORY}{options}")


@POSIX
@pytest.mark.parametrize(
    ("groups", "is_offered"),
    [
        ([DONE], True),
        ([DONE, DENIED], True),
        ([UNKNOWN], True),
        ([outcomes(Status.UNCHANGED, 200)], False),
        ([SKIPPED, DENIED], False),
    ],
)
def test_undo_is_offered_where_the_run_may_have_changed_something(groups: list[Any], is_offered: bool) -> None:
    command = a_report(*groups).undo_command
    assert command == (f"bulkpause undo {DIRECTORY}" if is_offered else None)


@POSIX
def test_commands_survive_the_shell_and_go_to_the_same_place() -> None:
    run = a_run(Path("my runs/x"), flags=("--base-url", "https://host/v1", "--config", "it's.toml"))
    report = a_report(DONE, DENIED, run=run)
    flags = ["--base-url", "https://host/v1", "--config", "it's.toml"]
    assert shlex.split(report.next_command or "") == ["bulkpause", "continue", "my runs/x", "--failed", *flags]
    assert shlex.split(report.undo_command or "") == ["bulkpause", "undo", "my runs/x", *flags]


def test_on_windows_commands_are_quoted_for_its_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    report = a_report(DONE, DENIED, run=a_run(Path("my runs")))
    with monkeypatch.context() as patch:
        patch.setattr("bulkpause.runs.report.os.name", "nt")
        commands = report.next_command, report.undo_command
    assert commands == ('bulkpause continue "my runs" --failed', 'bulkpause undo "my runs"')


def test_a_run_is_told_again_by_the_fields_of_its_first_line(tmp_path: Path) -> None:
    directory = tmp_path / DIRECTORY.name
    run = a_run(
        directory, flags=("--rate", "5/s"), undoes="20261122-020000-0b5c2c", tenant_id="contoso", is_sandbox=True
    )
    fields = orjson.loads(orjson.dumps({"run_id": run.run_id, **run.to_fields()}))
    assert Run.from_fields(fields, directory=directory, audit_file=run.audit_file) == run


def test_a_ledger_that_was_put_elsewhere_is_found_from_the_directory_alone(tmp_path: Path) -> None:
    settings = Settings(run=RunSettings(runs_dir=tmp_path), audit=Audit(tmp_path / "elsewhere.jsonl"))
    run = new_run(Operation.PAUSE, settings, source_name="stdin", now=NOW, rng=random.Random(1))  # noqa: S311 - no secret
    assert RunFolder(run.directory).audit_file == run.audit_file == tmp_path / "elsewhere.jsonl"


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
