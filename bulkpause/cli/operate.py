"""`bulkpause pause` and `bulkpause resume`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from bulkpause.cli import exits, streams
from bulkpause.cli.conduct import agreed, checked_settings, conduct, prepared
from bulkpause.cli.options import Verb, flags_to_repeat, run_options
from bulkpause.errors import AuditCreateError, SourceError
from bulkpause.models import Operation, Reject

if TYPE_CHECKING:
    from bulkpause.manifest import Manifest
    from bulkpause.settings import Settings
    from bulkpause.sources import Source

NAMED_ROWS = 5


@click.command(
    cls=Verb,
    examples=[
        "bulkpause pause reports.csv --dry-run",
        "bulkpause pause reports.csv --rate 10/s",
        "cut -d, -f1 export.csv | bulkpause pause - --yes",
    ],
)
@click.argument("source")
@run_options
def pause(source: str, **options: Any) -> int:
    """Pause every report that SOURCE names: a CSV file, a plain list, JSON Lines, or - for stdin."""
    return _operate(Operation.PAUSE, source, options)


@click.command(
    cls=Verb,
    examples=[
        "bulkpause resume reports.csv --dry-run",
        "bulkpause resume reports.csv --column 'Report ID'",
        """grep '"status":"succeeded"' audit.jsonl | bulkpause resume -""",
    ],
)
@click.argument("source")
@run_options
def resume(source: str, **options: Any) -> int:
    """Resume every report that SOURCE names: a CSV file, a plain list, JSON Lines, or - for stdin."""
    return _operate(Operation.RESUME, source, options)


def _operate(operation: Operation, spec: str, options: dict[str, Any]) -> int:
    import asyncio  # noqa: PLC0415 - keep --help quick

    from bulkpause.sources import Format, open_source  # noqa: PLC0415

    settings = checked_settings(options)
    form = None if options["form"] is None else Format(options["form"])
    stdin = None if sys.stdin is None else sys.stdin.buffer
    with ExitStack() as scope:
        source = scope.enter_context(open_source(spec, form=form, column=options["column"], stdin=stdin))
        if options["dry_run"]:
            return _rehearse(operation, source, settings, options)
        settings = prepared(settings, options, scope)
        return asyncio.run(_run(operation, source, settings, options))


def _rehearse(operation: Operation, source: Source, settings: Settings, options: dict[str, Any]) -> int:
    """Read and check everything, send nothing, and show what would happen."""
    from bulkpause.cli import plans  # noqa: PLC0415
    from bulkpause.clock import SystemClock  # noqa: PLC0415
    from bulkpause.timing import curfew_for  # noqa: PLC0415

    rejects: list[Reject] = []
    for batch in source:
        found = (row for row in batch if isinstance(row, Reject))
        rejects.extend(islice(found, NAMED_ROWS - len(rejects)))
    plan = plans.Plan(
        operation=operation,
        source=source.name,
        counts=source.counts,
        rejects=rejects,
        settings=settings,
        is_sandbox=options["sandbox"],
        curfew=curfew_for(settings, clock=SystemClock()),
    )
    plans.show_plan(plan, as_json=options["as_json"])
    return exits.BAD_SOURCE if options["strict"] and rejects else exits.OK


async def _run(operation: Operation, source: Source, settings: Settings, options: dict[str, Any]) -> int:
    import random  # noqa: PLC0415

    from bulkpause.clock import SystemClock  # noqa: PLC0415
    from bulkpause.lock import LedgerLock  # noqa: PLC0415
    from bulkpause.manifest import Manifest  # noqa: PLC0415
    from bulkpause.runs.identity import discard, new_run  # noqa: PLC0415

    clock, rng = SystemClock(), random.Random()  # noqa: S311 - jitter and ids of requests, no secrets
    run = new_run(
        operation,
        settings,
        source_name=source.name,
        now=clock.now(),
        rng=rng,
        is_sandbox=options["sandbox"],
        flags=flags_to_repeat(options),
    )
    manifest = Manifest(run.manifest_file)
    try:
        manifest.start(source, counts=lambda: source.counts)
        import bulkpause.run  # noqa: F401, PLC0415 - aiohttp takes its time; the source is read meanwhile
        from bulkpause.cli import plans  # noqa: PLC0415
        from bulkpause.work import fresh  # noqa: PLC0415

        counts = await manifest.filled() if source.is_finite or options["strict"] else None
        if options["strict"]:
            _refuse_invalid(manifest, name=source.name)

        question = plans.question(run, settings, counts, clock=clock)
        is_agreed = agreed(question, None if counts is None else counts.accepted, settings, options)
    except BaseException as error:  # Ctrl-C cancels this task
        manifest.stop()
        discard(run)
        if not isinstance(error, Exception):
            streams.say("\nNothing was sent.")
        raise
    if not is_agreed:
        manifest.stop()
        discard(run)
        streams.say("Nothing was sent.")
        return exits.NOT_ALL
    work = fresh(run, manifest)
    try:
        with LedgerLock(run.audit_file, now=clock.now()):
            return await conduct(run, settings, work, options, clock=clock, rng=rng)
    except AuditCreateError:
        manifest.stop()
        discard(run)
        raise


def _refuse_invalid(manifest: Manifest, *, name: str) -> None:
    """Raise SourceError, naming the first of them, if any row is invalid."""
    from bulkpause.manifest import read_manifest  # noqa: PLC0415

    count = manifest.counts.invalid
    if not count:
        return
    rejects = (row for batch in read_manifest(manifest.path) for row in batch if isinstance(row, Reject))
    named = "".join(f"\n  line {reject.row}: {reject.reason}: {reject.text}" for reject in islice(rejects, NAMED_ROWS))
    rows = "1 row is" if count == 1 else f"{count:,} rows are"
    raise SourceError(f"{name}: {rows} invalid, and --strict sends nothing then.{named}")
