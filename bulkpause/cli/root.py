"""The root command: finds the verb, runs it, and turns whatever ends it into an exit code."""

from __future__ import annotations

import importlib
from typing import Any

import click

from bulkpause import __version__
from bulkpause.cli import exits, streams
from bulkpause.cli.overview import HELP, VERBS
from bulkpause.errors import BulkpauseError
from bulkpause.redaction import Redactor


class LazyVerbs(click.Group):
    """A group whose verbs are imported when they are called, and whose help is HELP."""

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

    def get_help(self, _ctx: click.Context) -> str:
        """Wherever click shows it."""
        return HELP


@click.group(
    cls=LazyVerbs,
    options_metavar="",
    subcommand_metavar="VERB [SOURCE] [OPTIONS]",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="bulkpause")
def command() -> None:
    """See HELP."""


def run(arguments: list[str], redactor: Redactor) -> int:
    """The exit code that `arguments` come to; what went wrong is said on stderr. Settings teach `redactor` secrets."""
    try:
        result: Any = command.main(arguments, prog_name="bulkpause", standalone_mode=False, obj=redactor)
    except click.ClickException as error:
        error.show()
        return exits.USAGE
    except (click.Abort, KeyboardInterrupt):
        streams.say("bulkpause: interrupted.")
        return exits.INTERRUPTED
    except BulkpauseError as error:
        streams.say(f"bulkpause: {error}")
        return exits.of_error(error)
    except Exception as error:  # noqa: BLE001 - the last place: a traceback may hold secrets, and helps no operator
        streams.say(f"bulkpause: internal error, please report it: {exits.where(error)}.")
        return exits.INTERNAL
    return result if isinstance(result, int) else exits.OK
