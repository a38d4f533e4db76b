"""`bulkpause doctor`."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from bulkpause.cli import exits, streams
from bulkpause.cli.options import Verb, doctor_options, load_settings
from bulkpause.cli.redaction import redactor_for
from bulkpause.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bulkpause.doctor.checks import Name
    from bulkpause.doctor.examine import Subject
    from bulkpause.settings import Flow, Settings

SECRETS_TIMEOUT_S: Final = 30.0
"""A keyring may ask a person first, and so may a program behind a pipe."""


@click.command(
    cls=Verb,
    short_help="Look at all that a run needs, and say what to do about what is missing.",
    examples=["bulkpause doctor", "bulkpause doctor --profile night --json", "bulkpause doctor --leak-test"],
)
@doctor_options
def doctor(**options: Any) -> int:
    """Look at settings, disk, network, clock, sign-in and service; nothing is changed, nothing is paused.

    Each check ends ok, or with what to do. 0 if a run is possible, 78 configuration, 73 run directory, 69 not
    reachable, 77 not authorised: by what stands in the way first. Of --leak-test: 0 if no secret got out, else 70.
    """
    if options["leak_test"]:
        return _leak_test(options)
    import asyncio  # noqa: PLC0415 - keep --help quick

    from bulkpause import __version__  # noqa: PLC0415
    from bulkpause.cli import examined  # noqa: PLC0415
    from bulkpause.clock import SystemClock  # noqa: PLC0415
    from bulkpause.doctor.checks import first_obstacle  # noqa: PLC0415
    from bulkpause.doctor.examine import examine  # noqa: PLC0415
    from bulkpause.settings import Settings  # noqa: PLC0415

    if options["sandbox"] and (options["base_url"] or options["ca_file"]):
        raise UsageError("--sandbox brings its own service: leave out --base-url and --ca-file.")
    clock = SystemClock()
    with ExitStack() as scope:
        subject, style = _subject(options, scope)
        redactor = redactor_for(subject.settings or Settings())
        with _progress(style) as begin:
            checks = asyncio.run(examine(subject, clock=clock, begin=begin, learn=redactor.learn, say=streams.say))
    code = exits.of_obstacle(first_obstacle(checks))
    at = clock.now().isoformat(timespec="seconds").replace("+00:00", "Z")
    examined.show_checks(checks, redactor=redactor, code=code, version=__version__, at=at, as_json=options["as_json"])
    return code


def _leak_test(options: dict[str, Any]) -> int:
    """Plant secrets, run real commands, search what they leave behind; a leak is an error of ours."""
    from bulkpause.cli.words import print_json, print_text  # noqa: PLC0415 - keep --help quick
    from bulkpause.leaks.trial import run  # noqa: PLC0415

    if any(value for name, value in options.items() if name not in {"as_json", "leak_test"}):
        raise UsageError("--leak-test brings its own settings and services: give nothing but --json with it.")
    streams.say("bulkpause: planting secrets, running commands with them, searching what they leave behind")
    report = run()
    if options["as_json"]:
        print_json(report.to_dict())
    else:
        print_text("\n".join(report.lines()))
    return exits.OK if report.is_clean else exits.INTERNAL


def _subject(options: dict[str, Any], scope: ExitStack) -> tuple[Subject, str]:
    """What is to be examined, and how progress is shown."""
    from dataclasses import replace  # noqa: PLC0415 - keep --help quick

    from bulkpause.cli.sandboxed import in_sandbox  # noqa: PLC0415
    from bulkpause.doctor.examine import Subject  # noqa: PLC0415
    from bulkpause.doctor.facts import ConfigurationFacts  # noqa: PLC0415
    from bulkpause.doctor.look.configuration import look_at_settings  # noqa: PLC0415
    from bulkpause.settings import Settings  # noqa: PLC0415

    try:
        loaded = load_settings(options)
    except ConfigError as error:
        runs_path = options["runs_dir"] or Settings().run.runs_path
        facts = ConfigurationFacts(flaw=str(error), profile=options["profile"])
        subject = Subject(settings=None, configuration=facts, flow=None, runs_path=runs_path)
        return subject, options["progress"] or "auto"
    settings: Settings | None = loaded.settings
    facts, flow = look_at_settings(
        loaded, files=_files(options), profile=options["profile"], decide=lambda settings: _flow(settings, options)
    )
    if options["sandbox"]:
        settings = in_sandbox(loaded.settings, scope)
        flow, why = settings.auth.decide_flow(), "since the sandbox brings its own app"
        kept = tuple(row for row in facts.told if not row[0].startswith(("api.", "auth.")))
        facts = replace(facts, target=settings.api.base_url, flaw=None, nobody=None, told=kept, flow=flow, why=why)
    try:
        settings = _with_secrets_in_time(settings or loaded.settings)
    except ConfigError as error:
        flow = None
        settings = None if _has_hidden_ways(loaded.settings) else loaded.settings
        facts = replace(facts, flaw="\n".join(filter(None, (facts.flaw, str(error)))), flow=None)
    subject = Subject(
        settings=settings,
        configuration=facts,
        flow=flow,
        runs_path=loaded.settings.run.runs_path,
        origins=loaded.origins,
        is_sandbox=options["sandbox"],
    )
    return subject, loaded.settings.run.progress


def _with_secrets_in_time(settings: Settings) -> Settings:
    """`settings` with every secret at hand that they refer to. Raises ConfigError, also if one does not come."""
    import asyncio  # noqa: PLC0415 - keep --help quick

    from bulkpause.aside import aside  # noqa: PLC0415
    from bulkpause.settings import resolve_secrets  # noqa: PLC0415

    try:
        fetching = aside(
            lambda: resolve_secrets(settings, environ=os.environ), name="secrets", timeout_s=SECRETS_TIMEOUT_S
        )
        return asyncio.run(fetching)
    except TimeoutError:
        raise ConfigError(
            f"a secret that the settings refer to does not come within {SECRETS_TIMEOUT_S:g} s: does anybody write into"
            " that pipe, and is the keyring unlocked?"
        ) from None


def _has_hidden_ways(settings: Settings) -> bool:
    """Whether what leads to the service is a reference: without it the network cannot be looked at."""
    from bulkpause.settings import SecretReference  # noqa: PLC0415 - keep --help quick

    api, auth = settings.api, settings.auth
    needed = (api.proxy, auth.proxy, api.client_certificate_passphrase, auth.certificate_passphrase)
    return any(isinstance(each, SecretReference) for each in needed)


def _flow(settings: Settings, options: dict[str, Any]) -> Flow:
    """How a run would sign in. Raises ConfigError, or AuthError if a person has to sign in first."""
    from bulkpause.cli.conduct import refuse_unattended  # noqa: PLC0415 - keep --help quick
    from bulkpause.signin import flow_of  # noqa: PLC0415

    refuse_unattended(settings, options)
    return flow_of(settings)


def _files(options: dict[str, Any]) -> tuple[str, ...]:
    """The settings files that were read, the weightiest first."""
    from bulkpause.settings import default_config_dir  # noqa: PLC0415 - keep --help quick
    from bulkpause.settings.sources import file_places  # noqa: PLC0415

    places = file_places(options["config_file"], Path.cwd(), default_config_dir())
    return tuple(label for path, label, _ in places if path.exists())


@contextmanager
def _progress(style: str) -> Iterator[Callable[[Name], None]]:
    """Says on stderr what is being looked at: one line that goes again on a terminal, a line each elsewhere."""
    if style == "auto":
        style = "bar" if streams.is_terminal(sys.stderr) else "plain"
    match style:
        case "none":
            yield lambda _name: None
        case "bar":
            from rich.console import Console  # noqa: PLC0415
            from rich.status import Status  # noqa: PLC0415

            console = Console(file=sys.stderr, highlight=False, no_color="NO_COLOR" in os.environ)
            with Status("looking", console=console, spinner="line") as status:  # which is ASCII
                yield lambda name: status.update(f"looking at: {name.words}")
        case _:
            yield lambda name: streams.say(f"bulkpause: looking at: {name.words}")
