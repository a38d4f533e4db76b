"""`bulkpause pause` and `bulkpause resume`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import click

from bulkpause.cli import confirm, exits, streams
from bulkpause.cli.options import Verb, config_options, flags_to_repeat, load_settings, run_options, target_options
from bulkpause.errors import AuditCreateError, BulkpauseError, SourceError, UsageError
from bulkpause.models import Operation, Reject, SourceCounts

if TYPE_CHECKING:
    from bulkpause.manifest import Manifest
    from bulkpause.run import Console
    from bulkpause.rundir import Run
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
@target_options
@config_options
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
@target_options
@config_options
def resume(source: str, **options: Any) -> int:
    """Resume every report that SOURCE names: a CSV file, a plain list, JSON Lines, or - for stdin."""
    return _operate(Operation.RESUME, source, options)


def _operate(operation: Operation, spec: str, options: dict[str, Any]) -> int:
    import asyncio  # noqa: PLC0415 - keep --help quick

    from bulkpause.open_files import fit_to_open_files  # noqa: PLC0415
    from bulkpause.sources import Format, open_source  # noqa: PLC0415

    if options["sandbox"] and (options["base_url"] or options["ca_file"]):
        raise UsageError("--sandbox brings its own service: leave out --base-url and --ca-file.")
    settings = load_settings(options).settings
    form = None if options["form"] is None else Format(options["form"])
    stdin = None if sys.stdin is None else sys.stdin.buffer
    with ExitStack() as scope:
        source = scope.enter_context(open_source(spec, form=form, column=options["column"], stdin=stdin))
        if options["dry_run"]:
            return _rehearse(operation, source, settings, options)
        if options["sandbox"]:
            settings = _in_sandbox(settings, scope)
        settings.auth.decide_flow()
        settings = fit_to_open_files(settings, is_sandbox=options["sandbox"], say=streams.say)
        return asyncio.run(_run(operation, source, settings, options))


def _rehearse(operation: Operation, source: Source, settings: Settings, options: dict[str, Any]) -> int:
    """Read and check everything, send nothing, and show what would happen."""
    from bulkpause.cli import render  # noqa: PLC0415

    rejects: list[Reject] = []
    for batch in source:
        found = (row for row in batch if isinstance(row, Reject))
        rejects.extend(islice(found, NAMED_ROWS - len(rejects)))
    plan = render.Plan(
        operation=operation,
        source=source.name,
        counts=source.counts,
        rejects=rejects,
        settings=settings,
        is_sandbox=options["sandbox"],
    )
    render.show_plan(plan, as_json=options["as_json"])
    return exits.BAD_SOURCE if options["strict"] and rejects else exits.OK


async def _run(operation: Operation, source: Source, settings: Settings, options: dict[str, Any]) -> int:
    import random  # noqa: PLC0415

    from bulkpause.clock import SystemClock  # noqa: PLC0415
    from bulkpause.manifest import Manifest  # noqa: PLC0415
    from bulkpause.rundir import discard, new_run  # noqa: PLC0415

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
        from bulkpause.run import execute  # noqa: PLC0415 - aiohttp takes its time; the source is read meanwhile

        counts = await manifest.filled() if source.is_finite or options["strict"] else None
        if options["strict"]:
            _refuse_invalid(manifest, name=source.name)
        agreed = _ask(run, counts, options)
    except BaseException as error:  # Ctrl-C cancels this task
        manifest.stop()
        discard(run)
        if not isinstance(error, Exception):
            streams.say("\nNothing was sent.")
        raise
    if not agreed:
        manifest.stop()
        discard(run)
        streams.say("Nothing was sent.")
        return exits.NOT_ALL
    try:
        report = await execute(run, manifest, _console(settings), clock=clock, rng=rng)
    except AuditCreateError:
        manifest.stop()
        discard(run)
        raise
    except Exception as error:
        if not isinstance(error, BulkpauseError):
            streams.say(f"bulkpause: broken off; what was done until then is in {run.audit_file}.")
        raise
    from bulkpause.cli import render  # noqa: PLC0415 - when the work is done

    render.show_report(report, as_json=options["as_json"])
    return exits.of_report(report)


def _ask(run: Run, counts: SourceCounts | None, options: dict[str, Any]) -> bool:
    """Whether the operator wants this run; without a terminal, or for the sandbox, nothing is asked."""
    accepted = None if counts is None else counts.accepted
    if options["yes"] or run.is_sandbox or not confirm.is_wanted(accepted, above=run.settings.run.confirm_above):
        return True
    from bulkpause.cli import render  # noqa: PLC0415

    question = render.question(run, counts)
    if not options["no_input"]:
        return confirm.ask(question) is not False
    if confirm.is_attended():
        raise UsageError(f"{question} Nothing was sent: --no-input forbids to ask. Add --yes to go ahead.")
    return True


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


def _console(settings: Settings) -> Console:
    from bulkpause.logs import LazyLog, Redactor  # noqa: PLC0415
    from bulkpause.run import Console  # noqa: PLC0415

    auth, api = settings.auth, settings.api
    secrets = [auth.client_secret, auth.certificate_passphrase, auth.token, api.proxy]
    known = [secret.reveal() for secret in secrets if secret is not None]
    if api.proxy is not None:
        password = urlsplit(api.proxy.reveal()).password or ""
        known += [password, unquote(password)]
    redactor = Redactor(known)
    style = settings.run.progress
    return Console(
        progress=("bar" if streams.is_terminal(sys.stderr) else "plain") if style == "auto" else style,
        log=LazyLog(level=settings.log.level, form=settings.log.format, redactor=redactor),
        say=streams.say,
    )


def _in_sandbox(settings: Settings, scope: ExitStack) -> Settings:
    """Start the emulated service on a thread of its own, and point everything at it."""
    from bulkpause.sandbox import SandboxSettings, serve_in_thread  # noqa: PLC0415
    from bulkpause.settings import Auth, Secret  # noqa: PLC0415

    sandbox = scope.enter_context(serve_in_thread(SandboxSettings.demo()))
    authority = sandbox.authority.removesuffix(f"/{sandbox.tenant_id}")
    return replace(
        settings,
        api=replace(settings.api, base_url=sandbox.base_url, ca_file=sandbox.ca_file, proxy=None),
        auth=Auth(
            flow="client_secret",
            tenant_id=sandbox.tenant_id,
            client_id=sandbox.client_id,
            client_secret=Secret(sandbox.client_secret),
            authority=authority,
        ),
    )
