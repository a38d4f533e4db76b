"""`bulkpause list`."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import click

from bulkpause.cli import exits, streams
from bulkpause.cli.conduct import checked_settings, prepared
from bulkpause.cli.options import Verb, config_options, target_options
from bulkpause.cli.redaction import redactor_for
from bulkpause.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bulkpause.models import Report
    from bulkpause.reports import Listing
    from bulkpause.settings import Settings

STATES: Final = {"active": "Active", "paused": "Paused", "inactive": "Inactive"}


class States(click.ParamType[Any]):
    """One report status or several with commas between, in any case."""

    name = "states"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The states as the API spells them."""
        words = [word.strip().lower() for word in value.split(",")]
        unknown = [word for word in words if word not in STATES]
        if unknown:
            self.fail(f"{unknown[0]!r} is none of {', '.join(STATES)}", param, ctx)
        return frozenset(STATES[word] for word in words)


class QueryId(click.ParamType[Any]):
    """The UUID of a query."""

    name = "query_id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """In lower case."""
        from bulkpause.ids import parse_report_id, why_refused  # noqa: PLC0415 - keep --help quick

        return parse_report_id(value) or self.fail(f"{value!r}: {why_refused(value)}", param, ctx)


@click.command(
    "list",
    cls=Verb,
    examples=[
        "bulkpause list",
        "bulkpause list --mine --name 'azure usage*'",
        "bulkpause list --report-status active --format csv | bulkpause pause -",
    ],
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "jsonl"]),
    default="table",
    metavar="FORMAT",
    help="table, csv or jsonl.  [table]",
)
@click.option(
    "--report-status",
    "states",
    type=States(),
    multiple=True,
    metavar="STATUS",
    help="Only these: active, paused, inactive; several with commas.",
)
@click.option("--name", metavar="GLOB", help="Only names like this, in any case: 'Azure*', '*daily'.")
@click.option("--query-id", type=QueryId(), metavar="UUID", help="Only reports of this query.")
@click.option("--mine", is_flag=True, help="Only reports of the identity that signs in.")
@click.option("--sandbox", is_flag=True, help="Use an emulated Partner Center; nothing real is touched.")
@target_options
@config_options
def list_reports(**options: Any) -> int:
    """List the reports of the tenant that the identity may see; stdout carries the list and nothing else."""
    import asyncio  # noqa: PLC0415 - keep --help quick

    settings = checked_settings(options)
    with ExitStack() as scope:
        settings = prepared(settings, options, scope)
        listing, owners = asyncio.run(_read(settings, options))
    if listing.error is not None:
        streams.say(
            f"bulkpause: {redactor_for(settings).text(listing.error).rstrip('.')}. {_advice(listing, settings)}"
        )
        return exits.of_unread(listing.verdict, listing.halt)
    chosen = [report for report in listing.reports if _is_chosen(report, options, owners)]
    _show(chosen, form=options["form"])
    streams.say(_counts(chosen, listing, options, owners))
    return exits.OK


async def _read(settings: Settings, options: dict[str, Any]) -> tuple[Listing, frozenset[str]]:
    """The list, and whose reports are wanted: everybody's if that is empty."""
    import random  # noqa: PLC0415

    from bulkpause.auth import identities  # noqa: PLC0415
    from bulkpause.clock import SystemClock  # noqa: PLC0415
    from bulkpause.logs import LazyLog  # noqa: PLC0415
    from bulkpause.session import connected  # noqa: PLC0415 - aiohttp takes its time

    log = LazyLog(level=settings.log.level, form=settings.log.format, redactor=redactor_for(settings))
    async with connected(
        settings,
        clock=SystemClock(),
        rng=random.Random(),  # noqa: S311 - jitter
        notify=lambda notice: log.info(notice.event, **notice.fields),
        learn=log.redactor.learn,
        say=streams.say,
    ) as session:
        log.info("sign_in.flow", flow=session.flow)
        owners: frozenset[str] = frozenset()
        if options["mine"]:
            owners = frozenset(map(str.casefold, identities(await session.token_gate.tokens.token())))
            if not owners:
                raise UsageError("--mine cannot tell who you are: the token names nobody. List without it.")
        query = {} if options["query_id"] is None else {"queryId": options["query_id"]}
        return await session.read_reports(query), owners


def _is_chosen(report: Report, options: dict[str, Any], owners: frozenset[str]) -> bool:
    """Whether the report passes every filter; the service's own filter is not taken on trust."""
    from fnmatch import fnmatchcase  # noqa: PLC0415 - keep --help quick

    states = frozenset().union(*options["states"])
    pattern, query_id = options["name"], options["query_id"]
    return (
        (not states or report.report_status in states)
        and (pattern is None or fnmatchcase((report.name or "").casefold(), pattern.casefold()))
        and (query_id is None or (report.query_id or "").strip().lower() == query_id)
        and (not owners or (report.user or "").strip().casefold() in owners)
    )


def _show(reports: Sequence[Report], *, form: str) -> None:
    """The list on stdout; a table of nothing is nothing."""
    from bulkpause.cli import forms  # noqa: PLC0415 - keep --help quick

    match form:
        case "csv":
            text = forms.as_csv(reports)
        case "jsonl":
            text = forms.as_json_lines(reports)
        case _:
            text = _table(reports) if reports else ""
    if text:
        print(text, flush=True)  # noqa: T201 - this is the result


def _table(reports: Sequence[Report]) -> str:
    import shutil  # noqa: PLC0415 - keep --help quick

    from bulkpause.cli import forms  # noqa: PLC0415

    is_seen = sys.stdout.isatty()
    paint = click.style if is_seen and "NO_COLOR" not in os.environ else _plain
    return forms.as_table(reports, width=shutil.get_terminal_size().columns if is_seen else None, paint=paint)


def _plain(text: str, **_: object) -> str:
    return text


def _counts(chosen: Sequence[Report], listing: Listing, options: dict[str, Any], owners: frozenset[str]) -> str:
    """How many there are, by state, and what could not be listed."""
    from collections import Counter  # noqa: PLC0415 - keep --help quick

    everything = len(listing.reports)
    if not everything:
        of_query = "" if options["query_id"] is None else f" of query {options['query_id']}"
        text = f"No reports: the tenant has none{of_query} that this identity can see."
    elif not chosen:
        who = f" (--mine is {' or '.join(sorted(owners))})" if owners else ""
        text = f"None of {_many(everything)} passes the filter{who}."
    else:
        of_all = f" of {everything:,}" if len(chosen) < everything else ""
        states = Counter((report.report_status or "without a status").lower() for report in chosen)
        told = ", ".join(f"{count:,} {state}" for state, count in sorted(states.items()))
        text = f"{len(chosen):,}{of_all} report{'' if everything == 1 else 's'}: {told}."
    if listing.unreadable:
        text += f"\n{listing.unreadable:,} of the items listed name no report id, and are left out."
    return text


def _many(count: int) -> str:
    return f"{count:,} report{'' if count == 1 else 's'}"


def _advice(listing: Listing, settings: Settings) -> str:
    """What to do about a list that could not be read."""
    from bulkpause.models import Verdict  # noqa: PLC0415 - keep --help quick
    from bulkpause.signin import advice_for, flow_of  # noqa: PLC0415

    nothing = "Nothing is listed, since a part would look like the whole."
    if listing.halt is not None:  # which says so itself
        return nothing
    match listing.verdict:
        case Verdict.UNAUTHORISED | Verdict.FORBIDDEN:
            more = f" {advice}." if (advice := advice_for(settings, flow_of(settings))) else ""
            return f"{nothing} Check the tenant, the app, and its role for Insights reports in Partner Center.{more}"
        case Verdict.THROTTLED:
            return f"{nothing} Try again later."
        case Verdict.UNANSWERED:
            return f"{nothing} Check the network, proxy and api.base_url."
        case _:
            return nothing
