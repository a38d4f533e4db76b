"""As many connections as the process may have files open: raised where allowed, fewer where not, and said."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from bulkpause import open_files
from bulkpause.errors import ConfigError
from bulkpause.open_files import allow_open_files, connections_within, fit_to_open_files
from bulkpause.settings import Settings

if sys.platform == "win32":
    pytest.skip("Windows limits no sockets this way", allow_module_level=True)

import resource

NO_LIMIT = resource.RLIM_INFINITY


def settings(concurrency: int) -> Settings:
    default = Settings()
    return replace(default, run=replace(default.run, concurrency=concurrency))


@pytest.mark.parametrize(
    ("allowed", "each", "connections"), [(24, 1, 8), (16, 1, 0), (3, 1, 0), (35, 2, 9), (None, 2, None)]
)
def test_what_the_run_itself_needs_is_left_out_of_the_connections(
    allowed: int | None, each: int, connections: int | None
) -> None:
    assert connections_within(allowed, reserved=16, each=each) == connections


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "allowed"),
    [
        (1024, 4096, 24, 1024),
        (24, 4096, 116, 116),
        (24, NO_LIMIT, 116, 116),
        (24, 64, 116, 64),
        (24, 24, 116, 24),
        (NO_LIMIT, NO_LIMIT, 116, None),
    ],
)
def test_the_soft_limit_is_raised_no_further_than_wanted_and_allowed(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, wanted: int, allowed: int | None
) -> None:
    limits = [(soft, hard)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, both: limits.append(both))
    assert allow_open_files(wanted) == allowed
    assert limits[-1][1] == hard


@pytest.mark.parametrize("refusal", [ValueError, OSError])
def test_a_limit_that_cannot_be_raised_stays(monkeypatch: pytest.MonkeyPatch, refusal: type[Exception]) -> None:
    def refuse(_: int, both: tuple[int, int]) -> None:
        raise refusal

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, NO_LIMIT))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert allow_open_files(1000) == 256


@pytest.mark.parametrize(
    ("allowed", "is_sandbox", "concurrency"), [(None, False, 100), (116, False, 100), (50, False, 34), (50, True, 13)]
)
def test_the_concurrency_is_fitted_and_only_less_than_asked_for_is_said(
    monkeypatch: pytest.MonkeyPatch, allowed: int | None, is_sandbox: bool, concurrency: int
) -> None:
    monkeypatch.setattr(open_files, "allow_open_files", lambda _: allowed)
    said: list[str] = []
    fitted = fit_to_open_files(settings(100), is_sandbox=is_sandbox, say=said.append)
    assert fitted == settings(concurrency)
    assert [f"at most {concurrency} in flight instead of 100" in line for line in said] == [True] * (concurrency < 100)


def test_without_room_for_one_connection_the_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_files, "allow_open_files", lambda _: 16)
    with pytest.raises(ConfigError, match="needs 17 open files at least, and this process may have 16"):
        fit_to_open_files(settings(1), is_sandbox=False, say=lambda _: None)
