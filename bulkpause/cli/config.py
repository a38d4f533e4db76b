"""`bulkpause config show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bulkpause.cli.options import Verb, config_options, load_settings, target_options

if TYPE_CHECKING:
    from bulkpause.settings import Settings


@click.group()
def config() -> None:
    """Show the effective configuration and where each value came from."""


@config.command(
    cls=Verb,
    short_help="Print every setting, its value and its origin.",
    examples=["bulkpause config show", "bulkpause config show --profile night --json"],
)
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON document.")
@target_options
@config_options
def show(*, as_json: bool, **options: Any) -> None:
    """Every setting, its value and where that came from; secrets are masked."""
    from bulkpause.cli import render  # noqa: PLC0415 - keep --help quick
    from bulkpause.settings import describe  # noqa: PLC0415

    loaded = load_settings(options)
    rows = [_decided(loaded.settings) if row[:2] == ("auth.flow", "not set") else row for row in describe(loaded)]
    render.show_settings(rows, as_json=as_json)


def _decided(settings: Settings) -> tuple[str, str, str]:
    """The flow that follows from what is given, where none is set."""
    from bulkpause.errors import BulkpauseError  # noqa: PLC0415 - keep --help quick
    from bulkpause.signin import flow_of, sign_in_of  # noqa: PLC0415

    try:
        flow = flow_of(settings)
        sign_in = sign_in_of(settings) if flow == "refresh_token" else None
    except BulkpauseError:  # a run would say why; what is shown here may be all the operator needs for that
        return "auth.flow", "not set", "default"
    who = "what is given" if sign_in is None else f"the sign-in of {sign_in.account or 'a person'}"
    return "auth.flow", flow, f"default, by {who}"
