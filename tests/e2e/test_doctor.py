"""The installed command looks at a machine: ready or not, on a full disk, at a terminal; the page about it is true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeOperator
from tests.e2e.tiny_disks import on_tiny_disk

pytestmark = pytest.mark.end_to_end

PAGE = Path(__file__).parents[2] / "docs" / "doctor.md"


def test_a_real_sign_in_over_real_tls_is_ready(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True)
    ran = operator.run("doctor", *operator.target(), "--json")
    assert (ran.code, ran.puts, ran.directory) == (0, (), None)
    assert {check["grade"] for check in json.loads(ran.stdout)["checks"]} == {"ok"}
    assert [line for line in ran.stderr.splitlines() if not line.startswith("bulkpause: looking at: ")] == []


def test_a_wrong_secret_is_seen_and_not_shown(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True)
    ran = operator.run("doctor", *operator.target(), env={"AZURE_CLIENT_SECRET": "planted~secret"})
    assert ran.code == 77
    assert "AADSTS7000215" in ran.stdout
    assert "planted" not in ran.stdout + ran.stderr


@pytest.mark.parametrize(("options", "words"), [("ro", "Read-only file system"), ("size=4k,nr_inodes=2", "No space")])
def test_a_disk_that_cannot_be_written_is_said(
    an_operator: MakeOperator, tmp_path: Path, options: str, words: str
) -> None:
    operator = an_operator()
    with on_tiny_disk(tmp_path, options) as (disk, _, script):
        ran = operator.run("doctor", *operator.target(), "--runs-dir", f"{disk}/runs", script=script)
    assert ran.code == 73
    assert f"cannot write in {disk}/runs: {words}" in ran.stdout


def test_a_memory_disk_that_is_nearly_full_is_a_warning(an_operator: MakeOperator, tmp_path: Path) -> None:
    operator = an_operator()
    with on_tiny_disk(tmp_path, "size=1m") as (disk, _, script):
        ran = operator.run("doctor", *operator.target(), "--runs-dir", disk, script=script)
    assert ran.code == 0
    assert re.search(r"WARNING  Run directory  .* writable on tmpfs, 1 MB free", ran.stdout)
    assert ran.stdout.endswith("Ready, with a warning: Run directory.\n")


def test_at_a_terminal_the_line_that_says_what_is_looked_at_goes_again(an_operator: MakeOperator) -> None:
    operator = an_operator()
    terminal = operator.at_terminal("doctor", *operator.target(), env={"NO_COLOR": "1"})
    terminal.expect("looking")
    ran = terminal.end()
    assert ran.code == 0
    assert "\x1b[2K" in ran.stdout
    assert "ok       Service        lets us in" in ran.stdout


def test_it_is_readable_where_no_character_beyond_ascii_is(an_operator: MakeOperator) -> None:
    operator = an_operator()
    ran = operator.run("doctor", *operator.target(), env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    assert ran.code == 0
    assert ran.stdout.isascii()


def told(text: str) -> list[str]:
    """The lines of a report without what differs from machine to machine and from run to run."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(r"\): IPv[46] .*", "", text)
    text = re.sub(r" on (ext4|overlay|xfs|btrfs|zfs)\b|; a container's own layer, gone with it", "", text)
    text = re.sub(r"[0-9][0-9,.]* ?(TB|GB|MB|ms|min|s|years)?\b", "N", text)
    return [" ".join(line.split()) for line in text.strip().splitlines()]


def examples() -> list[tuple[str, str]]:
    """The commands of the page with what they print under them."""
    return re.findall(r"```\n\$ (bulkpause doctor[^\n]*)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", examples(), ids=lambda example: example[0].removeprefix("bulkpause doctor "))
def test_the_page_shows_what_is_printed(an_operator: MakeOperator, example: tuple[str, str]) -> None:
    command, expected = example
    operator = an_operator(tls=True)
    bare = {name: "" for name in operator.environment() if name.startswith(("AZURE_", "BULKPAUSE_"))}
    place = operator.sandbox.base_url.split("/")[2]
    arguments = [re.sub(r"localhost:\d+", place, word) for word in command.split()[1:]]
    printed = operator.run(*arguments, env={**bare, "BULKPAUSE_TOKEN": operator.sandbox.issue_token()}).stdout
    assert told(printed) == told(expected)


def test_the_page_shows_a_machine_that_is_ready_and_one_that_is_not() -> None:
    assert ["Ready.\n" in text for _, text in examples()] == [True, False]
