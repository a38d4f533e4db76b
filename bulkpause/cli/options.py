"""The options that the running verbs share, and the settings they lead to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from bulkpause.settings import Loaded

Function = TypeVar("Function", bound=Callable[..., Any])

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


class RateType(click.ParamType[Any]):
    """A rate such as 10/s or 600/min."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A settings.Rate."""
        from bulkpause.settings import Rate  # noqa: PLC0415 - keep --help quick

        try:
            return Rate.parse(value)
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)


def config_options(function: Function) -> Function:
    """Where settings come from."""
    return _decorated(
        function,
        click.option(
            "--config", "config_file", type=_FILE, help="Settings file, instead of looking only in the usual places."
        ),
        click.option("--profile", metavar="NAME", help="Overlay the table [profile.NAME] of the settings file."),
    )


def target_options(function: Function) -> Function:
    """Which service, and how to reach it."""
    return _decorated(
        function,
        click.option("--base-url", metavar="URL", help="The API's base URL; https, unless on loopback."),
        click.option(
            "--ca-file", type=_FILE, help="PEM file of certificate authorities to trust besides the system's."
        ),
    )


def run_options(function: Function) -> Function:
    """What a run is told."""
    return _decorated(
        function,
        click.option(
            "--sandbox", is_flag=True, help="Run against an emulated Partner Center; nothing real is touched."
        ),
        click.option("--column", metavar="NAME", help="The CSV column or JSON key that holds the report id."),
        click.option(
            "--format",
            "form",
            type=click.Choice(["csv", "lines", "jsonl"]),
            help="How to read SOURCE; else by its first line.",
        ),
        click.option(
            "--rate", type=RateType(), metavar="N/s|N/min", help="Most requests sent, retries included.  [5/s]"
        ),
        click.option("--concurrency", type=click.IntRange(1, 1024), metavar="N", help="Most requests in flight.  [8]"),
        click.option("--max-tries", type=click.IntRange(1), metavar="N", help="Attempts per report.  [6]"),
        click.option(
            "--timeout", type=click.FloatRange(0, min_open=True), metavar="S", help="Seconds for one attempt.  [30]"
        ),
        click.option(
            "--deadline",
            type=click.FloatRange(0, min_open=True),
            metavar="S",
            help="Seconds for one report with its retries.  [900]",
        ),
        click.option("--runs-dir", type=_FOLDER, help="Where run directories are made."),
        click.option("--audit", type=_FILE, help="Put the audit log here instead of into the run directory."),
        click.option(
            "-n", "--dry-run", is_flag=True, help="Read and check the source, show the plan; no token, no request."
        ),
        click.option("--strict", is_flag=True, help="Send nothing if a single row is invalid."),
        click.option("--yes", is_flag=True, help="Do not ask before a large run."),
        click.option("--no-input", is_flag=True, help="Never ask: where a question would be needed, send nothing."),
        click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON document."),
        click.option("--progress", type=click.Choice(["auto", "plain", "none"]), help="How progress is shown.  [auto]"),
        click.option("-q", "--quiet", is_flag=True, help="No progress, and only errors in the log."),
        click.option("-v", "--verbose", count=True, help="Log failed attempts (-v) or everything (-vv) to stderr."),
        click.option(
            "--log-format", type=click.Choice(["console", "json"]), help="How log lines are written.  [console]"
        ),
    )


def load_settings(options: dict[str, Any]) -> Loaded:
    """The effective settings under the given options. Raises ConfigError."""
    from bulkpause.settings import default_config_dir, load  # noqa: PLC0415 - keep --help quick

    level = "error" if options.get("quiet") else [None, "info", "debug"][min(options.get("verbose", 0), 2)]
    return load(
        flags={
            "api.base_url": options.get("base_url"),
            "api.ca_file": options.get("ca_file"),
            "api.timeout_s": options.get("timeout"),
            "run.rate": options.get("rate"),
            "run.concurrency": options.get("concurrency"),
            "run.runs_dir": options.get("runs_dir"),
            "run.progress": "none" if options.get("quiet") else options.get("progress"),
            "retry.max_tries": options.get("max_tries"),
            "retry.deadline_s": options.get("deadline"),
            "audit.file": options.get("audit"),
            "log.level": level,
            "log.format": options.get("log_format"),
        },
        environ=os.environ,
        config_file=options.get("config_file"),
        profile=options.get("profile"),
        cwd=Path.cwd(),
        user_config_dir=default_config_dir(),
    )


def _decorated(function: Function, *options: Callable[[Function], Function]) -> Function:
    for option in reversed(options):
        function = option(function)
    return function
