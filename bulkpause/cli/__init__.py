"""The command line. Only here do errors become exit codes; heavy imports wait until a verb needs them."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, Final, NoReturn

import click

from bulkpause import __version__
from bulkpause.cli import exits
from bulkpause.errors import BulkpauseError

VERBS: Final = {
    "pause": ("bulkpause.cli.operate:pause", "Pause the reports of a CSV file, a list, JSON Lines or stdin."),
    "resume": ("bulkpause.cli.operate:resume", "Resume them."),
    "sandbox": ("bulkpause.cli.sandbox:sandbox", "Serve an emulated Partner Center on this machine."),
    "config": ("bulkpause.cli.config:config", "Show the effective configuration and where it came from."),
}

HELP: Final = f"""Pause or resume Partner Center Insights reports in bulk.

\b
Examples:
  Before a maintenance window: rehearse, then do it
    bulkpause pause reports.csv --dry-run
    bulkpause pause reports.csv
  From a scheduled job: exit code and JSON are the interface
    bulkpause pause reports.csv --no-input --json > summary.json
  In an incident: ids from anywhere, at a known rate
    cut -d, -f1 export.csv | bulkpause pause - --rate 10/s --yes

\b
Try it without an account:
    bulkpause pause --sandbox configs/sample-reports.csv

\b
Exit codes:
{exits.TABLE}"""


class LazyVerbs(click.Group):
    """A group whose verbs are imported when they are called; their one-line helps are known without that."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """In the order of VERBS."""
        return list(VERBS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb."""
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in VERBS.items()])


@click.group(
    cls=LazyVerbs, help=HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="bulkpause")
def command() -> None:
    """The root command; its help is HELP."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with one of the documented codes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # an id in an odd encoding must not end the program
    code = _run(arguments)
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        # `| head -1` has gone; Python would complain at exit. The ledger has it all.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _run(arguments: list[str] | None) -> int:
    try:
        result: Any = command.main(arguments, prog_name="bulkpause", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return exits.USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return exits.INTERRUPTED
    except BulkpauseError as error:
        click.echo(f"bulkpause: {error}", err=True)
        return exits.of_error(error)
    except Exception as error:  # noqa: BLE001 - the last place: a traceback may hold secrets, and helps no operator
        click.echo(f"bulkpause: internal error, please report it: {exits.where(error)}", err=True)
        return exits.INTERNAL
    return result if isinstance(result, int) else exits.OK
