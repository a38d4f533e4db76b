"""`bulkpause continue` and `bulkpause undo`: runs that begin with a run that was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from bulkpause.cli import exits, streams
from bulkpause.cli.conduct import agreed, checked_settings, conduct, prepared
from bulkpause.cli.options import Verb, continue_options, flags_to_repeat, undo_options
from bulkpause.errors import AuditCreateError, UsageError
from bulkpause.models import Status

if TYPE_CHECKING:
    from bulkpause.runs.identity import Run
    from bulkpause.runs.past import PastRun
    from bulkpause.settings import Settings
    from bulkpause.work import Work


class Statuses(click.ParamType[Any]):
    """Some of the statuses that a continuation tries again only on request, in a list with commas."""

    name = "statuses"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A set of Status."""
        from bulkpause.replay import FAILED  # noqa: PLC0415 - keep --help quick

        words = [word.strip().lower() for word in value.split(",")]
        known = {status.value: status for status in FAILED}
        if unknown := [word for word in words if word not in known]:
            self.fail(f"{unknown[0]!r} is none of {', '.join(sorted(known))}", param, ctx)
        return frozenset(known[word] for word in words)


@click.command(
    name="continue",
    cls=Verb,
    examples=[
        "bulkpause continue last",
        "bulkpause continue last --failed",
        "bulkpause continue 20261124-2200 --status exhausted,denied",
    ],
)
@click.argument("run")
@click.option("--failed", is_flag=True, help="Try those again as well that failed for good.")
@click.option("--status", "statuses", type=Statuses(), metavar="LIST", help="Of these, only those that ended so.")
@continue_options
def continue_(**options: Any) -> int:
    """Finish RUN from its directory alone: what was never sent, is in doubt, or was cut short; never what succeeded.

    RUN is a run id, the start of one, a run directory, or last.
    """
    return _going_on_from(options, _continue)


@click.command(
    cls=Verb,
    examples=[
        "bulkpause undo last --dry-run",
        "bulkpause undo last",
        "bulkpause undo ./runs/20261124-220412-0a1b2c --yes",
    ],
)
@click.argument("run")
@click.option("--by-status", is_flag=True, help="Judge by a report's status alone, not by when it was last changed.")
@undo_options
def undo(**options: Any) -> int:
    """Reverse what RUN changed, and nothing else: not what was so before, nor what somebody else has changed since.

    RUN is a run id, the start of one, a run directory, or last.
    """
    return _going_on_from(options, _undo)


def _going_on_from(options: dict[str, Any], verb: Callable[[PastRun, Settings, dict[str, Any]], int]) -> int:
    """What `verb` makes of the run that is named, which nobody else can write meanwhile; the exit code."""
    settings = checked_settings(options)
    with ExitStack() as scope:
        past = scope.enter_context(opened(options["run"], settings))
        if not options["dry_run"]:
            settings = prepared(settings, options, scope, remembering=past)
        return verb(past, settings, options)


@contextmanager
def opened(spec: str, settings: Settings) -> Iterator[PastRun]:
    """The run that `spec` names, read from its ledger, while nobody else can write that.

    Raises AuditCreateError if the run is alive, UsageError or SourceError if it cannot be found or read.
    """
    from bulkpause.clock import SystemClock  # noqa: PLC0415 - keep --help quick
    from bulkpause.lock import LedgerLock, LedgerTakenError  # noqa: PLC0415
    from bulkpause.runs.finding import find_run  # noqa: PLC0415
    from bulkpause.runs.past import read_run  # noqa: PLC0415

    folder = find_run(spec, settings.run.runs_path)
    with ExitStack() as scope:
        try:
            scope.enter_context(LedgerLock(folder.audit_file, now=SystemClock().now()))
        except LedgerTakenError as error:
            owner = f"{error.owner} writes its audit log"
            raise AuditCreateError(f"run {folder.run_id} is alive: {owner}. Wait for it, or stop it.") from None
        yield read_run(folder)


def _continue(past: PastRun, settings: Settings, options: dict[str, Any]) -> int:
    import asyncio  # noqa: PLC0415

    from bulkpause.cli import plans, render  # noqa: PLC0415
    from bulkpause.clock import SystemClock  # noqa: PLC0415
    from bulkpause.closing import note_unread  # noqa: PLC0415
    from bulkpause.replay import FAILED  # noqa: PLC0415
    from bulkpause.runs.past import report_of  # noqa: PLC0415
    from bulkpause.work.continuing import check_same, continuation, count_left  # noqa: PLC0415

    check_same(past.run, settings, is_sandbox=options["sandbox"])
    if past.run.undoes is not None and past.replay.source is None:
        raise UsageError(
            f"run {past.run.run_id} was stopped before it had found out what there is to undo. Instead, type "
            f"{report_of(past).next_command}"
        )
    if options["failed"] and options["statuses"]:
        raise UsageError("--failed is every status that --status may list: choose one.")
    failed = options["statuses"] or (FAILED if options["failed"] else frozenset())
    left, clock = count_left(past.run.manifest_file, past.replay, failed), SystemClock()
    if options["dry_run"]:
        plans.show_continuation(past, left, settings, as_json=options["as_json"], clock=clock)
        return exits.OK
    if not left.read and past.replay.has_ended and not past.replay.unfinished:
        streams.say(f"bulkpause: nothing is left to do in run {past.run.run_id}.")
        report = report_of(past)
        report.halt = report.stop_signal = None  # what stopped it then stops nobody now
        note_unread(report)
        render.show_report(report, as_json=options["as_json"])
        return exits.of_report(report)
    run = replace(past.run, rate_per_s=settings.run.rate.per_s, flags=flags_to_repeat(options))
    if not agreed(plans.question(run, settings, left, clock=clock), left.accepted, settings, options):
        streams.say("Nothing was sent.")
        return exits.NOT_ALL
    work = continuation(run, past.replay, past.tail, left=left, failed=failed)
    return asyncio.run(_conduct(run, settings, work, options))


def _undo(past: PastRun, settings: Settings, options: dict[str, Any]) -> int:
    import asyncio  # noqa: PLC0415
    import random  # noqa: PLC0415

    from bulkpause.cli import plans  # noqa: PLC0415
    from bulkpause.clock import SystemClock  # noqa: PLC0415
    from bulkpause.lock import LedgerLock  # noqa: PLC0415
    from bulkpause.runs.finding import LAST  # noqa: PLC0415
    from bulkpause.runs.identity import discard, new_run  # noqa: PLC0415
    from bulkpause.runs.past import outcomes_of, report_of  # noqa: PLC0415
    from bulkpause.work.continuing import check_same  # noqa: PLC0415
    from bulkpause.work.undoing import undoing  # noqa: PLC0415

    check_same(past.run, settings, is_sandbox=options["sandbox"])
    counts = past.replay.summary.by_status
    most = counts[Status.SUCCEEDED] + counts[Status.UNKNOWN] + len(past.replay.unfinished)
    if past.run.undoes is not None and options["run"] == LAST:
        report, directory = report_of(past), past.run.directory
        raise UsageError(
            f"the last run is an undo itself, of run {past.run.undoes}. To undo that run, or its undo, type one of\n"
            f"  {report.command('undo', directory.parent / past.run.undoes)}\n  {report.command('undo', directory)}"
        )
    clock, rng = SystemClock(), random.Random()  # noqa: S311 - jitter and ids of requests, no secrets
    if options["dry_run"] or not most:
        plans.show_undo(past, most, settings, is_rehearsal=options["dry_run"], as_json=options["as_json"])
        return exits.OK
    if not agreed(plans.undo_question(past, most, settings, clock=clock), most, settings, options):
        streams.say("Nothing was sent.")
        return exits.NOT_ALL
    beside = replace(settings.run, runs_dir=past.run.directory.parent)  # so that both are found
    settings = replace(settings, run=beside)
    run = new_run(
        past.run.operation.reverse,
        settings,
        source_name=f"undo of {past.run.run_id}",
        now=clock.now(),
        rng=rng,
        is_sandbox=options["sandbox"],
        flags=flags_to_repeat(options),
        undoes=past.run.run_id,
    )
    tenant_id = past.replay.signed_in_as
    work = undoing(run, lambda: outcomes_of(past), by_status=options["by_status"], signed_in_as=tenant_id)
    try:
        with LedgerLock(run.audit_file, now=clock.now()):
            return asyncio.run(_conduct(run, settings, work, options))
    except AuditCreateError:  # nothing was sent
        discard(run)
        raise


async def _conduct(run: Run, settings: Settings, work: Work, options: dict[str, Any]) -> int:
    import random  # noqa: PLC0415

    from bulkpause.clock import SystemClock  # noqa: PLC0415

    rng = random.Random()  # noqa: S311 - jitter and ids of requests, no secrets
    return await conduct(run, settings, work, options, clock=SystemClock(), rng=rng)
