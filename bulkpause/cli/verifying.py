"""`bulkpause verify`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import click

from bulkpause.cli import exits, streams
from bulkpause.cli.conduct import checked_settings, prepared
from bulkpause.cli.options import Verb, verify_options
from bulkpause.cli.past import opened


@click.command(
    cls=Verb,
    examples=[
        "bulkpause verify last",
        "bulkpause verify 20261124-2204 --json",
        "bulkpause verify ./runs/20261124-220412-0a1b2c",
    ],
)
@click.argument("run")
@verify_options
def verify(run: str, **options: Any) -> int:
    """Read the reports of RUN back and compare them with what it claims; settle what is in doubt.

    Reports converged, late (right on a second look), contradicted, missing, unreadable and resolved. Exit code 5 if one
    is contradicted or missing. RUN is a run id, the start of one, a run directory, or last.
    """
    import asyncio  # noqa: PLC0415 - keep --help quick
    import random  # noqa: PLC0415

    from bulkpause.cli import render  # noqa: PLC0415
    from bulkpause.cli.redaction import redactor_for  # noqa: PLC0415
    from bulkpause.clock import SystemClock  # noqa: PLC0415
    from bulkpause.logs import LazyLog  # noqa: PLC0415
    from bulkpause.verifying import verify_run  # noqa: PLC0415
    from bulkpause.work.continuing import check_same  # noqa: PLC0415

    settings = checked_settings(options)
    with ExitStack() as scope:
        past = scope.enter_context(opened(run, settings))
        check_same(past.run, settings, is_sandbox=options["sandbox"])
        settings = prepared(settings, options, scope, remembering=past)
        log = LazyLog(level=settings.log.level, form=settings.log.format, redactor=redactor_for(settings))
        rng = random.Random()  # noqa: S311 - jitter and ids of requests, no secrets
        found, report = asyncio.run(verify_run(past, settings, log, clock=SystemClock(), rng=rng, say=streams.say))
    if found.error is not None:
        streams.say(f"bulkpause: not verified: {found.error}.")
    for warning in report.warnings:
        streams.say(f"bulkpause: {warning}")
    render.show_verification(report, found, as_json=options["as_json"])
    return exits.of_verification(found)
