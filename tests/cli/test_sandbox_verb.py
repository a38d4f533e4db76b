"""The sandbox as a verb."""

from __future__ import annotations

import asyncio
import re
import shlex
import socket
from contextlib import suppress

import pytest

from bulkpause.cli.sandbox import _serve
from bulkpause.sandbox import FAULT_HELP, RATE_LIMIT_HELP, Sandbox, SandboxSettings
from tests.cli.calling import Cli


async def _printed_while_serving(settings: SandboxSettings, capsys: pytest.CaptureFixture[str]) -> str:
    """What the verb prints; it has stopped serving when this returns."""
    serving = asyncio.create_task(_serve(Sandbox(settings)))
    text = ""
    while "bulkpause pause" not in text:
        await asyncio.sleep(0)
        text += capsys.readouterr().out
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving
    return text


def _environment(text: str) -> dict[str, str]:
    words = (shlex.split(line) for line in text.splitlines() if line.startswith("export "))
    return dict(word.split("=", 1) for _, word in words)


async def test_over_tls_it_prints_what_a_real_sign_in_needs(capsys: pytest.CaptureFixture[str]) -> None:
    text = await _printed_while_serving(SandboxSettings(seed=1), capsys)
    environment = _environment(text)
    sandbox = Sandbox(SandboxSettings(seed=1))
    assert environment["AZURE_CLIENT_SECRET"] == sandbox.client_secret
    assert re.fullmatch(r"https://localhost:\d+/insights/v1/mpn", environment["BULKPAUSE_API__BASE_URL"])
    assert environment["AZURE_AUTHORITY_HOST"] == environment["BULKPAUSE_API__BASE_URL"].removesuffix(
        "/insights/v1/mpn"
    )
    assert set(environment) >= {"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "BULKPAUSE_API__CA_FILE"}


def test_what_its_tenant_looks_like_can_be_said(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    async def look(sandbox: Sandbox) -> None:
        assert set(sandbox.report_statuses.values()) == {"Paused", "Inactive"}
        assert sandbox.settings.page_size == 7

    monkeypatch.setattr("bulkpause.cli.sandbox._serve", look)
    said = cli("sandbox", "--paused", "60", "--inactive", "40", "--page-size", "7")
    assert (said.code, said.err) == (0, "")


async def test_over_plain_http_a_ready_token_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    environment = _environment(await _printed_while_serving(SandboxSettings(tls=False), capsys))
    assert set(environment) == {"BULKPAUSE_API__BASE_URL", "BULKPAUSE_TOKEN"}


def test_what_it_prints_makes_a_configuration(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    environment = _environment(asyncio.run(_printed_while_serving(SandboxSettings(), capsys)))
    shown = cli("config", "show", "--json", env=environment).document
    assert shown["auth.authority"]["value"] == environment["AZURE_AUTHORITY_HOST"]
    assert shown["api.ca_file"]["value"] == environment["BULKPAUSE_API__CA_FILE"]


def test_the_faults_are_explained(cli: Cli) -> None:
    assert cli("sandbox", "--fault", "help").out == f"{FAULT_HELP}\n"


def test_the_rate_limits_are_explained(cli: Cli) -> None:
    assert cli("sandbox", "--rate-limit", "help").out == f"{RATE_LIMIT_HELP}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--paused", "101"],
        ["--inactive", "60", "--paused", "41"],
        ["--page-size", "0"],
        ["--fault", "700"],
        ["--latency", "soon"],
        ["--rate-limit", "many"],
        ["--rate-limit", "10/s:burst=5"],
        ["--port", "65536"],
        ["--reports", "-1"],
    ],
)
def test_what_cannot_be_emulated_is_a_usage_error_that_names_the_flag(cli: Cli, arguments: list[str]) -> None:
    said = cli("sandbox", *arguments)
    assert (said.code, said.out) == (2, "")
    assert arguments[0] in said.err


def test_a_port_in_use_is_said_in_one_line(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = cli("sandbox", "--no-tls", "--port", str(taken.getsockname()[1]))
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("bulkpause: the sandbox cannot start: ")
    assert said.err.count("\n") == 1


def test_ctrl_c_is_its_regular_end(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(sandbox: Sandbox) -> None:
        assert sandbox.settings.reports == 3
        raise KeyboardInterrupt

    monkeypatch.setattr("bulkpause.cli.sandbox._serve", interrupted)
    said = cli("sandbox", "--reports", "3", "--latency", "20ms", "--rate-limit", "10/s", "--fault", "500*2@5%")
    assert (said.code, said.err) == (0, "")
