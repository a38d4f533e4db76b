"""What the settings, files, run directory and limits of a machine are worth, case by case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bulkpause.doctor.checks import Check, Grade, Name, Obstacle, first_obstacle, named, skipped
from bulkpause.doctor.facts import ConfigurationFacts, FileFacts, FolderFacts, LimitFacts
from bulkpause.doctor.machine import judge_configuration, judge_files, judge_open_files, judge_run_directory
from bulkpause.doctor.words import said_list, said_ms, said_size, said_span

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
GOOD = {"target": "https://api.example/v1", "cloud": "global", "family": "mpn", "flow": "token", "why": "since"}


def test_settings_that_can_be_used_are_shown_with_their_origins() -> None:
    told = (("run.rate", "5/s", "flag --rate"), ("api.proxy", "http://****@p", "environment HTTPS_PROXY"))
    check = judge_configuration(
        ConfigurationFacts(told=told, files=("file ./bulkpause.toml",), profile="night", **GOOD)
    )
    assert (check.grade, check.said) == (Grade.OK, "https://api.example/v1 (cloud global, family mpn)")
    assert check.details == (
        "sign-in by token, since",
        "file ./bulkpause.toml, profile night",
        "run.rate   5/s  (flag --rate)",
        "api.proxy  http://****@p  (environment HTTPS_PROXY)",
    )
    assert check.facts["settings"] == [{"setting": k, "value": v, "origin": o} for k, v, o in told]


def test_each_wrong_setting_is_a_line_and_stands_in_the_way() -> None:
    check = judge_configuration(ConfigurationFacts(flaw="run.rate: no\napi.timeout_s: no"))
    assert (check.grade, check.obstacle) == (Grade.FAILED, Obstacle.CONFIGURATION)
    assert (check.said, check.details) == ("run.rate: no", ("api.timeout_s: no",))
    assert "config show" in str(check.remedy)


FILE = FileFacts(setting="auth.certificate_file", path="app.pem")


@pytest.mark.parametrize(
    ("file", "grade", "said", "remedy"),
    [
        ({}, Grade.OK, "auth.certificate_file app.pem: readable", None),
        ({"expires_at": NOW + timedelta(days=31)}, Grade.OK, "expires 2026-12-25, in 31 days", None),
        ({"expires_at": NOW + timedelta(days=29)}, Grade.WARNING, "expires 2026-12-23, in 29 days", "new certificate"),
        ({"changed_at": NOW - timedelta(minutes=7)}, Grade.OK, "readable, 7 min old", None),
        ({"flaw": "app.pem cannot be read"}, Grade.FAILED, "app.pem cannot be read", "put it right"),
        ({"flaw": "app.pem expired", "expires_at": NOW}, Grade.FAILED, "app.pem expired", "new certificate"),
    ],
)
def test_a_file(file: dict[str, Any], grade: Grade, said: str, remedy: str | None) -> None:
    check = judge_files([FileFacts(**({"setting": FILE.setting, "path": FILE.path} | file))], now=NOW)
    assert check.grade is grade
    assert check.said.endswith(said)
    assert (remedy or "") in (check.remedy or "")
    assert (check.obstacle is Obstacle.CONFIGURATION) is (grade is Grade.FAILED)


def test_a_secret_that_others_can_read_is_a_warning_with_what_to_type() -> None:
    file = FileFacts(setting="auth.token_file", path="token", changed_at=NOW, exposure="chmod 600 token")
    check = judge_files([file], now=NOW)
    assert (check.grade, check.remedy) == (Grade.WARNING, "chmod 600 token")
    assert check.said == "auth.token_file token holds a secret that others can read"


def test_the_file_that_ends_first_is_said_first_and_the_others_under_it() -> None:
    files = [
        FileFacts(setting="api.ca_file", path="ca.pem"),
        FileFacts(setting="auth.certificate_file", path="app.pem", expires_at=NOW + timedelta(days=3)),
    ]
    check = judge_files(files, now=NOW)
    assert check.said.startswith("auth.certificate_file app.pem: expires")
    assert check.details == ("api.ca_file ca.pem: readable",)
    assert judge_files([], now=NOW).grade is Grade.OK


@pytest.mark.parametrize(
    ("facts", "grade", "words"),
    [
        ({"free_bytes": 10**12, "sync_ms": 0.84, "kind": "ext4"}, Grade.OK, "writable on ext4, 1.0 TB free, a forced"),
        ({"free_bytes": 99_000_000, "sync_ms": 1.0}, Grade.WARNING, "free some space"),
        ({"free_bytes": 10**12, "sync_ms": 1.0, "kind": "tmpfs"}, Grade.WARNING, "a restart empties"),
        ({"free_bytes": 10**12, "sync_ms": 1.0, "kind": "nfs4"}, Grade.WARNING, "a network file system"),
        ({"free_bytes": 10**12, "sync_ms": 101.0, "kind": "ext4"}, Grade.WARNING, "quicker disk"),
        ({"free_bytes": 10**12, "sync_ms": 1.0, "kind": "overlay"}, Grade.OK, "a container's own layer"),
        ({"free_bytes": 10**12, "sync_ms": 1.0}, Grade.OK, "runs: writable, 1.0 TB free"),
        ({"flaw": "Read-only file system"}, Grade.FAILED, "cannot write in runs: Read-only file system"),
    ],
)
def test_a_run_directory(facts: dict[str, Any], grade: Grade, words: str) -> None:
    check = judge_run_directory(FolderFacts(path="runs", **facts))
    assert check.grade is grade
    assert words in f"{check.said} {check.remedy}"
    assert (check.obstacle is Obstacle.NOT_WRITABLE) is (grade is Grade.FAILED)


@pytest.mark.parametrize(
    ("allowed", "fitting", "grade", "words"),
    [
        (None, None, Grade.OK, "no limit, enough for 32 in flight"),
        (1024, 1008, Grade.OK, "1,024 allowed, enough for 32 in flight"),
        (40, 24, Grade.WARNING, "enough for 24 in flight instead of 32"),
        (16, 0, Grade.FAILED, "too few for a single connection"),
    ],
)
def test_open_files(allowed: int | None, fitting: int | None, grade: Grade, words: str) -> None:
    check = judge_open_files(LimitFacts(allowed=allowed, fitting=fitting, wanted=32))
    assert check.grade is grade
    assert words in check.said
    assert ("ulimit -n" in str(check.remedy)) is (grade is not Grade.OK)


@pytest.mark.parametrize(
    ("spelt", "words"),
    [
        (said_span(19.6), "20 s"),
        (said_span(-90), "1 min"),
        (said_span(7500), "2 h 5 min"),
        (said_span(7200), "2 h"),
        (said_span(86400 * 13.9), "13 days"),
        (said_span(86400 * 366 * 5), "5 years"),
        (said_ms(0.84), "0.8 ms"),
        (said_ms(1204.4), "1,204 ms"),
        (said_size(85_400_000), "85 MB"),
        (said_size(12_340_000_000), "12.3 GB"),
        (said_list(["a"]), "a"),
        (said_list(["a", "b", "c"]), "a, b and c"),
        (said_list([]), ""),
    ],
)
def test_figures_are_spelt(spelt: str, words: str) -> None:
    assert spelt == words


def test_what_stands_in_the_way_first_counts_and_a_warning_does_not() -> None:
    warning = Check(name=Name.CLOCK, grade=Grade.WARNING, said="x", remedy="y")
    failures = [
        Check(name=name, grade=Grade.FAILED, said="x", remedy="y", obstacle=obstacle)
        for name, obstacle in ((Name.TLS, Obstacle.UNREACHABLE), (Name.TOKEN, Obstacle.NOT_AUTHORISED))
    ]
    assert first_obstacle([warning, skipped(Name.TLS, Name.DNS)]) is None
    assert first_obstacle([warning, *failures]) is Obstacle.UNREACHABLE
    assert named([warning, *failures], Grade.FAILED) == [Name.TLS, Name.TOKEN]


@pytest.mark.parametrize(
    "fields",
    [
        {"grade": Grade.FAILED, "remedy": "x"},
        {"grade": Grade.OK, "obstacle": Obstacle.UNREACHABLE},
        {"grade": Grade.WARNING},
        {"grade": Grade.OK, "remedy": "x"},
    ],
)
def test_a_check_that_is_not_ok_has_a_remedy_and_only_a_failed_one_is_an_obstacle(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="dns"):
        Check(name=Name.DNS, said="x", **fields)
