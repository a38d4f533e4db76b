"""What a verb would do, said before it is done: the plan of a dry run, the question before a large run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bulkpause.cli.words import counted, many, print_json, print_text, target
from bulkpause.clock import Clock
from bulkpause.curfew import Curfew
from bulkpause.forecast import Fit, Forecast, said_fit, said_rate
from bulkpause.models import Operation, Reject, SourceCounts
from bulkpause.progress import duration
from bulkpause.redaction import printable
from bulkpause.runs.identity import Run
from bulkpause.runs.past import PastRun
from bulkpause.settings import Settings
from bulkpause.timing import at_best, curfew_for, said_limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would do, found out without doing it."""

    operation: Operation
    source: str
    counts: SourceCounts
    rejects: Sequence[Reject]
    settings: Settings
    is_sandbox: bool
    curfew: Curfew

    @property
    def forecast(self) -> Forecast:
        """How long it takes at best."""
        return at_best(self.settings, self.counts.accepted, self.curfew)

    def to_dict(self) -> dict[str, Any]:
        """The document of `--dry-run --json`."""
        return {
            "schema": 1,
            "dry_run": True,
            "operation": self.operation.value,
            "source": self.source,
            "target": target(self.settings, is_sandbox=self.is_sandbox),
            "tenant_id": self.settings.auth.tenant_id,
            "read": self.counts.read,
            "accepted": self.counts.accepted,
            "duplicates": self.counts.duplicate,
            "invalid": self.counts.invalid,
            "rate_limit_per_s": self.settings.run.rate.per_s,
            "concurrency": self.settings.run.concurrency,
            **_time_fields(self.forecast, self.curfew),
            "invalid_rows": [{"row": row.row, "reason": row.reason, "text": row.text} for row in self.rejects],
        }


def show_plan(plan: Plan, *, as_json: bool) -> None:
    """The plan of a dry run."""
    if as_json:
        print_json(plan.to_dict())
        return
    counts, run = plan.counts, plan.settings.run
    lines = [
        f"Would {plan.operation} {many(counts.accepted, 'report')} from {printable(plan.source)}. Nothing was sent.",
        "",
        f"  rows       {counts.read:,} read: {counted(counts)}",
        f"  target     {target(plan.settings, is_sandbox=plan.is_sandbox)}",
        f"  tenant     {plan.settings.auth.tenant_id or 'not set'}",
        f"  rate       {run.rate}, at most {run.concurrency} in flight",
        *_time_lines(plan.forecast, plan.curfew, plan.settings),
    ]
    if plan.rejects:
        lines += [
            "",
            "Invalid rows" + (f", the first {len(plan.rejects)}:" if counts.invalid > len(plan.rejects) else ":"),
        ]
        lines += [f"  line {row.row}: {row.reason}: {row.text}" for row in plan.rejects]
    print_text("\n".join(lines))


def _time_fields(forecast: Forecast, curfew: Curfew) -> dict[str, Any]:
    """What a document says of the time."""
    ends_at, limits = curfew.ends_at(), {}
    if ends_at is not None:
        limits = {
            "ends_at": ends_at,
            "time_left_s": round(curfew.left_s(), 1),
            "last_report_s": round(curfew.reserve.first_s, 1),
            "last_attempt_s": round(curfew.reserve.retry_s, 1),
            "fit": forecast.to_dict()["fit"],
            "needed_per_s": forecast.to_dict()["needed_per_s"],
        }
    return {"forecast_s": round(forecast.left_s, 1), "time_limit": limits or None}


def _time_lines(forecast: Forecast, curfew: Curfew, settings: Settings) -> list[str]:
    """The limit, if there is one, and how long it takes at best."""
    takes = f"at best {duration(forecast.left_s)}, without retries and holds"
    ends_at = curfew.ends_at()
    if ends_at is None:
        return [f"  forecast   {takes}"]
    limit = f"{ends_at.isoformat(sep=' ', timespec='seconds')} ({said_limits(settings)})"
    first_s, retry_s = map(duration, curfew.reserve)
    return [
        f"  limit      {limit}, {duration(max(0.0, curfew.left_s()))} left",
        f"             no report is begun in the last {first_s} of that, nothing leaves in the last {retry_s}",
        f"  forecast   {takes}: {_fit(forecast)}",
    ]


def _fit(forecast: Forecast) -> str:
    """Whether it fits at best, and what it would take."""
    match forecast.needed_per_s:
        case float(needed_per_s) if forecast.fit is not Fit.FITS and needed_per_s < math.inf:
            return f"does not fit, that would take {said_rate(needed_per_s)}"
        case _:
            return said_fit(forecast) or ""


def question(run: Run, settings: Settings, counts: SourceCounts | None, *, clock: Clock) -> str:
    """What is asked before a large run."""
    reports, took = "an unknown number of reports", ""
    if counts is not None:
        reports = many(counts.accepted, "report")
        reports += f" (leaving out {many(counts.invalid, 'invalid row')})" if counts.invalid else ""
        took = _takes(settings, counts.accepted, clock=clock)
    tenant = f" of tenant {settings.auth.tenant_id}" if settings.auth.tenant_id else ""
    return (
        f"{run.operation.value.capitalize()} {reports}{tenant} at {settings.api.base_url}, {settings.run.rate}{took}?"
    )


def _takes(settings: Settings, reports: int, *, clock: Clock) -> str:
    """How long it takes at best, and whether that fits into the time there is."""
    curfew = curfew_for(settings, clock=clock)
    forecast, ends_at = at_best(settings, reports, curfew), curfew.ends_at()
    limit = "" if ends_at is None else f", until {ends_at.isoformat(sep=' ', timespec='minutes')}: {_fit(forecast)}"
    return f", at best {duration(forecast.left_s)}{limit}"


def show_continuation(past: PastRun, left: SourceCounts, settings: Settings, *, as_json: bool, clock: Clock) -> None:
    """What continuing a run would do."""
    run, curfew = past.run, curfew_for(settings, clock=clock)
    forecast = at_best(settings, left.accepted, curfew)
    doubtful = len(past.replay.doubtful.keys() | {waiting.row for waiting in past.replay.unfinished.values()})
    if as_json:
        print_json(
            {
                "schema": 1,
                "dry_run": True,
                "run_id": run.run_id,
                "operation": run.operation.value,
                "left": left.accepted,
                "in_doubt": doubtful,
                **_time_fields(forecast, curfew),
            }
        )
        return
    lines = [
        f"Would {run.operation} {many(left.accepted, 'report')} that run {run.run_id} has left. Nothing was sent.",
        "",
        f"  in doubt   {doubtful:,}, looked up before they are sent again",
        f"  target     {target(settings, is_sandbox=run.is_sandbox)}",
        f"  rate       {settings.run.rate}, at most {settings.run.concurrency} in flight",
        *_time_lines(forecast, curfew, settings),
    ]
    print_text("\n".join(lines))


def show_undo(past: PastRun, most: int, settings: Settings, *, is_rehearsal: bool, as_json: bool) -> None:
    """What undoing a run would do at most: what somebody else has changed since, only a look at the tenant can tell."""
    run = past.run
    if as_json:
        document = {
            "schema": 1,
            "dry_run": is_rehearsal,
            "undoes": run.run_id,
            "operation": run.operation.reverse.value,
        }
        print_json({**document, "at_most": most})
    elif not most:
        print_text(f"Nothing to undo: run {run.run_id} changed nothing.")
    else:
        print_text(
            f"Would {run.operation.reverse} at most {many(most, 'report')} that run {run.run_id} {run.operation}d, "
            f"at {target(settings, is_sandbox=run.is_sandbox)}, {settings.run.rate}. Nothing was sent.\n"
            "What somebody else has changed since is found out first, and left alone."
        )


def undo_question(past: PastRun, most: int, settings: Settings, *, clock: Clock) -> str:
    """What is asked before a large undo."""
    tenant = f" of tenant {settings.auth.tenant_id}" if settings.auth.tenant_id else ""
    reverse = past.run.operation.reverse.value.capitalize()
    return (
        f"{reverse} at most {many(most, 'report')}{tenant} that run {past.run.run_id} {past.run.operation}d, "
        f"at {settings.api.base_url}, {settings.run.rate}{_takes(settings, most, clock=clock)}?"
    )
