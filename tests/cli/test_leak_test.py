"""`bulkpause doctor --leak-test`: what it says of a leak test that went one way or the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from bulkpause.leaks import trial
from bulkpause.leaks.report import Leak, LeakReport
from tests.cli.calling import Cli

CLEAN: Final = LeakReport(
    leaks=(), places=("a token", "a secret"), commands=3, artefacts=7, searched_bytes=1234, struck=5, flaws=()
)
LEAKY: Final = replace(CLEAN, leaks=(Leak(place="a token", artefact="list/stderr"),))
UNPROVEN: Final = replace(CLEAN, flaws=("list: did not end",))


@pytest.mark.parametrize(
    ("report", "code", "said"),
    [
        (CLEAN, 0, "No secret has left the process: 2 marked secrets, 3 commands, "),
        (LEAKY, 70, "SECRETS LEAK: 1 of 2 marked secrets, "),
        (UNPROVEN, 70, "Not proven: 2 marked secrets, "),
    ],
)
def test_it_is_0_only_if_everything_was_tried_and_nothing_found(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, report: LeakReport, code: int, said: str
) -> None:
    monkeypatch.setattr(trial, "run", lambda: report)
    ended = cli("doctor", "--leak-test")
    assert ended.code == code
    assert ended.out.startswith(said)
    document = cli("doctor", "--leak-test", "--json")
    assert (document.code, document.document["clean"]) == (code, report.is_clean)


@pytest.mark.parametrize("flags", [["--sandbox"], ["--base-url", "https://host/v1"], ["--profile", "night"]])
def test_it_brings_its_own_settings_and_refuses_those_of_others(cli: Cli, flags: list[str]) -> None:
    ended = cli("doctor", "--leak-test", *flags)
    assert (ended.code, ended.out) == (2, "")
    assert "give nothing but --json with it" in ended.err
