"""What a person reads on stdout: the plan, the summary, the settings; or the same as one JSON document."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click
import orjson

from bulkpause.ids import escaped
from bulkpause.models import Operation, Reject, SourceCounts, Status
from bulkpause.progress import duration
from bulkpause.rundir import Run, RunReport
from bulkpause.settings import Settings
from bulkpause.summary import Failure

LINE_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would do, found out without doing it."""

    operation: Operation
    source: str
    counts: SourceCounts
    rejects: Sequence[Reject]
    settings: Settings
    is_sandbox: bool

    @property
    def forecast_s(self) -> float:
        """How long it takes at the full rate if nothing is retried."""
        return self.counts.accepted / self.settings.run.rate.per_s

    def to_dict(self) -> dict[str, Any]:
        """The document of `--dry-run --json`."""
        return {
            "schema": 1,
            "dry_run": True,
            "operation": self.operation.value,
            "source": self.source,
            "target": _target(self.settings, is_sandbox=self.is_sandbox),
            "tenant_id": self.settings.auth.tenant_id,
            "read": self.counts.read,
            "accepted": self.counts.accepted,
            "duplicates": self.counts.duplicate,
            "invalid": self.counts.invalid,
            "rate_limit_per_s": self.settings.run.rate.per_s,
            "concurrency": self.settings.run.concurrency,
            "forecast_s": round(self.forecast_s, 1),
            "invalid_rows": [{"row": row.row, "reason": row.reason, "text": row.text} for row in self.rejects],
        }


def show_plan(plan: Plan, *, as_json: bool) -> None:
    """The plan of a dry run."""
    if as_json:
        _print_json(plan.to_dict())
        return
    counts, run = plan.counts, plan.settings.run
    lines = [
        f"Would {plan.operation} {_many(counts.accepted, 'report')} from {plan.source}. Nothing was sent.",
        "",
        f"  rows       {counts.read:,} read: {_counted(counts)}",
        f"  target     {_target(plan.settings, is_sandbox=plan.is_sandbox)}",
        f"  tenant     {plan.settings.auth.tenant_id or 'not set'}",
        f"  rate       {run.rate}, at most {run.concurrency} in flight",
        f"  forecast   about {duration(plan.forecast_s)}, without retries and holds",
    ]
    if plan.rejects:
        lines += [
            "",
            "Invalid rows" + (f", the first {len(plan.rejects)}:" if counts.invalid > len(plan.rejects) else ":"),
        ]
        lines += [f"  line {row.row}: {row.reason}: {row.text}" for row in plan.rejects]
    _print("\n".join(lines))


def question(run: Run, accepted: int | None) -> str:
    """What is asked before a large run."""
    settings = run.settings
    many = "an unknown number of reports" if accepted is None else _many(accepted, "report")
    took = "" if accepted is None else f", about {duration(accepted / settings.run.rate.per_s)}"
    tenant = f" of tenant {settings.auth.tenant_id}" if settings.auth.tenant_id else ""
    return f"{run.operation.value.capitalize()} {many}{tenant} at {settings.api.base_url}, {settings.run.rate}{took}?"


def show_report(report: RunReport, *, as_json: bool) -> None:
    """What came of a run: on stdout the summary, on stderr what the operator must know beside it."""
    if report.audit_error is not None:
        click.echo(f"bulkpause: {report.audit_error} Sending stopped at once.", err=True)
    elif report.halt is not None:
        click.echo(f"bulkpause: stopped: {report.halt.message}", err=True)
    for warning in report.warnings:
        click.echo(f"bulkpause: {warning}", err=True)
    if as_json:
        _print_json(report.to_dict())
    else:
        _print(_report_text(report))


def show_settings(rows: Sequence[tuple[str, str, str]], *, as_json: bool) -> None:
    """Every setting with its origin."""
    if as_json:
        _print_json({key: {"value": value, "origin": origin} for key, value, origin in rows})
        return
    widths = [max(len(row[place]) for row in rows) for place in (0, 1)]
    _print("\n".join(f"{key:{widths[0]}}  {value:{widths[1]}}  {origin}".rstrip() for key, value, origin in rows))


def _report_text(report: RunReport) -> str:
    """The summary as a table by StatusCode, the failures by reason, where the ledger is and what to type next."""
    from rich.console import Console  # noqa: PLC0415 - rich only where it is used
    from rich.table import Table  # noqa: PLC0415

    summary = report.summary
    console = Console(file=sys.stdout, highlight=False, markup=False, soft_wrap=True)
    with console.capture() as captured:
        console.print(_headline(report), style="bold")
        if summary.done:
            table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=True, header_style="dim")
            table.add_column("  StatusCode")
            table.add_column("Reports", justify="right")
            table.add_column("Outcome")
            for code, count in sorted(summary.by_status_code.items()):
                table.add_row(f"  {code}", f"{count:,}", _statuses(report, code), style=_style(code))
            console.print()
            console.print(table)
        for failure in sorted(summary.failures.values(), key=lambda failure: -failure.count):
            _print_failure(console, failure)
        console.print()
        for name, text in _facts(report):
            console.print(f"{name:10}", style="dim", end="")
            console.print(text)
    return captured.get().rstrip("\n")


def _headline(report: RunReport) -> str:
    summary = report.summary
    if not summary.done and report.state == "finished":
        return "Nothing to do: the source holds no report ids."
    doing = {"pause": "Paused", "resume": "Resumed"}[report.run.operation.value]
    good = summary.done - summary.failed
    ended = {"finished": "", "interrupted": ", interrupted", "halted": ", halted", "broken": ", broken off"}[
        report.state
    ]
    return f"{doing} {good:,} of {_many(summary.done, 'row')} in {duration(report.wall_s)}{ended}"


def _statuses(report: RunReport, code: str) -> str:
    statuses = report.summary.by_status_and_code
    return ", ".join(
        status.value if len(statuses) == 1 else f"{count:,} {status.value}"
        for (status, its_code), count in sorted(statuses.items())
        if its_code == code
    )


def _style(code: str) -> str:
    return {"2": "green", "4": "yellow", "5": "red"}.get(code[0], "")


def _print_failure(console: Any, failure: Failure) -> None:
    code = "" if failure.status_code is None else f" {failure.status_code}"
    reason = f": {escaped(failure.reason, limit=LINE_LIMIT)}" if failure.reason else ""
    console.print(f"\n{failure.count:,} {failure.status.value}{code}{reason}")
    for example in failure.examples:
        console.print(f"  {escaped(example, limit=LINE_LIMIT)}", style="dim")
    if more := failure.count - len(failure.examples):
        console.print(f"  and {more:,} more", style="dim")


def _facts(report: RunReport) -> list[tuple[str, str]]:
    summary, run = report.summary, report.run
    facts: list[tuple[str, str]] = []
    if summary.duplicates:
        facts.append(("Dropped", f"{_many(summary.duplicates, 'duplicate row')}"))
    if summary.attempts:
        rate = f" at {summary.sent / report.wall_s:.1f}/s (limit {run.settings.run.rate})" if report.wall_s else ""
        extras = (
            (summary.retries, "retry", "retries"),
            (summary.throttled, "throttled", "throttled"),
            (summary.holds, "hold", "holds"),
            (summary.token_refreshes, "token", "tokens"),
        )
        said = ", ".join(f"{count:,} {one if count == 1 else many}" for count, one, many in extras if count)
        facts.append(("Sent", f"{_many(summary.sent, 'request')}{rate}" + (f": {said}" if said else "")))
        latency = summary.latencies.to_dict()
        facts.append(("Latency", ", ".join(f"{name} {ms:,.0f} ms" for name, ms in latency.items() if ms is not None)))
    facts.append(("Audit log", str(run.audit_file)))
    if command := next_command(report):
        facts.append(("Next", command))
    return facts


def next_command(report: RunReport) -> str | None:
    """What to type now: finish the rest if there is one, else how to reverse what was changed."""
    summary, run = report.summary, report.run
    sandbox = " --sandbox" if run.is_sandbox else ""
    if report.failed_file is not None:
        return f"bulkpause {run.operation}{sandbox} {_quoted(str(report.failed_file))}"
    if not summary.by_status[Status.SUCCEEDED]:
        return None
    audit_file = _quoted(str(run.audit_file))
    search = "findstr" if os.name == "nt" else "grep"
    pattern = r"\"status\":\"succeeded\"" if os.name == "nt" else """'"status":"succeeded"'"""
    return f"{search} {pattern} {audit_file} | bulkpause {run.operation.reverse}{sandbox} -   (reverses this run)"


def _target(settings: Settings, *, is_sandbox: bool) -> str:
    return "the embedded sandbox" if is_sandbox else settings.api.base_url


def _counted(counts: SourceCounts) -> str:
    return f"{counts.accepted:,} accepted, {counts.duplicate:,} duplicate, {counts.invalid:,} invalid"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _quoted(path: str) -> str:
    if os.name == "nt":
        return f'"{path}"' if " " in path else path
    return shlex.quote(path)


def _print_json(document: Any) -> None:
    options = orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z
    _print(orjson.dumps(document, option=options).decode())


def _print(text: str) -> None:
    """Write to stdout; a reader that has gone away is no failure of the run."""
    try:
        print(text, flush=True)  # noqa: T201
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - or Python complains at exit
