"""`bulkpause runs`, `bulkpause show` and `bulkpause export`: what runs that were have left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bulkpause.cli import exits
from bulkpause.cli.options import (
    Verb,
    config_options,
    json_option,
    load_settings,
    runs_dir_option,
)
from bulkpause.errors import UsageError

MOST_RUNS = 20


@click.command(
    cls=Verb,
    examples=["bulkpause runs", "bulkpause runs --last 5", "bulkpause runs --json | jq -r '.[0].run_id'"],
)
@click.option("--last", "most", type=click.IntRange(1), default=MOST_RUNS, metavar="N", help=f"So many.  [{MOST_RUNS}]")
@runs_dir_option
@json_option
@config_options
def runs(*, most: int, as_json: bool, **options: Any) -> int:
    """List the runs there are, the newest first: what each did, its state, how many reports ended how, and its age."""
    from bulkpause.cli import gallery  # noqa: PLC0415 - keep --help quick
    from bulkpause.clock import SystemClock  # noqa: PLC0415
    from bulkpause.runs.finding import run_folders  # noqa: PLC0415

    path = load_settings(options).settings.run.runs_path
    folders = run_folders(path)
    chosen = [gallery.glance(folder) for folder in reversed(folders[-most:])]
    gallery.show_runs(chosen, total=len(folders), path=path, now=SystemClock().now(), as_json=as_json)
    return exits.OK


@click.command(
    cls=Verb,
    examples=[
        "bulkpause show last",
        "bulkpause show last --failures",
        "bulkpause show last --id 0b5c2c1e-7a31-4d0e-9c54-5f2d1f6b8a90",
    ],
)
@click.argument("run")
@click.option("--failures", is_flag=True, help="Every report that is not in the wanted state, with the reason.")
@click.option("--id", "given_id", metavar="UUID", help="The whole story of one report.")
@runs_dir_option
@json_option
@config_options
def show(run: str, *, failures: bool, given_id: str | None, as_json: bool, **options: Any) -> int:
    """Show what came of RUN, counted again from its audit log; says so where summary.json differs (exit code 5).

    RUN is a run id, the start of one, a run directory, or last.
    """
    from bulkpause.cli import gallery, render, streams  # noqa: PLC0415 - keep --help quick
    from bulkpause.cli.words import many  # noqa: PLC0415
    from bulkpause.ids import parse_report_id, why_refused  # noqa: PLC0415
    from bulkpause.lock import owner_of  # noqa: PLC0415
    from bulkpause.runs.finding import find_run  # noqa: PLC0415
    from bulkpause.runs.past import differences, read_run, report_of  # noqa: PLC0415

    if failures and given_id is not None:
        raise UsageError("--failures and --id ask for different things: choose one.")
    past = read_run(find_run(run, load_settings(options).settings.run.runs_path))
    if given_id is not None:
        report_id = parse_report_id(given_id)
        if report_id is None:
            raise UsageError(f"--id {given_id!r}: {why_refused(given_id)}.")
        return exits.OK if gallery.show_story(past, report_id, as_json=as_json) else exits.NOT_ALL
    if failures:
        gallery.show_failures(past, as_json=as_json)
        return exits.OK
    report = report_of(past)
    owner = owner_of(past.run.audit_file)
    render.show_report(report, as_json=as_json)
    if past.replay.foreign:
        lines = many(past.replay.foreign, "line")
        streams.say(f"bulkpause: passed over {lines} of the audit log that the run did not write; see audit verify.")
    if owner is not None:
        streams.say(f"bulkpause: the run is alive ({owner}); this is how far it is.")
        return exits.OK
    if unfinished := len(past.replay.unfinished):
        streams.say(
            f"bulkpause: {many(unfinished, 'report')} had an attempt and no outcome when the run broke off; see show "
            "--failures."
        )
    differing = differences(report)
    for words in differing:
        streams.say(f"bulkpause: {words}")
    return exits.MISMATCH if differing else exits.OK


@click.command(
    cls=Verb,
    examples=[
        "bulkpause export last --status failed > failed.csv",
        "bulkpause export last --status unknown | bulkpause pause -",
        "bulkpause export 20261124-2204 --format jsonl --output outcomes.jsonl",
    ],
)
@click.argument("run")
@click.option("--status", "statuses", metavar="LIST", help="Statuses with commas; failed is all that did not succeed.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl"]),
    default="csv",
    metavar="FORMAT",
    help="csv or jsonl.  [csv]",
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="A file; else stdout.")
@runs_dir_option
@config_options
def export(run: str, *, statuses: str | None, form: str, output: Path | None, **options: Any) -> int:
    """Export how the reports of RUN ended, as a file that pause and resume read back.

    RUN is a run id, the start of one, a run directory, or last.
    """
    from bulkpause.cli import gallery  # noqa: PLC0415 - keep --help quick
    from bulkpause.runs.finding import find_run  # noqa: PLC0415
    from bulkpause.runs.past import read_run  # noqa: PLC0415

    chosen = gallery.chosen_statuses(statuses)
    past = read_run(find_run(run, load_settings(options).settings.run.runs_path))
    gallery.export(past, chosen, form=form, output=output)
    return exits.OK
