"""Which setting every option reaches, and which of them the next command repeats."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

from bulkpause.cli import operate, past, root, verifying
from bulkpause.cli.options import flags_to_repeat, load_settings
from bulkpause.cli.overview import VERBS
from bulkpause.settings import Duration, Settings, Until, setting_values
from tests.cli.calling import Cli
from tests.cli.made import a_report, a_run


def parsed(*arguments: str) -> dict[str, Any]:
    """The options that `bulkpause pause reports.csv` gets."""
    return operate.pause.make_context("pause", ["reports.csv", *arguments]).params


@pytest.mark.parametrize(
    ("arguments", "key", "value"),
    [
        ("--base-url https://host/v1", "api.base_url", "https://host/v1"),
        ("--ca-file ca.pem", "api.ca_file", Path("ca.pem")),
        ("--timeout 2.5", "api.timeout_s", 2.5),
        ("--rate 600/min", "run.rate", "10/s"),
        ("--concurrency 3", "run.concurrency", 3),
        ("--time-limit 1h30m", "run.time_limit", Duration(5400.0)),
        ("--until 23:30Z", "run.until", Until.parse("23:30Z")),
        ("--guard 90s", "run.guard", Duration(90.0)),
        ("--runs-dir elsewhere", "run.runs_dir", Path("elsewhere")),
        ("--progress plain", "run.progress", "plain"),
        ("--max-tries 2", "retry.max_tries", 2),
        ("--deadline 60", "retry.deadline_s", 60.0),
        ("--halt failed>5 --halt consecutive>20,403>3", "halt.when", "failed>5, consecutive>20, 403>3"),
        ("--halt none", "halt.when", "none"),
        ("--audit a.jsonl", "audit.file", Path("a.jsonl")),
        ("--log-format json", "log.format", "json"),
        ("", "log.level", "warning"),
        ("-v", "log.level", "info"),
        ("-vv", "log.level", "debug"),
        ("-vvv", "log.level", "debug"),
        ("-q", "log.level", "error"),
        ("-q", "run.progress", "none"),
        ("-q --progress plain", "run.progress", "none"),
    ],
)
def test_every_flag_reaches_its_setting(cli: Cli, arguments: str, key: str, value: object) -> None:
    found = setting_values(load_settings(parsed(*arguments.split())).settings)[key]
    assert (str(found) if key in {"run.rate", "halt.when"} else found) == value


def test_a_flag_wins_over_the_environment_and_that_over_the_file(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bulkpause.toml").write_text("[run]\nconcurrency = 2\nconfirm_above = 7\n", encoding="utf-8")
    monkeypatch.setenv("BULKPAUSE_RUN__CONCURRENCY", "3")
    assert load_settings(parsed()).settings.run.concurrency == 3
    run = load_settings(parsed("--concurrency", "4")).settings.run
    assert (run.concurrency, run.confirm_above) == (4, 7)


@pytest.mark.parametrize(
    ("flag", "key"),
    [
        ("--rate", "run.rate"),
        ("--concurrency", "run.concurrency"),
        ("--guard", "run.guard"),
        ("--max-tries", "retry.max_tries"),
        ("--timeout", "api.timeout_s"),
        ("--deadline", "retry.deadline_s"),
        ("--progress", "run.progress"),
        ("--log-format", "log.format"),
    ],
)
def test_the_default_in_the_help_is_the_default(cli: Cli, flag: str, key: str) -> None:
    shown = re.search(rf"^ +{flag} .*\[(.+)\]$", cli("pause", "--help").out, re.MULTILINE)
    default = setting_values(Settings())[key]
    assert shown is not None
    assert shown[1] == (f"{default:g}" if isinstance(default, float) else str(default))


@pytest.mark.parametrize(
    "arguments",
    [
        "--rate 0/s",
        "--rate fast",
        "--rate 10/fortnight",
        "--concurrency 0",
        "--concurrency 1025",
        "--max-tries 0",
        "--timeout 0",
        "--halt failed",
        "--halt fialed>5",
        "--halt failed>5,",
        "--deadline -1",
        "--format xml",
        "--progress bar",
        "--log-format yaml",
        "--no-such-option",
    ],
)
def test_a_value_out_of_bounds_is_a_usage_error_that_names_the_flag(cli: Cli, arguments: str) -> None:
    words = arguments.split()
    said = cli("pause", "reports.csv", *words)
    assert (said.code, said.out) == (2, "")
    assert words[0] in said.err


def test_a_wrong_setting_elsewhere_is_a_configuration_error_with_its_origin(cli: Cli) -> None:
    said = cli("pause", "reports.csv", env={"BULKPAUSE_RUN__CONCURRENCY": "0"})
    assert said.code == 78
    assert said.err.startswith("bulkpause: run.concurrency = ")
    assert "environment BULKPAUSE_RUN__CONCURRENCY" in said.err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--sandbox"],
        ["--base-url", "https://host/v1", "--ca-file", "/my ca.pem", "--config", "/c.toml", "--profile", "night"],
        ["--rate", "90/min", "--concurrency", "3", "--max-tries", "2", "--timeout", "2.5", "--deadline", "600"],
        ["--rate", "7/h", "--deadline", "1234567"],
        ["--halt", "failed>10% of last 200", "--halt", "403>3"],
        ["--halt", "none"],
    ],
)
def test_the_command_to_type_next_goes_to_the_same_place_at_the_same_pace(arguments: list[str]) -> None:
    given = parsed(*arguments)
    assert parsed(*flags_to_repeat(given)) == given


EVERY_FLAG = [
    *("--sandbox", "--force", "--base-url", "https://host/v1", "--ca-file", "/ca.pem", "--config", "/c.toml"),
    *("--profile", "night", "--rate", "90/min", "--concurrency", "3", "--max-tries", "2", "--timeout", "2.5"),
    *("--deadline", "600", "--halt", "failed>5", "--halt", "403>3"),
    *("--secret", "auth.token=env:A", "--secrets-dir", "/run/secrets"),
]


@pytest.mark.parametrize(
    ("name", "verb"), [("continue", past.continue_), ("undo", past.undo), ("verify", verifying.verify)]
)
def test_a_printed_command_has_every_flag_of_the_run_that_its_verb_knows_and_no_other(
    name: str, verb: click.Command
) -> None:
    given = {**parsed(*EVERY_FLAG), "by_status": True}
    report = a_report(run=a_run(flags=flags_to_repeat(given)))
    _, said, *arguments = shlex.split(report.command(name, Path("/runs/1")))
    options = verb.make_context(name, list(arguments)).params
    assert (said, options["run"]) == (name, "/runs/1")
    never = {"undo": {"by_status", "force"}}.get(name, set())
    repeated = [
        option for option in given if option in options and option not in never and parsed()[option] != given[option]
    ]
    assert len(repeated) >= 6
    assert {option: options[option] for option in repeated} == {option: given[option] for option in repeated}
    assert not options.get("by_status")


def test_the_command_to_type_next_does_not_repeat_what_belongs_to_one_source_or_run() -> None:
    given = [
        "--column",
        "Id",
        "--format",
        "csv",
        "--strict",
        "--yes",
        "--no-input",
        "--json",
        "-q",
        "--audit",
        "a",
        "--runs-dir",
        "b",
        "--time-limit",
        "45m",
        "--until",
        "23:30",
        "--guard",
        "10m",
    ]
    assert flags_to_repeat(parsed(*given)) == ()


def test_no_flag_takes_a_secret() -> None:
    context = click.Context(root.command)
    verbs = [root.command.get_command(context, name) for name in VERBS]
    flags = {flag for verb in verbs if verb is not None for option in verb.params for flag in option.opts}
    assert "--rate" in flags
    assert {flag for flag in flags if re.search("secret|password|passphrase|token$|proxy", flag)} == {
        "--secret",  # takes a reference
        "--secrets-dir",
    }


@pytest.mark.parametrize("given", ["auth.client_secret=hunter2~planted", "hunter2~planted", "auth.token="])
def test_what_may_be_a_secret_on_the_command_line_is_refused_and_not_quoted(cli: Cli, given: str) -> None:
    said = cli("pause", "reports.csv", "--secret", given)
    assert said.code == 2
    assert "--secret takes KEY=REFERENCE" in said.err or "must be a reference: env:NAME" in said.err
    assert "planted" not in said.err


def test_a_reference_and_its_directory_are_repeated_as_they_are_seen_from_everywhere(cli: Cli) -> None:
    given = parsed("--secret", "auth.token=file:token", "--secret", "api.proxy=env:P", "--secrets-dir", "run")
    flags = flags_to_repeat(given)
    assert flags == (
        *("--secret", f"auth.token=file:{cli.folder / 'token'}", "--secret", "api.proxy=env:P"),
        *("--secrets-dir", str(cli.folder / "run")),
    )
    assert {**parsed(*flags), "secrets_dir": Path("run")} == given


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ("--time-limit", "soon", "Invalid value for '--time-limit': 'soon' must be a duration such as 45m"),
        ("--guard", "-1m", "Invalid value for '--guard': '-1m' must be a duration such as 45m"),
        ("--until", "24:30", "Invalid value for '--until': '24:30' must be a time such as 23:30 (local time)"),
        ("--until", "23:30 Mars/Crater", "'23:30 Mars/Crater' names the time zone 'Mars/Crater', which this machine"),
        ("--until", "2020-01-01T00:00Z", "run.until 2020-01-01T00:00Z has passed: it is "),
    ],
)
def test_a_limit_that_is_none_is_a_usage_error(cli: Cli, flag: str, value: str, words: str) -> None:
    said = cli("pause", cli.source([]), flag, value)
    assert said.code == 2
    assert words in said.err
    assert cli.runs == []
