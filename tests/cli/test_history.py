"""`bulkpause runs`, `show` and `export`: what runs that were have left."""

from __future__ import annotations

import csv
import io
import re
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest

from bulkpause.cli.gallery import EXPORT_COLUMNS
from bulkpause.lock import LedgerLock
from bulkpause.sandbox import Sandbox
from tests.cli.calling import Cli, Serve
from tests.cli.interrupted import cut_behind, kill_at, ledger_file


@pytest.fixture
def mixed(cli: Cli, serve: Serve) -> Sandbox:
    """A service, and a run over its eight reports, of which one was denied, one rejected, and a bad row."""
    sandbox = serve("403/envelope@n=2", "400/envelope@n=3")
    cli("pause", cli.source([*sandbox.report_ids, "bad row"]), "--concurrency", "1")
    return sandbox


def test_without_runs_the_list_is_empty_and_says_where_it_looked(cli: Cli) -> None:
    said = cli("runs")
    assert (said.code, said.out, said.err) == (0, "", "No runs in runs.\n")
    assert cli("runs", "--json").out == "[]\n"


def test_a_run_is_a_line_with_what_it_did_and_how_it_ended_the_newest_first(cli: Cli, mixed: Sandbox) -> None:
    cli("resume", cli.source(mixed.report_ids[3:5], "some.csv"))
    head, newest, oldest = (line.split() for line in cli("runs").out.splitlines())
    assert head == ["RUN", "OPERATION", "STATE", "READ", "DONE", "FAILED", "LEFT", "AGE", "SOURCE"]
    assert newest[:7] == [cli.runs[1].name, "resume", "finished", "2", "2", "0", "0"]
    assert oldest[:7] == [cli.runs[0].name, "pause", "finished", "9", "6", "3", "0"]
    assert (newest[-1], oldest[-1]) == ("some.csv", "reports.csv")


def test_an_undo_is_told_as_one(cli: Cli, mixed: Sandbox) -> None:
    assert cli("undo", "last").code == 0
    assert f"{cli.runs[1].name}  resume (undo)  finished" in cli("runs").out


def test_only_so_many_are_listed_and_the_others_counted(cli: Cli, serve: Serve) -> None:
    source = cli.source(serve(reports=1).report_ids)
    for _ in range(3):
        cli("pause", source)
    said = cli("runs", "--last", "1")
    assert [line.split()[0] for line in said.out.splitlines()] == ["RUN", cli.runs[-1].name]
    assert said.err == "2 older ones; --last 3 lists all.\n"
    assert [one["run_id"] for one in orjson.loads(cli("runs", "--json").out)] == [
        folder.name for folder in reversed(cli.runs)
    ]


def test_the_list_as_json_has_the_counts_and_what_to_type_next(cli: Cli, mixed: Sandbox) -> None:
    (one,) = orjson.loads(cli("runs", "--json").out)
    summary = cli.summary()
    assert one == {name: summary[name] for name in one}
    assert {"run_id", "state", "by_status", "next", "undo", "started_at"} <= one.keys()


def test_a_killed_run_is_interrupted_and_a_live_one_live(cli: Cli, serve: Serve) -> None:
    kill_at(cli, serve(), "outcome", 4)
    (one,) = orjson.loads(cli("runs", "--json").out)
    assert (one["state"], one["read"], one["by_status"]) == ("interrupted", 4, {"succeeded": 4})
    with LedgerLock(ledger_file(cli), now=datetime.now(UTC)):
        assert orjson.loads(cli("runs", "--json").out)[0]["state"] == "live"
        assert " live " in cli("runs").out


@pytest.mark.parametrize("text", [None, b"garbage\n"])
def test_a_run_that_cannot_be_read_is_listed_with_the_reason(cli: Cli, mixed: Sandbox, text: bytes | None) -> None:
    ledger_file(cli).unlink()
    if text is not None:
        ledger_file(cli).write_bytes(text)
    said = cli("runs")
    assert said.code == 0
    assert re.search(rf"{cli.runs[0].name} +unread .*audit log", said.out)


def test_a_summary_that_does_not_fit_the_ledger_is_not_believed(cli: Cli, mixed: Sandbox) -> None:
    document = cli.summary()
    cut_behind(cli, "outcome", 2)
    (cli.runs[0] / "summary.json").write_bytes(orjson.dumps(document))
    (one,) = orjson.loads(cli("runs", "--json").out)
    assert (one["state"], one["read"]) == ("interrupted", 2)


def test_show_counts_again_and_says_what_the_run_has_said(cli: Cli, mixed: Sandbox) -> None:
    before = {file: file.read_bytes() for file in cli.runs[0].iterdir()}
    said = cli("show", "last", "--json")
    assert (said.code, said.err) == (0, "")
    assert said.document.keys() == cli.summary().keys()
    same = said.document.keys() - {"wall_s", "finished_at", "started_at", "achieved_per_s", "failed_csv"}
    assert {name: said.document[name] for name in same} == {name: cli.summary()[name] for name in same}
    assert cli("show", cli.runs[0].name[:8]).out.startswith("Paused 6 of 8 reports in ")
    assert {file: file.read_bytes() for file in cli.runs[0].iterdir()} == before


def test_show_of_an_edited_summary_says_so_with_5(cli: Cli, mixed: Sandbox) -> None:
    (cli.runs[0] / "summary.json").write_bytes(orjson.dumps({**cli.summary(), "sent": 99}))
    said = cli("show", "last")
    assert said.code == 5
    assert said.err == "bulkpause: summary.json says sent 99, the audit log 8.\n"


def test_show_of_a_live_run_says_how_far_it_is(cli: Cli, serve: Serve) -> None:
    kill_at(cli, serve(), "attempt_started", 4)
    with LedgerLock(ledger_file(cli), now=datetime.now(UTC)):
        said = cli("show", "last")
    assert said.code == 0
    assert re.fullmatch(r"bulkpause: the run is alive \(process .*\); this is how far it is\.\n", said.err)


def test_show_of_a_killed_run_says_what_is_in_doubt(cli: Cli, serve: Serve) -> None:
    kill_at(cli, serve(), "attempt_started", 4)
    said = cli("show", "last")
    assert said.code == 0
    assert "bulkpause: 1 report had an attempt and no outcome when the run broke off" in said.err
    assert said.out.startswith("Interrupted: paused 3 of 8 reports in ")
    assert "\n5 reports without an outcome: 4 never sent, 1 in doubt\n" in said.out
    assert "Next      bulkpause continue " in said.out


def test_the_pace_of_a_killed_run_is_unknown_and_of_its_continuation_known(cli: Cli, serve: Serve) -> None:
    kill_at(cli, serve(), "attempt_started", 4)
    assert cli("show", "last", "--json").document["rate_windows"] is None
    cli("continue", "last")
    windows = cli("show", "last", "--json").document["rate_windows"]
    assert windows == cli.summary()["rate_windows"]
    assert (windows["requests"], windows["unknown_parts"]) == (5, 1)


def test_a_report_in_doubt_twice_is_counted_once_and_not_as_never_sent(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    kill_at(cli, sandbox, "attempt_started", 4)
    cli("continue", "last", "--no-snapshot", "--concurrency", "1")
    cut_behind(cli, "attempt_started", 5)  # the fourth report again, and in flight again
    assert "\n4 reports without an outcome: 4 never sent\n" in cli("show", "last").out
    said = cli("show", "last", "--failures")
    assert [line[:36] for line in said.out.splitlines()] == [sandbox.report_ids[3]]
    assert said.err.startswith("4 reports without an outcome, never sent: ")
    plan = cli("continue", "last", "--dry-run", "--json").document
    assert (plan["left"], plan["in_doubt"]) == (5, 1)


@pytest.mark.parametrize("verb", ["show", "continue", "undo", "verify"])
def test_last_is_no_older_run_if_the_ledger_of_the_newest_is_away(cli: Cli, mixed: Sandbox, verb: str) -> None:
    cli("resume", cli.source(mixed.report_ids, "all.csv"), "--audit", "away.jsonl")
    Path("away.jsonl").rename("moved.jsonl")
    seen = len(mixed.journal.entries)
    said = cli(verb, "last")
    assert said.code == 65
    assert f"of run {cli.runs[1].name} is gone" in said.err
    assert len(mixed.journal.entries) == seen


def test_the_failures_of_a_killed_run_are_not_called_none(cli: Cli, serve: Serve) -> None:
    kill_at(cli, serve(), "outcome", 4)
    said = cli("show", "last", "--failures")
    assert (said.code, said.out) == (0, "")
    assert said.err == "4 reports without an outcome, never sent: bulkpause continue does them.\n"


def test_show_says_how_many_lines_are_none_of_the_runs(cli: Cli, mixed: Sandbox) -> None:
    with ledger_file(cli).open("ab") as stream:
        stream.write(b"logrotate was here\n")
    said = cli("show", "last")
    assert (said.code, said.err) == (
        0,
        "bulkpause: passed over 1 line of the audit log that the run did not write; see audit verify.\n",
    )


def test_every_failure_is_shown_with_its_reason(cli: Cli, mixed: Sandbox) -> None:
    said = cli("show", "last", "--failures")
    assert said.code == 0
    denied, rejected, invalid = sorted(said.out.splitlines(), key=lambda line: "denied" not in line)
    assert re.fullmatch(rf"{mixed.report_ids[1]}  denied 403: .+", denied)
    lines = {rejected, invalid}
    assert any(re.fullmatch(rf"{mixed.report_ids[2]}  rejected 400: .+", line) for line in lines)
    assert any(re.fullmatch(r"line 10 +invalid: .*bad row", line) for line in lines)
    assert said.err == "3 reports not in the wanted state.\n"


def test_the_failures_as_json_are_the_outcomes_of_the_ledger(cli: Cli, mixed: Sandbox) -> None:
    found = orjson.loads(cli("show", "last", "--failures", "--json").out)
    assert {one["status"] for one in found} == {"denied", "rejected", "invalid"}
    lines = {line["row"]: line for line in cli.ledger() if line["event"] == "outcome"}
    assert all(one.items() <= lines[one["row"]].items() for one in found)


def test_a_run_without_failures_says_so(cli: Cli, serve: Serve) -> None:
    cli("pause", cli.source(serve(reports=2).report_ids))
    said = cli("show", "last", "--failures")
    assert (said.code, said.out, said.err) == (0, "", "Every report is in the wanted state.\n")


def test_the_story_of_a_report_is_all_that_the_ledger_says_of_it(cli: Cli, serve: Serve) -> None:
    sandbox = serve("503*1@n=1", "400@n=2", reports=1)
    cli("pause", cli.source(sandbox.report_ids), "--concurrency", "1")
    serve_again = cli("continue", "last", "--failed")
    assert serve_again.code == 0
    (report_id,) = sandbox.report_ids
    said = cli("show", "last", "--id", report_id.upper())
    head, *told = said.out.splitlines()
    assert (said.code, head) == (0, f"Report {report_id} in run {cli.runs[0].name}:")
    patterns = [
        r"try 1 is about to leave \(MS-CorrelationId [0-9a-f-]{36}\)",
        r"try 1 came to fault 503: .*; the next in .*",
        r"try 2 is about to leave \(MS-CorrelationId [0-9a-f-]{36}\)",
        r"ended rejected 400.* \(row 2, before the run Active\)",
        r"try 1 is about to leave \(MS-CorrelationId [0-9a-f-]{36}\)",
        r"ended succeeded 200.* \(row 2, before the run Active\)",
    ]
    assert len(told) == len(patterns)
    for line, pattern in zip(told, patterns, strict=True):
        assert re.fullmatch(rf"  \d\d:\d\d:\d\d\.\d\d\d  {pattern}", line)
    events = [line["event"] for line in orjson.loads(cli("show", "last", "--id", report_id, "--json").out)]
    assert events == ["attempt_started", "retry_scheduled", "attempt_started", "outcome", "attempt_started", "outcome"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            {"event": "resolved", "status": "succeeded", "status_code": None, "message": "read back", "row": 2},
            "resolved succeeded: read back (row 2)",
        ),
        (
            {"event": "finding", "finding": "missing", "report_status": None},
            "read back: missing, the service says nothing",
        ),
        ({"event": "left_alone", "said": "it is\nnot ours"}, "left alone: it is\\nnot ours"),
        ({"event": "whatever"}, "whatever"),
        ({"event": "outcome", "row": 2}, "outcome, in a line that does not say what it should"),
    ],
)
def test_a_story_tells_of_looks_and_of_lines_that_make_no_sense(
    cli: Cli, mixed: Sandbox, line: dict[str, Any], said: str
) -> None:
    whole = {"seq": 99, "at": "2026-11-22T03:00:00.000000Z", "report_id": mixed.report_ids[0], **line}
    with ledger_file(cli).open("ab") as stream:
        stream.write(orjson.dumps(whole) + b"\n")
    assert cli("show", "last", "--id", mixed.report_ids[0]).out.endswith(f"  03:00:00.000  {said}\n")


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_report_that_the_run_knows_nothing_of_is_code_1(cli: Cli, mixed: Sandbox, flags: list[str]) -> None:
    stranger = str(uuid4())
    said = cli("show", "last", "--id", stranger, *flags)
    assert (said.code, said.out) == (1, "[]\n" if flags else "")
    assert said.err == f"bulkpause: run {cli.runs[0].name} knows nothing of {stranger}.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--id", "zz"], "bulkpause: --id 'zz': "),
        (["--id", "zz", "--failures"], "bulkpause: --failures and --id ask for different things: choose one.\n"),
    ],
)
def test_a_question_that_makes_no_sense_is_a_usage_error(
    cli: Cli, mixed: Sandbox, arguments: list[str], said: str
) -> None:
    answer = cli("show", "last", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(said)


def test_an_export_is_the_source_of_a_run_and_has_the_reasons_beside_the_ids(cli: Cli, mixed: Sandbox) -> None:
    said = cli("export", "last", "--status", "failed")
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert said.code == 0
    assert tuple(rows[0]) == EXPORT_COLUMNS
    assert [(row["report_id"], row["status"], row["status_code"], row["tries"]) for row in rows] == [
        (mixed.report_ids[1], "denied", "403", "1"),
        (mixed.report_ids[2], "rejected", "400", "1"),
    ]
    assert all(row["reason"] and row["before"] == "Active" for row in rows)
    Path("failed.csv").write_text(said.out, encoding="utf-8")
    assert cli("pause", "failed.csv").code == 0
    assert set(mixed.report_statuses.values()) == {"Paused"}


def test_an_export_of_json_lines_is_a_source_as_well(cli: Cli, mixed: Sandbox) -> None:
    lines = cli("export", "last", "--status", "succeeded", "--format", "jsonl").out
    assert len(lines.splitlines()) == 6
    assert cli("resume", "-", stdin=lines.encode()).code == 0
    assert set(mixed.report_statuses.values()) == {"Active"}


@pytest.mark.parametrize(
    ("flags", "count"),
    [([], 8), (["--status", "denied"], 1), (["--status", " Denied ,succeeded"], 7), (["--status", "unknown"], 0)],
)
def test_an_export_has_the_reports_of_the_statuses_asked_for(
    cli: Cli, mixed: Sandbox, flags: list[str], count: int
) -> None:
    said = cli("export", "last", *flags)
    assert (said.code, len(said.out.splitlines())) == (0, 1 + count)


@pytest.mark.parametrize("word", ["invalid", "lost", ""])
def test_an_export_of_an_unknown_status_is_a_usage_error(cli: Cli, mixed: Sandbox, word: str) -> None:
    said = cli("export", "last", "--status", word)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"bulkpause: --status {word}: is none of denied, exhausted, failed, not_found, ")


def test_an_export_into_a_file_is_for_its_owner_and_writes_nothing_over(cli: Cli, mixed: Sandbox) -> None:
    assert cli("export", "last", "--output", "out.csv").code == 0
    before = Path("out.csv").read_bytes()
    assert before.decode() == cli("export", "last").out
    if sys.platform != "win32":
        assert stat.S_IMODE(Path("out.csv").stat().st_mode) == 0o600
    said = cli("export", "last", "--status", "denied", "--output", "out.csv")
    assert (said.code, said.err) == (2, "bulkpause: out.csv exists, and is not written over. Choose another name.\n")
    assert Path("out.csv").read_bytes() == before


def test_an_export_into_a_place_that_is_none_is_said(cli: Cli, mixed: Sandbox) -> None:
    said = cli("export", "last", "--output", "none/out.csv")
    assert (said.code, said.err) == (2, "bulkpause: cannot write none/out.csv: No such file or directory.\n")


def test_an_export_of_a_killed_run_has_what_is_in_doubt(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    kill_at(cli, sandbox, "attempt_started", 4)
    rows = list(csv.DictReader(io.StringIO(cli("export", "last", "--status", "unknown").out)))
    assert [(row["report_id"], row["reason"]) for row in rows] == [
        (sandbox.report_ids[3], "the run broke off while this attempt was in flight")
    ]


@pytest.mark.parametrize("verb", ["show", "export"])
def test_a_name_that_no_run_has_leads_to_the_list(cli: Cli, mixed: Sandbox, verb: str) -> None:
    said = cli(verb, "2001")
    assert (said.code, said.err) == (
        2,
        "bulkpause: no run in runs is called '2001'. See bulkpause runs, and --runs-dir.\n",
    )


@pytest.mark.parametrize("verb", ["continue", "undo", "verify", "show", "export"])
@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_name_is_refused_even_where_a_run_lies(cli: Cli, mixed: Sandbox, verb: str, name: str) -> None:
    directory, seen = cli.runs[0].absolute(), len(mixed.journal.entries)
    before = (directory / "audit.jsonl").read_bytes()
    cli.patch.chdir(directory)
    said = cli(verb, name)
    assert (said.code, said.out) == (2, "")
    assert said.err == "bulkpause: RUN is empty: give a run id, the start of one, a run directory, or last.\n"
    assert len(mixed.journal.entries) == seen
    assert (directory / "audit.jsonl").read_bytes() == before
