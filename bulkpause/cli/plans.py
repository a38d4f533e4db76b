"""What a verb would do, said before it is done: the plan of a dry run, the question before a large run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bulkpause.cli.words import counted, many, print_json, print_text, target
from bulkpause.logs import printable
from bulkpause.models import Operation, Reject, SourceCounts
from bulkpause.progress import duration
from bulkpause.runs.identity import Run
from bulkpause.runs.past import PastRun
from bulkpause.settings import Settings


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
            "target": target(self.settings, is_sandbox=self.is_sandbox),
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
        f"  forecast   about {duration(plan.forecast_s)}, without retries and holds",
    ]
    if plan.rejects:
        lines += [
            "",
            "Invalid rows" + (f", the first {len(plan.rejects)}:" if counts.invalid > len(plan.rejects) else ":"),
        ]
        lines += [f"  line {row.row}: {row.reason}: {row.text}" for row in plan.rejects]
    print_text("\n".join(lines))


def question(run: Run, settings: Settings, counts: SourceCounts | None) -> str:
    """What is asked before a large run."""
    reports, took = "an unknown number of reports", ""
    if counts is not None:
        reports = many(counts.accepted, "report")
        reports += f" (leaving out {many(counts.invalid, 'invalid row')})" if counts.invalid else ""
        took = f", about {duration(counts.accepted / settings.run.rate.per_s)}"
    tenant = f" of tenant {settings.auth.tenant_id}" if settings.auth.tenant_id else ""
    return (
        f"{run.operation.value.capitalize()} {reports}{tenant} at {settings.api.base_url}, {settings.run.rate}{took}?"
    )


def show_continuation(past: PastRun, left: SourceCounts, settings: Settings, *, as_json: bool) -> None:
    """What continuing a run would do."""
    run = past.run
    forecast_s = left.accepted / settings.run.rate.per_s
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
                "forecast_s": round(forecast_s, 1),
            }
        )
        return
    lines = [
        f"Would {run.operation} {many(left.accepted, 'report')} that run {run.run_id} has left. Nothing was sent.",
        "",
        f"  in doubt   {doubtful:,}, looked up before they are sent again",
        f"  target     {target(settings, is_sandbox=run.is_sandbox)}",
        f"  rate       {settings.run.rate}, at most {settings.run.concurrency} in flight",
        f"  forecast   about {duration(forecast_s)}, without retries and holds",
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


def undo_question(past: PastRun, most: int, settings: Settings) -> str:
    """What is asked before a large undo."""
    tenant = f" of tenant {settings.auth.tenant_id}" if settings.auth.tenant_id else ""
    reverse = past.run.operation.reverse.value.capitalize()
    return (
        f"{reverse} at most {many(most, 'report')}{tenant} that run {past.run.run_id} {past.run.operation}d, "
        f"at {settings.api.base_url}, {settings.run.rate}?"
    )
