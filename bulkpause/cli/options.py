"""The options that the running verbs share, and the settings they lead to."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from bulkpause.cli.kinds import GuardType, RateType, SecretType, TimeType

if TYPE_CHECKING:
    from bulkpause.settings import Loaded

Function = TypeVar("Function", bound=Callable[..., Any])

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


class Verb(click.Command):
    """A command whose help leads with examples and lists its options by what they are about."""

    def __init__(self, *args: Any, examples: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._examples = examples

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, then one section for each group of options."""
        with formatter.section("Examples"):
            for example in self._examples:
                formatter.write(f"{'':{formatter.current_indent}}{example}\n")
        sections: dict[str, list[tuple[str, str]]] = {}
        for option in self.get_params(ctx):
            if isinstance(option, click.Option) and (record := option.get_help_record(ctx)) is not None:
                sections.setdefault(getattr(option, "section", "Options"), []).append(record)
        sections["Options"] = sections.pop("Options")  # --help and the like come last
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records, col_max=24)


class _Option(click.Option):
    """An option that knows its section of the help; its limits go without saying until they are met."""

    def __init__(self, *args: Any, section: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section

    def get_help_extra(self, ctx: click.Context) -> Any:
        """As click has it, but without `x>=1`."""
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        return extra


def _section(title: str, *options: tuple[tuple[str, ...], dict[str, Any]]) -> Callable[[Function], Function]:
    def decorate(function: Function) -> Function:
        for names, attributes in reversed(options):
            function = click.option(*names, cls=_Option, section=title, **attributes)(function)
        return function

    return decorate


def _option(*names: str, **attributes: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    return names, attributes


config_options = _section(
    "Settings",
    _option("--config", "config_file", type=_FILE, help="Read this settings file before those in the usual places."),
    _option("--profile", metavar="NAME", help="Overlay the table [profile.NAME] of the settings files."),
    _option(
        "--secret",
        "secrets",
        type=SecretType(),
        multiple=True,
        metavar="KEY=REF",
        help="Where a secret is: env:NAME, file:PATH, keyring:SERVICE/NAME or fd:N, as auth.client_secret=fd:3.",
    ),
    _option("--secrets-dir", type=_FOLDER, help="Directory with a file for each secret, as Docker mounts them."),
)
"""Where settings come from."""

target_options = _section(
    "Service",
    _option("--base-url", metavar="URL", help="The API's base URL; https, unless on this machine."),
    _option("--ca-file", type=_FILE, help="PEM file of authorities to trust besides the system's."),
)
"""Which service, and how to reach it."""

_SECONDS = click.FloatRange(0, min_open=True)

_SOURCE = _section(
    "Source",
    _option(
        "--format",
        "form",
        type=click.Choice(["csv", "lines", "jsonl"]),
        metavar="FORMAT",
        help="csv, lines or jsonl; else by its first line.",
    ),
    _option("--column", metavar="NAME", help="The CSV column or JSON key that holds the report id."),
    _option("--strict", is_flag=True, help="Send nothing if a single row is invalid."),
)
_SAFETY = _section(
    "Safety",
    _option("-n", "--dry-run", is_flag=True, help="Check everything and show the plan; no token, no request."),
    _option("--sandbox", is_flag=True, help="Use an emulated Partner Center; nothing real is touched."),
    _option("--yes", is_flag=True, help="Do not ask before a large run."),
    _option("--no-input", is_flag=True, help="Refuse, instead of asking on the terminal."),
)
_READING = _section(
    "Reading the tenant",
    _option("--no-snapshot", is_flag=True, help="Do not read the tenant's reports first."),
    _option("--verify", is_flag=True, default=None, help="Read the reports back at the end; 5 if they are otherwise."),
)
_FORCE = _section(
    "Reading the tenant",
    _option("--force", is_flag=True, help="Send reports their request that are in the wanted state already."),
)
_PACE = _section(
    "Pace",
    _option("--rate", type=RateType(), metavar="RATE", help="Never faster: 5/s, 600/min; retries count.  [100/s]"),
    _option("--rate-start", type=RateType(), metavar="RATE", help="Where the search for the limit begins.  [25/s]"),
    _option("--no-adapt", is_flag=True, help="Go at --rate, whatever the service says of it."),
    _option("--concurrency", type=click.IntRange(1, 1024), metavar="N", help="Most requests in flight.  [32]"),
    _option("--max-tries", type=click.IntRange(1), metavar="N", help="Attempts per report.  [6]"),
    _option("--timeout", type=_SECONDS, metavar="SECONDS", help="For one attempt.  [30]"),
    _option("--deadline", type=_SECONDS, metavar="SECONDS", help="For one report with its retries.  [900]"),
)
_DURATION: Final = TimeType("duration", setting="Duration")
_LIMITS = _section(
    "Limits",
    _option(
        "--halt",
        type=GuardType(),
        multiple=True,
        metavar="GUARD",
        help="Stop at too many: 'failed>5', 'failed>2%', 'failed>10% of last 200', 'consecutive>20', '403>3'; or none.",
    ),
    _option("--time-limit", type=_DURATION, metavar="DURATION", help="End the run after 45m, 1h30m or 90s."),
    _option(
        "--until",
        type=TimeType("time", setting="Until"),
        metavar="TIME",
        help="End it by 23:30, 23:30+01:00 or '23:30 Europe/Rome'.",
    ),
    _option("--guard", type=_DURATION, metavar="DURATION", help="Be done so long before that.  [0s]"),
)
_AUDIT = _section(
    "Record and output",
    _option("--audit", type=_FILE, help="Put the audit log here, not into the run directory."),
)
runs_dir_option = _section(
    "Record and output", _option("--runs-dir", type=_FOLDER, help="Where run directories are made.")
)
json_option = _section(
    "Record and output", _option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
)
log_options = _section(
    "Record and output",
    _option("-q", "--quiet", is_flag=True, help="No progress, and only errors in the log."),
    _option("-v", "--verbose", count=True, help="Log failed attempts (-v) or everything (-vv)."),
    _option("--log-format", type=click.Choice(["console", "json"]), metavar="FORM", help="console or json.  [console]"),
)
_PROGRESS = _section(
    "Record and output",
    _option(
        "--progress",
        type=click.Choice(["auto", "plain", "none"]),
        metavar="STYLE",
        help="auto, plain or none.  [auto]",
    ),
)

_REPEATED_SWITCHES: Final = {
    "--sandbox": "sandbox",
    "--force": "force",
    "--by-status": "by_status",
    "--no-adapt": "no_adapt",
}
_REPEATED: Final = {
    "base_url": "--base-url",
    "ca_file": "--ca-file",
    "config_file": "--config",
    "profile": "--profile",
    "secrets": "--secret",
    "secrets_dir": "--secrets-dir",
    "rate": "--rate",
    "rate_start": "--rate-start",
    "concurrency": "--concurrency",
    "max_tries": "--max-tries",
    "timeout": "--timeout",
    "deadline": "--deadline",
    "halt": "--halt",
}
"""Not the time limits: a command that is typed when the window is over must not inherit its end, or one in the past."""


def _all(*sections: Callable[[Function], Function]) -> Callable[[Function], Function]:
    def decorate(function: Function) -> Function:
        for section in reversed(sections):
            function = section(function)
        return function

    return decorate


_OUTPUT = (json_option, _PROGRESS, log_options, target_options, config_options)
run_options = _all(_SOURCE, _SAFETY, _READING, _FORCE, _PACE, _LIMITS, runs_dir_option, _AUDIT, *_OUTPUT)
"""What a run over a source is told."""
continue_options = _all(_SAFETY, _READING, _FORCE, _PACE, _LIMITS, runs_dir_option, *_OUTPUT)
"""What a run is told that goes on with another's directory."""
undo_options = _all(_SAFETY, _READING, _PACE, _LIMITS, runs_dir_option, _AUDIT, *_OUTPUT)
"""What a run is told that undoes another."""


verify_options = _all(
    _section("Safety", _option("--sandbox", is_flag=True, help="The run was about the embedded sandbox.")),
    _section("Pace", _option("--rate", type=RateType(), metavar="RATE", help="Most requests: 5/s, 600/min.  [100/s]")),
    runs_dir_option,
    json_option,
    log_options,
    target_options,
    config_options,
)
"""What a look at the reports of a run is told."""


doctor_options = _all(
    _section(
        "Safety",
        _option("--sandbox", is_flag=True, help="Look at an emulated Partner Center instead."),
        _option(
            "--leak-test",
            is_flag=True,
            help="Prove instead, with planted secrets, that none gets out; some ten seconds.",
        ),
    ),
    runs_dir_option,
    json_option,
    _PROGRESS,
    target_options,
    config_options,
)
"""What a look at the machine, the network and the service is told."""


def flags_to_repeat(options: Mapping[str, Any]) -> tuple[str, ...]:
    """The flags given that decide where a run goes and how fast, so that a command to type next goes there too."""
    given = ((flag, options[name]) for name, flag in _REPEATED.items())
    each = ((flag, one) for flag, value in given for one in (value if isinstance(value, tuple) else (value,)))
    repeated = [part for flag, value in each if value is not None for part in (flag, _text(value))]
    switches = [flag for flag, name in _REPEATED_SWITCHES.items() if options.get(name)]
    return (*switches, *repeated)


def _text(value: Any) -> str:
    """The value as a flag takes it, in whichever directory it is typed."""
    if isinstance(value, Path):
        return str(value.absolute())
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def load_settings(options: dict[str, Any]) -> Loaded:
    """The effective settings under the given options; from now on what they hold is struck out. Raises ConfigError."""
    from bulkpause.cli.redaction import redactor_for  # noqa: PLC0415 - keep --help quick
    from bulkpause.dumps import forbid_dumps  # noqa: PLC0415
    from bulkpause.settings import default_config_dir, load  # noqa: PLC0415

    level = "error" if options.get("quiet") else [None, "info", "debug"][min(options.get("verbose", 0), 2)]
    forbid_dumps()
    loaded = load(
        flags={
            "api.base_url": options.get("base_url"),
            "api.ca_file": options.get("ca_file"),
            "api.timeout_s": options.get("timeout"),
            "run.rate": options.get("rate"),
            "run.rate_start": options.get("rate_start"),
            "run.adapt": False if options.get("no_adapt") else None,
            "run.concurrency": options.get("concurrency"),
            "run.time_limit": options.get("time_limit"),
            "run.until": options.get("until"),
            "run.guard": options.get("guard"),
            "run.runs_dir": options.get("runs_dir"),
            "run.snapshot": False if options.get("no_snapshot") else None,
            "run.verify": options.get("verify"),
            "run.progress": "none" if options.get("quiet") else options.get("progress"),
            "retry.max_tries": options.get("max_tries"),
            "retry.deadline_s": options.get("deadline"),
            "halt.when": options.get("halt") or None,
            "audit.file": options.get("audit"),
            "log.level": level,
            "log.format": options.get("log_format"),
        },
        environ=os.environ,
        config_file=options.get("config_file"),
        profile=options.get("profile"),
        cwd=Path.cwd(),
        user_config_dir=default_config_dir(),
        secrets=options.get("secrets", ()),
        secrets_dir=options.get("secrets_dir"),
    )
    redactor_for(loaded.settings)
    return loaded
