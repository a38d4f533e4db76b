"""What the start of the program imports: each import is time before the first answer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkpause.sandbox import Sandbox, SandboxSettings, serve_in_thread

PROBE = """
import atexit
import sys
from bulkpause.cli import main

def tell(event, arguments):
    if event == AT and not told:
        told.append(True)
        print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)

told = []
AT = sys.argv.pop(1)
sys.addaudithook(tell)
atexit.register(tell, "exit", ())
main()
"""
"""Runs the command line, and prints what is imported when the audit event named first comes first, or at the exit."""


def modules(event: str, *arguments: str, cwd: Path, **environment: str) -> set[str]:
    """The packages imported when `event` first happens, which may be `exit`."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, event, *arguments],
        cwd=cwd,
        env={"PATH": "", "HOME": str(cwd), "SYSTEMROOT": "", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


@pytest.fixture(scope="module")
def service() -> Iterator[Sandbox]:
    with serve_in_thread(SandboxSettings(reports=1, tls=False)) as sandbox:
        yield sandbox


def test_help_imports_next_to_nothing(tmp_path: Path) -> None:
    imported = modules("exit", "--help", cwd=tmp_path)
    assert "bulkpause" in imported
    heavy = {"aiohttp", "asyncio", "click", "msal", "orjson", "pydantic", "rich", "structlog", "yarl"}
    assert imported & heavy == set()


def test_a_verbs_help_imports_click_and_nothing_of_the_run(tmp_path: Path) -> None:
    imported = modules("exit", "pause", "--help", cwd=tmp_path)
    assert "click" in imported
    assert imported & {"aiohttp", "asyncio", "msal", "orjson", "pydantic", "rich", "structlog", "yarl"} == set()


def test_before_the_first_put_with_a_ready_token_nothing_is_imported_that_it_does_not_need(
    tmp_path: Path, service: Sandbox
) -> None:
    (tmp_path / "ids.txt").write_text(service.report_ids[0], encoding="utf-8")
    arguments = [
        "pause",
        "ids.txt",
        "--base-url",
        service.base_url,
        "--runs-dir",
        "runs",
        "--json",
        "--progress",
        "none",
    ]
    token = service.issue_token()
    imported = modules("socket.connect", *arguments, cwd=tmp_path, BULKPAUSE_TOKEN=token)
    assert "aiohttp" in imported
    unused = {
        "cryptography",
        "msal",
        "pydantic",
        "pydantic_settings",
        "requests",
        "rich",
        "structlog",
        "trustme",
        "tomllib",
    }
    assert imported & unused == set()
