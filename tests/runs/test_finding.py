"""Runs on disk, by what an operator calls them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bulkpause.errors import SourceError, UsageError
from bulkpause.runs.finding import NAMED, find_run, run_folders

IDS = ("20261121-220000-0a1b2c", "20261122-030000-0b5c2c", "20261122-030000-0b5c2d")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A directory with three runs, and what is none."""
    path = tmp_path / "runs"
    for run_id in IDS:
        (path / run_id).mkdir(parents=True)
        (path / run_id / "manifest.csv").touch()
    (path / "notes").mkdir()
    (path / "20261123-030000-0b5c2e").touch()
    return path


def test_runs_are_the_directories_named_like_one_the_oldest_first(runs: Path) -> None:
    assert [folder.run_id for folder in run_folders(runs)] == list(IDS)


def test_where_there_is_no_directory_there_are_no_runs(tmp_path: Path) -> None:
    assert run_folders(tmp_path / "none") == []


def test_a_place_that_cannot_be_listed_is_said(runs: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read: Not a directory"):
        run_folders(runs / "20261123-030000-0b5c2e")


@pytest.mark.parametrize(("spec", "found"), [(IDS[1], 1), ("20261121", 0), (IDS[2][:-1] + "d", 2), ("last", 2)])
def test_a_run_is_found_by_its_id_the_unique_start_of_it_or_as_the_last(runs: Path, spec: str, found: int) -> None:
    folder = find_run(spec, runs)
    assert folder.directory == runs / IDS[found]
    assert (folder.audit_file, folder.summary_file) == (
        runs / IDS[found] / "audit.jsonl",
        runs / IDS[found] / "summary.json",
    )
    assert folder.manifest_file == runs / IDS[found] / "manifest.csv"


def test_a_run_is_found_by_its_directory_wherever_that_is(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs.parent)
    folder = find_run(os.path.join("runs", IDS[0]), Path("elsewhere"))  # noqa: PTH118 - as it is typed
    assert folder.directory == runs / IDS[0]


def test_the_directory_leads_to_a_ledger_that_is_elsewhere(runs: Path) -> None:
    (runs / IDS[0] / "audit.path").write_bytes(os.fsencode(runs / "far" / "away.jsonl") + b"\n")
    (runs / IDS[0] / "manifest.csv").unlink()
    assert find_run(str(runs / IDS[0]), runs).audit_file == runs / "far" / "away.jsonl"


@pytest.mark.parametrize("spec", ["last", "20261122"])
def test_without_runs_the_flag_that_leads_to_them_is_named(tmp_path: Path, spec: str) -> None:
    with pytest.raises(UsageError, match=r"there are no runs in .*none\. See --runs-dir\."):
        find_run(spec, tmp_path / "none")


@pytest.mark.parametrize("spec", ["20261125", "notes", "LAST"])
def test_an_unknown_name_leads_to_the_list_of_runs(runs: Path, spec: str) -> None:
    with pytest.raises(UsageError, match=rf"no run in .* is called '{spec}'\. See bulkpause runs, and --runs-dir\.$"):
        find_run(spec, runs)


def test_a_name_that_several_runs_have_is_answered_with_them(runs: Path) -> None:
    with pytest.raises(UsageError) as refused:
        find_run("20261122", runs)
    assert str(refused.value) == f"2 runs are called 20261122...; say more of it:\n  {IDS[1]}\n  {IDS[2]}"


def test_only_the_first_few_of_many_candidates_are_named(runs: Path) -> None:
    for number in range(10):
        (runs / f"20261201-00000{number}-000000").mkdir()
    with pytest.raises(UsageError) as refused:
        find_run("202612", runs)
    assert str(refused.value).count("\n  2026") == NAMED
    assert str(refused.value).endswith("\n  and 5 more")
