"""The leak test finds nothing in what the real commands leave, and everything in what broken ones do."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from bulkpause.leaks import trial
from bulkpause.leaks.trial import leak_test, run

pytestmark = pytest.mark.end_to_end

RNG = random.SystemRandom()
FEW = ("token-opaque", "mess", "abort", "show-json")


def test_the_real_commands_leak_nothing(tmp_path: Path) -> None:
    report = leak_test(tmp_path, environ=os.environ, rng=RNG, only=FEW)
    assert report.lines()[0].startswith("No secret has left the process: ")
    assert report.is_clean
    assert (report.commands, report.struck > 20) == (len(FEW), True)


def test_a_broken_redactor_is_caught_by_the_names_of_the_places(tmp_path: Path) -> None:
    report = leak_test(tmp_path, environ=os.environ, rng=RNG, only=FEW, is_broken=True)
    assert not report.is_clean
    found = {leak.place for leak in report.leaks}
    assert {"a ready token", "a client secret that is refused", "the refresh token"} <= found <= set(report.places)
    places = {leak.artefact.split("/")[-1] for leak in report.leaks}
    assert {"stderr", "audit.jsonl", "summary.json", "failed.csv"} <= places


def test_a_command_that_does_not_go_as_planned_is_a_flaw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial.sys, "executable", "/nowhere/python")  # type: ignore[attr-defined]  # its own import
    report = leak_test(tmp_path, environ=os.environ, rng=RNG, only=("config",))
    assert list(report.flaws) == ["config: FileNotFoundError"]
    assert not report.is_clean


@pytest.mark.slow
def test_every_command_is_clean_and_most_are_caught_when_broken(tmp_path: Path) -> None:
    report = run()
    assert report.is_clean, report.lines()
    report = leak_test(tmp_path, environ=os.environ, rng=RNG, is_broken=True)
    caught = {leak.artefact.split("/")[0] for leak in report.leaks}
    assert {"app-refused", "token-opaque", "token-file", "token-command", "secrets-dir", "mess"} <= caught
