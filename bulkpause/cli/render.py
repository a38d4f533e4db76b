"""What a person reads on stdout: the plan, the summary, the settings; or the same as one JSON document."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import click
import orjson

from bulkpause.cli import streams
from bulkpause.ids import escaped
from bulkpause.logs import printable
from bulkpause.models import Operation, Reject, SourceCounts, Status
from bulkpause.progress import duration
from bulkpause.rundir import Run, RunReport
from bulkpause.settings import Settings
from bulkpause.summary import Failure

LINE_LIMIT: Final = 200

_COLOURS: Final = {"2": "green", "4": "yellow", "5": "red"}
"""By the first digit of a StatusCode."""


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
        f"Would {plan.operation} {_many(counts.accepted, 'report')} from {printable(plan.source)}. Nothing was sent.",
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


def question(run: Run, counts: SourceCounts | None) -> str:
    """What is asked before a large run."""
    settings = run.settings
    many, took = "an unknown number of reports", ""
    if counts is not None:
        many = _many(counts.accepted, "report")
        many += f" (leaving out {_many(counts.invalid, 'invalid row')})" if counts.invalid else ""
        took = f", about {duration(counts.accepted / settings.run.rate.per_s)}"
    tenant = f" of tenant {settings.auth.tenant_id}" if settings.auth.tenant_id else ""
    return f"{run.operation.value.capitalize()} {many}{tenant} at {settings.api.base_url}, {settings.run.rate}{took}?"


def show_report(report: RunReport, *, as_json: bool) -> None:
    """What came of a run: on stdout the summary, on stderr what the operator must know beside it."""
    if report.audit_error is not None:
        streams.say(f"bulkpause: {report.audit_error} Sending stopped at once.")
    elif report.halt is not None:
        streams.say(f"bulkpause: halted: {report.halt.message}")
    for warning in report.warnings:
        streams.say(f"bulkpause: {warning}")
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
    lines = (f"{key:{widths[0]}}  {value:{widths[1]}}  {origin}" for key, value, origin in rows)
    _print("\n".join(printable(line) for line in lines))


def _report_text(report: RunReport) -> str:
    """The summary as a table by StatusCode, the failures by reason, where the ledger is and what to type next."""
    paint = click.style if sys.stdout.isatty() and "NO_COLOR" not in os.environ else _plain
    blocks = [[paint(_headline(report), bold=True)]]
    if report.summary.done:
        blocks.append(_table(report, paint))
    blocks += [_failure(failure, paint) for failure in sorted(report.summary.failures.values(), key=_urgency)]
    blocks.append([f"{paint(f'{name:10}', dim=True)}{text}" for name, text in _facts(report)])
    return "\n\n".join("\n".join(block) for block in blocks)


def _plain(text: str, **_: object) -> str:
    return text


def _headline(report: RunReport) -> str:
    summary, operation = report.summary, report.run.operation
    if not summary.done and report.state == "finished":
        return "Nothing to do: the source holds no report ids."
    statuses = summary.by_status
    reports = _many(summary.done - statuses[Status.INVALID], "report")
    done = f"{operation}d {statuses[Status.SUCCEEDED]:,} of {reports} in {duration(report.wall_s)}"
    if unchanged := statuses[Status.UNCHANGED]:
        done += f", {unchanged:,} were {operation.wanted.lower()} already"
    match report.state:
        case "interrupted":
            return f"Interrupted: {done}"
        case "halted":
            return f"Halted: {done}"
        case "broken":
            return f"Broken off: {done}"
        case _:
            return done.capitalize()


def _table(report: RunReport, paint: Callable[..., str]) -> list[str]:
    counts = report.summary.by_status_code
    width = max(len("Count"), *(len(f"{count:,}") for count in counts.values()))
    rows = [paint(f"  StatusCode  {'Count':>{width}}  Outcome", dim=True)]
    for code, count in sorted(counts.items()):
        row = f"  {code:10}  {count:>{width},}  {_statuses(report, code)}"
        rows.append(paint(row, fg=_COLOURS.get(code[0])))
    return rows


def _statuses(report: RunReport, code: str) -> str:
    counts = {status: n for (status, its), n in sorted(report.summary.by_status_and_code.items()) if its == code}
    return ", ".join(status.value if len(counts) == 1 else f"{n:,} {status.value}" for status, n in counts.items())


def _urgency(failure: Failure) -> tuple[bool, int]:
    """What was never sent comes last: it is the consequence of the rest."""
    return failure.status in {Status.SKIPPED, Status.INVALID}, -failure.count


def _failure(failure: Failure, paint: Callable[..., str]) -> list[str]:
    code = "" if failure.status_code is None else f" {failure.status_code}"
    reason = "never sent" if failure.status is Status.SKIPPED else escaped(failure.reason, limit=LINE_LIMIT)
    lines = [f"{failure.count:,} {failure.status.value}{code}" + (f": {reason}" if reason else "")]
    lines += [paint(f"  {escaped(example, limit=LINE_LIMIT)}", dim=True) for example in failure.examples]
    if more := failure.count - len(failure.examples):
        lines.append(paint(f"  and {more:,} more", dim=True))
    return lines


def _facts(report: RunReport) -> list[tuple[str, str]]:
    summary, run = report.summary, report.run
    invalid = summary.by_status[Status.INVALID]
    counts = SourceCounts(accepted=summary.done - invalid, duplicate=summary.duplicates, invalid=invalid)
    facts = [("Rows", f"{counts.read:,} read: {_counted(counts)}")]
    if summary.attempts:
        facts.append(("Requests", _requests(report)))
        latency = summary.latencies.to_dict()
        facts.append(("Latency", ", ".join(f"{name} {ms:,.0f} ms" for name, ms in latency.items() if ms is not None)))
    facts.append(("Audit log", printable(str(run.audit_file))))
    commands = (("Next", report.next_command), ("Undo", report.undo_command))
    return facts + [(name, printable(command)) for name, command in commands if command is not None]


def _requests(report: RunReport) -> str:
    """How many were sent and how fast; a rate over less than a second would say nothing."""
    summary = report.summary
    limit = report.run.settings.run.rate
    rate = f" at {summary.sent / report.wall_s:.1f}/s (limit {limit})" if report.wall_s >= 1 else ""
    extras = (
        (summary.retries, "retry", "retries"),
        (summary.throttled, "throttled (429)", "throttled (429)"),
        (summary.holds, "hold", "holds"),
        (summary.token_refreshes, "token refresh", "token refreshes"),
    )
    said = ", ".join(f"{count:,} {one if count == 1 else many}" for count, one, many in extras if count)
    return f"{summary.sent:,} sent{rate}" + (f": {said}" if said else "")


def _target(settings: Settings, *, is_sandbox: bool) -> str:
    return "the embedded sandbox" if is_sandbox else settings.api.base_url


def _counted(counts: SourceCounts) -> str:
    return f"{counts.accepted:,} accepted, {counts.duplicate:,} duplicate, {counts.invalid:,} invalid"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _print_json(document: Any) -> None:
    options = orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z
    _print(orjson.dumps(document, option=options).decode())


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - this is the result
