"""Tokens somebody else fetched: from the environment, a file or a command, with the expiry they tell."""

from __future__ import annotations

import base64
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.auth import (
    Token,
    Tokens,
    token_from_command,
    token_from_environment,
    token_from_file,
)
from bulkpause.auth.ready import NEVER
from bulkpause.clock import SystemClock
from bulkpause.errors import AuthError, TokenUnavailableError

CLOCK = SystemClock()


def jwt(claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJub25lIn0.{body}.sig"


def expiring(in_s: float) -> str:
    return jwt({"exp": (datetime.now(UTC) + timedelta(seconds=in_s)).timestamp()})


def from_environment(value: str) -> Token:
    return token_from_environment(value, name="BULKPAUSE_TOKEN", clock=CLOCK)()


def printing(text: str, *, to: str = "stdout", code: int = 0) -> Token:
    script = f"import sys; sys.{to}.buffer.write({text.encode()!r}); sys.exit({code})"
    return token_from_command([sys.executable, "-c", script], timeout_s=30, clock=CLOCK)()


def test_a_jwt_tells_its_own_expiry() -> None:
    assert from_environment(jwt({"exp": 4_000_000_000})).expires_at == datetime.fromtimestamp(4_000_000_000, UTC)


@pytest.mark.parametrize(
    "value",
    ["opaque", "a.b.c", jwt({}), jwt([]), jwt({"exp": "soon"}), jwt({"exp": 1e300}), jwt({"exp": None}), "ä.b"[2:]],
)
def test_any_other_token_is_good_until_it_is_refused(value: str) -> None:
    assert from_environment(value).expires_at == NEVER


@given(st.text("!-.09AZaz~_="))
def test_no_token_is_too_odd_to_read(value: str) -> None:
    if value:
        assert from_environment(f"x{value}").value == f"x{value}"


@pytest.mark.parametrize("value", ["t0ken", "  t0ken\r\n", "Bearer t0ken", "bearer  t0ken\n"])
def test_blanks_around_and_the_word_bearer_are_dropped(value: str) -> None:
    assert from_environment(value).value == "t0ken"


@pytest.mark.parametrize("value", ["s3cret more", "s3cret\nmore", "s3crét", "s3cret\0"])
def test_what_cannot_be_one_token_is_refused_without_showing_it(value: str) -> None:
    with pytest.raises(AuthError, match="BULKPAUSE_TOKEN holds something other than one token") as caught:
        from_environment(value)
    assert "s3cr" not in str(caught.value)


def test_an_expired_token_in_the_environment_is_told_at_once() -> None:
    with pytest.raises(AuthError, match=r"the token in BULKPAUSE_TOKEN expired at 2001-09-09T01:46:40Z; set a new one"):
        from_environment(jwt({"exp": 1_000_000_000}))


def test_a_file_is_read_again_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    acquire = token_from_file(file, clock=CLOCK)
    file.write_bytes(b"\xef\xbb\xbffirst\r\n")
    assert acquire().value == "first"
    file.write_text("second")
    assert acquire().value == "second"


async def test_a_file_that_still_holds_the_refused_token_ends_the_run(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(expiring(3600))
    tokens = Tokens(token_from_file(file, clock=CLOCK), CLOCK, notify=lambda _: None)
    tokens.reject(await tokens.token())
    with pytest.raises(AuthError, match=r"the service refused the token from auth\.token_file .*, and no other one"):
        await tokens.token()


async def test_a_file_that_was_rotated_gives_the_new_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(expiring(3600))
    tokens = Tokens(token_from_file(file, clock=CLOCK), CLOCK, notify=lambda _: None)
    tokens.reject(await tokens.token())
    newer = expiring(7200)
    file.write_text(newer)
    assert await tokens.token() == newer


@pytest.mark.parametrize(
    ("content", "text", "may_heal"),
    [
        (None, "cannot be read: No such file", False),
        (b"", "is empty", True),
        (b"\xff\xfe\x00", "is not text", False),
        (b"two words", "holds something other than one token", False),
    ],
)
def test_an_unusable_file_is_named(tmp_path: Path, content: bytes | None, text: str, *, may_heal: bool) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(AuthError, match=text) as caught:
        token_from_file(file, clock=CLOCK)()
    assert str(caught.value).startswith(f"auth.token_file {file}")
    assert isinstance(caught.value, TokenUnavailableError) is may_heal


def test_a_command_prints_the_token_and_is_run_each_time(tmp_path: Path) -> None:
    count = tmp_path / "count"
    script = f"import pathlib; f = pathlib.Path({str(count)!r}); f.open('a').write('x'); print(f.read_text())"
    acquire = token_from_command([sys.executable, "-c", script], timeout_s=30, clock=CLOCK)
    assert [acquire().value, acquire().value] == ["x", "xx"]


@pytest.mark.parametrize(
    ("text", "to", "code", "message"),
    [
        ("please\n run az login\n", "stderr", 3, "failed with exit code 3: please run az login"),
        ("s3cret", "stdout", 1, "failed with exit code 1: nothing on stderr"),
        ("", "stdout", 0, "is empty"),
        ("s3cret and more", "stdout", 0, "holds something other than one token"),
    ],
)
def test_a_command_that_gives_no_token_is_named_with_its_own_words(text: str, to: str, code: int, message: str) -> None:
    with pytest.raises(AuthError, match=message) as caught:
        printing(text, to=to, code=code)
    assert str(caught.value).startswith(f"auth.token_command {sys.executable}")
    assert "s3cret" not in str(caught.value)


def test_a_command_is_looked_up_as_a_shell_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", {"az": sys.executable}.get)  # as PATHEXT leads from az to az.cmd
    assert token_from_command(["az", "-c", "print('t0ken')"], timeout_s=30, clock=CLOCK)().value == "t0ken"


def test_a_command_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "az")
    with pytest.raises(AuthError, match="cannot be run: "):
        token_from_command([missing], timeout_s=30, clock=CLOCK)()


def test_a_command_that_hangs_is_ended_by_its_timeout() -> None:
    hanging = [sys.executable, "-c", "import threading; threading.Event().wait()"]
    with pytest.raises(TokenUnavailableError, match=r"did not end within 0\.2 s"):
        token_from_command(hanging, timeout_s=0.2, clock=CLOCK)()


def test_a_command_reads_no_stdin(tmp_path: Path) -> None:
    ids = tmp_path / "ids.csv"
    ids.write_text("the ids that bulkpause itself reads from stdin")
    script = "import sys; print('t', len(sys.stdin.read()), sep='')"
    saved = os.dup(0)
    try:
        with ids.open() as stdin:
            os.dup2(stdin.fileno(), 0)
            assert token_from_command([sys.executable, "-c", script], timeout_s=30, clock=CLOCK)().value == "t0"
    finally:
        os.dup2(saved, 0)
        os.close(saved)
