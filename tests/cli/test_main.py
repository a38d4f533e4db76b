"""The root command: help, examples, errors."""

from __future__ import annotations

import re
import shlex

import click
import pytest

from bulkpause import __version__
from bulkpause.cli import root
from bulkpause.cli.overview import HELP, VERBS
from tests.cli.calling import Cli

GROUPS = ("config", "audit")
HELPS = [["--help"], *([*verb.split(), "--help"] for verb in (*VERBS, "config show", "audit verify", "audit keygen"))]


@pytest.mark.parametrize("arguments", HELPS, ids=" ".join)
def test_help_fits_a_terminal_of_80_columns_and_leaves_no_blanks_at_line_ends(cli: Cli, arguments: list[str]) -> None:
    said = cli(*arguments)
    assert (said.code, said.err) == (0, "")
    assert max(map(len, said.out.splitlines())) <= 80
    assert [line for line in said.out.splitlines() if line != line.rstrip()] == []


@pytest.mark.parametrize("arguments", [one for one in HELPS if one[0] not in GROUPS or len(one) > 2], ids=" ".join)
def test_help_leads_with_examples(cli: Cli, arguments: list[str]) -> None:
    headings = re.findall(r"^(\w[\w ]*):", cli(*arguments).out, re.MULTILINE)
    assert headings[:2] == ["Usage", "Examples"]


def test_short_help_is_the_same(cli: Cli) -> None:
    assert cli("-h").out == cli("--help").out == f"{HELP}\n"
    assert cli("pause", "-h") == cli("pause", "--help")


def test_every_verb_is_listed_with_what_it_does() -> None:
    for name, (_, does) in VERBS.items():
        assert re.search(rf"^  {name} +{re.escape(does)}$", HELP, re.MULTILINE)


ROOT = click.Context(root.command, **root.command.context_settings)


def _verb(name: str) -> click.Command:
    command = root.command.get_command(ROOT, name)
    assert command is not None
    return command


def _examples() -> list[str]:
    texts = [HELP, *(_verb(name).get_help(click.Context(_verb(name), parent=ROOT)) for name in VERBS)]
    lines = (line.strip() for text in texts for line in text.splitlines())
    return [
        line
        for line in lines
        if re.match(r"(cut|grep|bulkpause (pause|resume|sandbox)) .*", line) and "VERB" not in line
    ]


@pytest.mark.parametrize("example", _examples())
def test_every_example_is_a_command_that_parses(example: str) -> None:
    words = shlex.split(example.rpartition("| ")[2].partition(" >")[0])
    assert words[0] == "bulkpause"
    _verb(words[1]).make_context(words[1], words[2:], parent=ROOT)


def test_without_arguments_the_help_goes_to_stderr(cli: Cli) -> None:
    said = cli()
    assert (said.code, said.out, said.err) == (2, "", f"{HELP}\n")


def test_version_is_that_of_the_package(cli: Cli) -> None:
    assert cli("--version").out == f"bulkpause, version {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["paus"], "No such command 'paus'"),
        (["pause"], "Missing argument 'SOURCE'"),
        (["pause", "a", "b"], "b"),
        (["pause", "a", "--sandbox", "--base-url", "https://b"], "leave out --base-url"),
    ],
)
def test_a_wrong_command_line_is_said_on_stderr(cli: Cli, arguments: list[str], words: str) -> None:
    said = cli(*arguments)
    assert (said.code, said.out) == (2, "")
    assert words in said.err


def test_an_error_is_one_line_without_control_characters(cli: Cli) -> None:
    said = cli("pause", "re\x1b[31mports.csv")
    assert (said.code, said.out) == (65, "")
    assert said.err.startswith(r"bulkpause: re\x1b[31mports.csv: no such file")
    assert said.err.count("\n") == 1


def test_an_internal_error_shows_no_text_that_might_be_secret(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_options: object) -> None:
        raise RuntimeError("planted-secret")

    monkeypatch.setattr("bulkpause.cli.conduct.load_settings", fail)
    said = cli("pause", "reports.csv")
    assert (said.code, said.out) == (70, "")
    assert re.fullmatch(r"bulkpause: internal error, please report it: RuntimeError at conduct.py:\d+\.\n", said.err)


def test_ctrl_c_ends_with_130(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bulkpause.cli.conduct.load_settings", interrupt)
    said = cli("pause", "reports.csv")
    assert (said.code, said.err) == (130, "\nbulkpause: interrupted.\n")
