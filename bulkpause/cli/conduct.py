"""What every verb that runs something does alike: ask first, carry the work out, show what came of it."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bulkpause.cli import confirm, exits, streams
from bulkpause.cli.options import load_settings
from bulkpause.cli.redaction import redactor_for, with_secrets
from bulkpause.cli.sandboxed import in_sandbox
from bulkpause.errors import BulkpauseError, ConfigError, UsageError

if TYPE_CHECKING:
    import random

    from bulkpause.clock import Clock
    from bulkpause.run import Console
    from bulkpause.runs.identity import Run
    from bulkpause.runs.past import PastRun
    from bulkpause.settings import Settings
    from bulkpause.work import Work


async def conduct(
    run: Run, settings: Settings, work: Work, options: dict[str, Any], *, clock: Clock, rng: random.Random
) -> int:
    """Carry the work out and show what came of it; the exit code. The caller holds the ledger's lock."""
    from bulkpause.run import execute  # noqa: PLC0415 - aiohttp takes its time

    force = bool(options.get("force"))
    try:
        report = await execute(run, settings, work, console(settings), clock=clock, rng=rng, force=force)
    except Exception as error:
        if not isinstance(error, BulkpauseError):
            streams.say(f"bulkpause: broken off; what was done until then is in {run.audit_file}.")
        raise
    from bulkpause.cli import render  # noqa: PLC0415 - when the work is done

    render.show_report(report, as_json=options["as_json"])
    return exits.of_report(report)


def agreed(question: str, count: int | None, settings: Settings, options: dict[str, Any]) -> bool:
    """Whether the operator wants this run over `count` reports (None: not known yet).

    Without a terminal, or for the sandbox, nothing is asked. Raises UsageError where --no-input forbids the question.
    """
    if options["yes"] or options["sandbox"] or not confirm.is_wanted(count, above=settings.run.confirm_above):
        return True
    if not options["no_input"]:
        return confirm.ask(question) is not False
    if confirm.is_attended():
        raise UsageError(f"{question} Nothing was sent: --no-input forbids to ask. Add --yes to go ahead.")
    return True


def checked_settings(options: dict[str, Any]) -> Settings:
    """The effective settings, and what can be checked of them before anything is done.

    Raises UsageError for options that contradict each other, ConfigError for settings that are wrong.
    """
    if options["sandbox"] and (options["base_url"] or options["ca_file"]):
        raise UsageError("--sandbox brings its own service: leave out --base-url and --ca-file.")
    settings = _resolved(load_settings(options).settings)
    if options.get("guard") is not None and settings.run.time_limit is None and settings.run.until is None:
        raise UsageError("--guard is kept free before the end of a run that has one: give --until or --time-limit too.")
    if settings.audit.signing_key_file is not None:
        from bulkpause.proof.signing import load_key  # noqa: PLC0415 - only who signs pays for it

        load_key(settings.audit.signing_key_file)
    return settings


def _resolved(settings: Settings) -> Settings:
    """The settings with the instant that `run.until` means, decided once. Raises UsageError if that has passed."""
    until = settings.run.until
    if until is None:
        return settings
    from bulkpause.clock import LocalZone, SystemClock  # noqa: PLC0415 - keep --help quick

    try:
        until = until.resolved(now=SystemClock().now(), local=LocalZone())
    except ValueError as error:
        raise UsageError(f"run.until {until} {error}. Nothing was sent.") from None
    return replace(settings, run=replace(settings.run, until=until))


def prepared(
    settings: Settings, options: dict[str, Any], scope: ExitStack, *, remembering: PastRun | None = None
) -> Settings:
    """The settings under which requests will leave, their secrets at hand: those of the sandbox if that is wanted.

    Raises ConfigError.
    The sandbox remembers what a run before has done to its reports: it is a new one each time.
    """
    from bulkpause.open_files import fit_to_open_files  # noqa: PLC0415 - keep --help quick

    if options["sandbox"]:
        settings = in_sandbox(settings, scope, remembering=remembering)
    refuse_unattended(settings, options)
    settings = with_secrets(settings)
    return fit_to_open_files(settings, is_sandbox=options["sandbox"], say=streams.say)


def refuse_unattended(settings: Settings, options: dict[str, Any]) -> None:
    """Raise ConfigError if credentials are missing, or if a person would have to sign in where there is none."""
    from bulkpause.signin import flow_of  # noqa: PLC0415 - keep --help quick

    if flow_of(settings) != "device_code":
        return
    why = "--no-input forbids that" if options.get("no_input") else "there is no terminal to ask on"
    if options.get("no_input") or not sys.stderr.isatty():
        raise ConfigError(
            f"auth.flow is device_code, by which a person signs in for each run, and {why}. For unattended runs, "
            "type `bulkpause login` once, at a terminal, and set auth.flow to refresh_token."
        )


def console(settings: Settings) -> Console:
    """How a run speaks to the operator of this process."""
    from bulkpause.logs import LazyLog  # noqa: PLC0415
    from bulkpause.run import Console  # noqa: PLC0415

    style = settings.run.progress
    return Console(
        progress=("bar" if streams.is_terminal(sys.stderr) else "plain") if style == "auto" else style,
        log=LazyLog(level=settings.log.level, form=settings.log.format, redactor=redactor_for(settings)),
        say=streams.say,
    )
