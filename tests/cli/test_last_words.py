"""What leaves the process passes one redactor, whoever writes it, and no traceback is printed."""

from __future__ import annotations

import base64
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from bulkpause.cli import config, listing, streams
from bulkpause.cli.redaction import redactor_for
from bulkpause.settings import Auth, Secret, Settings
from tests.cli.calling import Cli, Serve

PLANTED = "hunter-two~planted"


class _Stub:
    """Closing it fails, and says too much."""

    def __del__(self) -> None:
        raise ValueError(PLANTED)


def _in_thread() -> None:
    def fail() -> None:
        raise ValueError(PLANTED)

    thread = threading.Thread(target=fail, name="planted-thread")
    thread.start()
    thread.join()


def _clear_away() -> None:
    stub = _Stub()
    del stub


def _fail() -> None:
    raise ValueError(PLANTED)


WAYS: dict[str, tuple[Callable[[], None], str]] = {
    "a thread": (_in_thread, "internal error in planted-thread, please report it: ValueError"),
    "what is cleared away": (_clear_away, "internal error while clearing up, please report it: ValueError"),
    "a crash": (_fail, "internal error, please report it: ValueError"),
    "Python's own words": (lambda: traceback.print_exception(ValueError(PLANTED)), "ValueError: ****"),
    "a line on stderr": (lambda: click.echo(f"x {PLANTED}", err=True), "x ****"),
    "a result": (lambda: click.echo(f"x {PLANTED}"), "x ****"),
    "a word to the operator": (lambda: streams.say(f"x {PLANTED} Bearer opaque"), "x **** Bearer ****"),
}


@pytest.mark.parametrize(("act", "words"), WAYS.values(), ids=WAYS.keys())
def test_a_secret_of_the_settings_passes_no_stream(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None], words: str
) -> None:
    @click.command()
    def show() -> None:
        redactor_for(Settings(auth=Auth(client_secret=Secret(PLANTED))))
        act()

    monkeypatch.setitem(config.config.commands, "show", show)
    said = cli("config", "show")
    assert words in said.out + said.err
    assert PLANTED not in said.out + said.err
    assert "Traceback" not in said.err


def test_each_invocation_knows_its_own_secrets_alone(cli: Cli) -> None:
    with click.Context(click.Command("one")):
        redactor_for(Settings(auth=Auth(client_secret=Secret(PLANTED))))
    assert redactor_for(Settings()).text(PLANTED) == PLANTED


def test_an_error_that_quotes_a_secret_is_said_without_it(cli: Cli) -> None:
    said = cli("pause", f"{PLANTED}.csv", env={"AZURE_CLIENT_SECRET": PLANTED, "BULKPAUSE_TOKEN": "x-token"})
    assert said.code == 65
    assert "****.csv" in said.err
    assert PLANTED not in said.err


def test_a_token_that_a_command_prints_is_struck_wherever_the_service_repeats_it(
    cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = serve()
    token = sandbox.issue_token()
    encoded = base64.b64encode(token.encode()).decode()  # which looks like no token
    monkeypatch.delenv("BULKPAUSE_TOKEN")
    Path("bulkpause.toml").write_text(f"[auth]\ntoken_command = [{sys.executable!r}, '-c', {f'print({token!r})'!r}]\n")
    monkeypatch.setattr(listing, "_counts", lambda *_: f"the service said {encoded}")
    said = cli("list")
    assert (said.code, said.err.split(" said ")[0]) == (0, "the service")
    assert token[:60] not in said.err
    assert encoded[:60] not in said.err
    assert "****" in said.err
