"""`bulkpause sandbox`: the emulated Partner Center as a server, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bulkpause.cli.options import Verb
from bulkpause.errors import UsageError

if TYPE_CHECKING:
    from bulkpause.sandbox import Sandbox

_PERCENT = click.FloatRange(0, 100)


@click.command(
    cls=Verb,
    examples=[
        "bulkpause sandbox",
        "bulkpause sandbox --port 8443 --reports 5000 --latency 20ms..200ms",
        "bulkpause sandbox --rate-limit 10/s --fault 500*2@5% --journal puts.jsonl",
    ],
)
@click.option(
    "--reports",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    help="How many reports the tenant has.",
    metavar="N",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    metavar="N",
    help="The same seed gives the same ids, secrets and faults.",
)
@click.option(
    "--paused", type=_PERCENT, default=0.0, metavar="PERCENT", help="How many of them are Paused already.  [0]"
)
@click.option("--inactive", type=_PERCENT, default=0.0, metavar="PERCENT", help="How many of them are Inactive.  [0]")
@click.option("--page-size", type=click.IntRange(1), metavar="N", help="Reports on a page of the list; else all.")
@click.option("--latency", metavar="SPEC", help="Such as 50ms, 20ms..200ms.")
@click.option(
    "--rate-limit",
    metavar="SPEC",
    help="Such as 10/s or 600/min; beyond it 429 with Retry-After. --rate-limit help explains it.",
)
@click.option(
    "--fault", "faults", metavar="SPEC", multiple=True, help="What goes wrong; repeatable. --fault help explains it."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default=True, metavar="N", help="0 takes any free one."
)
@click.option("--no-tls", is_flag=True, help="Plain HTTP; no sign-in, a ready token is printed.")
@click.option(
    "--journal", type=click.Path(dir_okay=False, path_type=Path), help="Write every request there, as JSON lines."
)
@click.option(
    "--token-lifetime",
    type=click.FloatRange(0, 1e9, min_open=True),
    default=3600.0,
    metavar="SECONDS",
    help="How long a token is good.  [3600]",
)
@click.option(
    "--clock-skew",
    type=float,
    default=0.0,
    metavar="SECONDS",
    help="How far the service's clock is ahead.  [0]",
)
@click.option(
    "--casing",
    type=click.Choice(["camel", "pascal"]),
    default="camel",
    show_default=True,
    metavar="CASING",
    help="Of the keys in replies: camel or pascal.",
)
def sandbox(**options: Any) -> None:
    """Serve an emulated Partner Center on loopback until Ctrl-C, and print how to use it."""
    from bulkpause.sandbox import (  # noqa: PLC0415 - keep --help quick
        FAULT_HELP,
        RATE_LIMIT_HELP,
        Casing,
        Sandbox,
        SandboxSettings,
        parse_fault,
        parse_latency,
        parse_rate_limit,
    )

    if "help" in options["faults"]:
        click.echo(FAULT_HELP)
        return
    if options["rate_limit"] == "help":
        click.echo(RATE_LIMIT_HELP)
        return
    if options["paused"] + options["inactive"] > 100:  # noqa: PLR2004 - per cent
        raise UsageError("--paused and --inactive come to more than 100 percent.")
    given: dict[str, Any] = {}
    if options["latency"] is not None:
        given["latency"] = _parsed(parse_latency, options["latency"], "--latency")
    if options["rate_limit"] is not None:
        given["rate_limit"] = _parsed(parse_rate_limit, options["rate_limit"], "--rate-limit")
    settings = SandboxSettings(
        reports=options["reports"],
        seed=options["seed"],
        paused_percent=options["paused"],
        inactive_percent=options["inactive"],
        page_size=options["page_size"],
        faults=tuple(_parsed(parse_fault, text, "--fault") for text in options["faults"]),
        port=options["port"],
        tls=not options["no_tls"],
        journal=options["journal"],
        token_lifetime_s=options["token_lifetime"],
        clock_skew_s=options["clock_skew"],
        casing=Casing(options["casing"]),
        **given,
    )
    try:
        with suppress(KeyboardInterrupt):  # its regular end
            asyncio.run(_serve(Sandbox(settings)))
    except OSError as error:
        raise UsageError(f"the sandbox cannot start: {error.strerror}. See --port and --journal.") from None


async def _serve(sandbox: Sandbox) -> None:
    terminated = asyncio.Event()
    with suppress(NotImplementedError):  # Windows ends a process without asking it
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated.set)
    async with sandbox:
        click.echo(_welcome(sandbox))
        await terminated.wait()


def _welcome(sandbox: Sandbox) -> str:
    """Where it listens, and the environment to paste."""
    variables = {"BULKPAUSE_API__BASE_URL": sandbox.base_url}
    if sandbox.settings.tls:
        variables |= {
            "BULKPAUSE_API__CA_FILE": str(sandbox.ca_file),
            "AZURE_AUTHORITY_HOST": sandbox.authority.removesuffix(f"/{sandbox.tenant_id}"),
            "AZURE_TENANT_ID": sandbox.tenant_id,
            "AZURE_CLIENT_ID": sandbox.client_id,
            "AZURE_CLIENT_SECRET": sandbox.client_secret,
        }
    else:
        variables["BULKPAUSE_TOKEN"] = sandbox.issue_token()
    form = "$env:{} = '{}'" if os.name == "nt" else "export {}='{}'"
    lines = [form.format(name, value) for name, value in variables.items()]
    if sandbox.report_ids:
        lines.append(f"echo {sandbox.report_ids[0]} | bulkpause pause -")
    return "\n".join(["# The sandbox serves until Ctrl-C. In another terminal:", *lines])


def _parsed(parse: Callable[[str], Any], text: str, option: str) -> Any:
    try:
        return parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None
