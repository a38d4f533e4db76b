"""`bulkpause config show`."""

from __future__ import annotations

from typing import Any

import click

from bulkpause.cli.options import Verb, config_options, load_settings, target_options


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

    render.show_settings(describe(load_settings(options)), as_json=as_json)
