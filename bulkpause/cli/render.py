"""What a person reads on stdout of a run that was: its summary; and the settings. Or the same as one JSON document."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import click

from bulkpause.cli import streams
from bulkpause.cli.words import counted, many, print_json, print_text
from bulkpause.forecast import said_rate
from bulkpause.ids import escaped
from bulkpause.models import SourceCounts, Status
from bulkpause.progress import duration
from bulkpause.redaction import printable
from bulkpause.runs.report import RunReport
from bulkpause.settings import Rate
from bulkpause.summary import Failure, Group
from bulkpause.summary.windows import SPANS_S, Certificate
from bulkpause.tenant.verify import Finding, Verification
from bulkpause.work.undo import Why

LINE_LIMIT: Final = 200

_FINDINGS: Final[Mapping[str, str]] = {
    Finding.CONTRADICTED: "contradicted: the service does not have it as the audit log says",
    Finding.MISSING: "missing: the tenant's list does not have the report any more",
    Finding.UNREADABLE: "unreadable: the service does not say how the report is",
}
_LEFT_ALONE: Final[Mapping[str, str]] = {
    Why.CHANGED_SINCE: "left alone, changed by somebody else since",
    Why.WAS_SO_BEFORE: "left alone, was so before the run",
    Why.IN_DOUBT: "left alone, in doubt whether the run changed it",
    Why.MISSING: "left alone, no longer in the tenant's list",
}

_WINDOWS: Final = ("any second", "10 s", "a minute")

_COLOURS: Final = {"2": "green", "4": "yellow", "5": "red"}
"""By the first digit of a StatusCode."""


def show_report(report: RunReport, *, as_json: bool) -> None:
    """What came of a run: on stdout the summary, on stderr what the operator must know beside it."""
    if report.audit_error is not None:
        streams.say(f"bulkpause: {report.audit_error} Sending stopped at once.")
    elif report.halt is not None:
        streams.say(f"bulkpause: halted: {report.halt.message}")
        for cause in report.halt.causes[1:]:  # the first is in the message
            streams.say(f"bulkpause: besides: {cause}.")
    for warning in report.warnings:
        streams.say(f"bulkpause: {warning}")
    if as_json:
        print_json(report.to_dict())
    else:
        print_text(_report_text(report))


def show_verification(report: RunReport, found: Verification, *, as_json: bool) -> None:
    """What reading a run's reports back came to."""
    if as_json:
        document = {"schema": 1, "run_id": report.run.run_id, "operation": report.run.operation.value}
        findings = {kind: group.to_dict() for kind, group in report.summary.findings.items()}
        print_json({**document, "verified": found.to_dict(), "findings": findings, "next": report.next_command})
        return
    paint = _paint()
    claims = found.counts.total()
    right = found.counts[Finding.CONVERGED] + found.counts[Finding.LATE]
    reports = f"{many(claims, 'report')} of run {report.run.run_id} {'is' if claims == 1 else 'are'}"
    headline = f"{right:,} of {reports} as it says" if found.error is None else f"Not verified: {reports} not known"
    blocks = [[paint(headline, bold=True)]]
    blocks += [_group(group, _FINDINGS[kind], paint) for kind, group in report.summary.findings.items()]
    facts = [("Verified", _verified(report) or ""), ("Audit log", printable(str(report.run.audit_file)))]
    if report.next_command is not None:
        facts.append(("Next", printable(report.next_command)))
    blocks.append([f"{paint(f'{name:10}', dim=True)}{text}" for name, text in facts])
    print_text("\n\n".join("\n".join(block) for block in blocks))


def show_settings(rows: Sequence[tuple[str, str, str]], *, as_json: bool) -> None:
    """Every setting with its origin."""
    if as_json:
        print_json({key: {"value": value, "origin": origin} for key, value, origin in rows})
        return
    widths = [max(len(row[place]) for row in rows) for place in (0, 1)]
    lines = (f"{key:{widths[0]}}  {value:{widths[1]}}  {origin}" for key, value, origin in rows)
    print_text("\n".join(printable(line) for line in lines))


def _report_text(report: RunReport) -> str:
    """The summary as a table by StatusCode, the failures by reason, where the ledger is and what to type next."""
    paint = _paint()
    blocks = [[paint(_headline(report), bold=True)]]
    if report.summary.done:
        blocks.append(_table(report, paint))
    blocks += [
        _group(group, words[kind], paint)
        for found, words in ((report.summary.findings, _FINDINGS), (report.summary.left_alone, _LEFT_ALONE))
        for kind, group in found.items()
        if kind != Finding.CONTRADICTED  # in doubt now, and told so below
    ]
    if report.unrecorded:
        parts = ((report.unrecorded - report.in_doubt, "never sent"), (report.in_doubt, "in doubt"))
        said = ", ".join(f"{count:,} {words}" for count, words in parts if count)
        blocks.append([f"{many(report.unrecorded, 'report')} without an outcome: {said}"])
    blocks += [_failure(failure, paint) for failure in sorted(report.summary.failures.values(), key=_urgency)]
    blocks.append([f"{paint(f'{name:10}', dim=True)}{text}" for name, text in _facts(report)])
    return "\n\n".join("\n".join(block) for block in blocks)


def _paint() -> Callable[..., str]:
    return click.style if sys.stdout.isatty() and "NO_COLOR" not in os.environ else _plain


def _plain(text: str, **_: object) -> str:
    return text


def _headline(report: RunReport) -> str:
    summary, operation = report.summary, report.run.operation
    if not summary.done and report.state == "finished" and report.run.undoes is not None:
        return f"Nothing to undo of run {report.run.undoes}."
    if not summary.done and report.state == "finished":
        return "Nothing to do: the source holds no report ids."
    statuses = summary.by_status
    reports = many(summary.done - statuses[Status.INVALID] + report.unrecorded, "report")
    done = f"{operation}d {statuses[Status.SUCCEEDED]:,} of {reports} in {duration(report.wall_s)}"
    if report.run.undoes is not None:
        done += f", undoing run {report.run.undoes}"
    if unchanged := statuses[Status.UNCHANGED]:
        done += f", {unchanged:,} {'was' if unchanged == 1 else 'were'} {operation.wanted.lower()} already"
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


def _group(group: Group, words: str, paint: Callable[..., str]) -> list[str]:
    lines = [paint(f"{group.count:,} {words}", fg="yellow")]
    return lines + _examples(group.examples, group.count, paint)


def _examples(examples: Sequence[str], count: int, paint: Callable[..., str]) -> list[str]:
    lines = [paint(f"  {escaped(example, limit=LINE_LIMIT)}", dim=True) for example in examples]
    more = count - len(examples)
    if more and examples:
        lines.append(paint(f"  and {more:,} more", dim=True))
    return lines


def _failure(failure: Failure, paint: Callable[..., str]) -> list[str]:
    code = "" if failure.status_code is None else f" {failure.status_code}"
    reason = "never sent" if failure.status is Status.SKIPPED else escaped(failure.reason, limit=LINE_LIMIT)
    lines = [f"{failure.count:,} {failure.status.value}{code}" + (f": {reason}" if reason else "")]
    return lines + _examples(failure.examples, failure.count, paint)


def _facts(report: RunReport) -> list[tuple[str, str]]:
    summary, run = report.summary, report.run
    invalid = summary.by_status[Status.INVALID]
    counts = SourceCounts(accepted=summary.done - invalid, duplicate=summary.duplicates, invalid=invalid)
    facts = [("Rows", f"{counts.read:,} read: {counted(counts)}")]
    if summary.attempts:
        facts.append(("Requests", _requests(report)))
        latency = summary.latencies.to_dict()
        facts.append(("Latency", ", ".join(f"{name} {ms:,.0f} ms" for name, ms in latency.items() if ms is not None)))
    if (pace := _pace(summary.certificate, found_per_s=summary.limit_found_per_s)) is not None:
        facts.append(("Pace", pace))
    if (tenant := _tenant(report)) is not None:
        facts.append(("Tenant", tenant))
    if (verified := _verified(report)) is not None:
        facts.append(("Verified", verified))
    facts.append(("Audit log", printable(str(run.audit_file))))
    if summary.left_alone and run.left_alone_file.exists():
        facts.append(("Untouched", printable(str(run.left_alone_file))))
    commands = (("Failures", report.failures_command), ("Next", report.next_command), ("Undo", report.undo_command))
    return facts + [(name, printable(command)) for name, command in commands if command is not None]


def _pace(certified: Certificate, *, found_per_s: float | None) -> str | None:
    """How full the fullest windows were, up to one that holds everything; None if nothing is known to have left.

    And the limit that the service was found to have, if it was met.
    """
    if not certified.requests:
        return None
    said: list[str] = []
    for name, words in zip(SPANS_S, _WINDOWS, strict=True):
        said.append(f"{certified.fullest[name]:,} in {words}")
        if certified.fullest[name] == certified.requests:
            break
    verdict = f"{'ABOVE' if certified.exceeded else 'within'} {Rate(certified.rate_limit_per_s)}"
    unknown = (
        f"; not known of {many(certified.unknown_parts, 'part')} that broke off" if certified.unknown_parts else ""
    )
    found = "" if found_per_s is None else f"; the service was found to allow {said_rate(found_per_s)}"
    return f"at most {', '.join(said)}: {verdict}{unknown}{found}"


def _tenant(report: RunReport) -> str | None:
    """What was known of the tenant before; None if nothing was."""
    summary = report.summary
    if summary.listed is None:
        return None
    said = f"{many(summary.listed, 'report')} listed before the first request"
    if summary.unlisted:
        said += f"; {many(summary.unlisted, 'report')} sent a request without being listed"
    return said


def _verified(report: RunReport) -> str | None:
    """What reading back came to; None if that was not asked for."""
    counts = report.summary.verified
    if counts is None:
        return None
    return ", ".join(f"{counts[finding]:,} {finding}" for finding in Finding if counts[finding]) or "nothing to verify"


def _requests(report: RunReport) -> str:
    """How many were sent and how fast; a rate over less than a second, or over several parts, would say nothing."""
    summary = report.summary
    rate = ""
    if report.wall_s >= 1 and not report.was_continued:
        limit = f" (limit {Rate(report.run.rate_per_s)})" if report.run.rate_per_s else ""
        rate = f" at {summary.sent / report.wall_s:.1f}/s{limit}"
    extras = (
        (summary.retries, "retry", "retries"),
        (summary.throttled, "throttled (429)", "throttled (429)"),
        (summary.holds, "hold", "holds"),
        (summary.outages, "outage", "outages"),
        (summary.token_refreshes, "token refresh", "token refreshes"),
    )
    said = ", ".join(f"{count:,} {one if count == 1 else many}" for count, one, many in extras if count)
    return f"{summary.sent:,} sent{rate}" + (f": {said}" if said else "")
