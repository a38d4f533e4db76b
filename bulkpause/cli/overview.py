"""What `bulkpause --help` says, ready to print: click, which takes three times the start of Python, stays out of it."""

from __future__ import annotations

from typing import Final

from bulkpause.cli import exits

VERBS: Final = {
    "pause": ("bulkpause.cli.operate:pause", "Pause the reports of a CSV file, a list, JSON Lines or stdin."),
    "resume": ("bulkpause.cli.operate:resume", "Resume the reports of such a source."),
    "continue": ("bulkpause.cli.past:continue_", "Finish an interrupted run from its directory."),
    "undo": ("bulkpause.cli.past:undo", "Reverse what a run changed, and only that."),
    "verify": ("bulkpause.cli.verifying:verify", "Read the reports of a run back and compare."),
    "runs": ("bulkpause.cli.history:runs", "List the runs there are, the newest first."),
    "show": ("bulkpause.cli.history:show", "Show what came of a run, or of one report in it."),
    "export": ("bulkpause.cli.history:export", "Export how the reports of a run ended, as CSV or JSON Lines."),
    "list": ("bulkpause.cli.listing:list_reports", "List the tenant's reports, as a table, CSV or JSON Lines."),
    "login": ("bulkpause.cli.login:login", "Sign in as a person, once; later runs go on with that."),
    "logout": ("bulkpause.cli.login:logout", "Forget that sign-in."),
    "sandbox": ("bulkpause.cli.sandbox:sandbox", "Serve an emulated Partner Center on this machine."),
    "audit": ("bulkpause.cli.audit:audit", "Prove that an audit log is as it was written; make signing keys."),
    "doctor": ("bulkpause.cli.doctor:doctor", "Look at all that a run needs, and say what is missing."),
    "config": ("bulkpause.cli.config:config", "Show the effective configuration and where it came from."),
}
"""Where each verb is, and what it does."""

_VERB_LINES: Final = "\n".join(f"  {name:8} {does}" for name, (_, does) in VERBS.items())

HELP: Final = f"""\
Usage: bulkpause VERB [SOURCE] [OPTIONS]

  Pause or resume Partner Center Insights reports in bulk.

Examples:
  Before a maintenance window: rehearse, then do it
    bulkpause pause reports.csv --dry-run
    bulkpause pause reports.csv
  From a scheduled job: exit code and JSON are the interface
    bulkpause pause reports.csv --no-input --json > summary.json
  In an incident: ids from anywhere, at a known rate
    cut -d, -f1 export.csv | bulkpause pause - --rate 10/s --yes
  Without an account, to see it work
    bulkpause pause --sandbox configs/sample-reports.csv

Verbs:
{_VERB_LINES}

  bulkpause VERB --help lists the options of a verb.

Options:
  -h, --help  Show this and exit.
  --version   Show the version and exit.

Exit codes:
{exits.TABLE}"""
