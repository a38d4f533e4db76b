"""Where the ids come from: files, pipes and what is left of a stdin."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import MakeOperator
from tests.e2e.driving import wait_until

pytestmark = pytest.mark.end_to_end


def test_the_first_request_does_not_wait_for_the_end_of_the_input(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=6)
    ids = operator.sandbox.report_ids
    running = operator.start("pause", "-")
    running.type(f"ReportId\n{ids[0]}\n{ids[1]}\n")
    wait_until(lambda: len(operator.sandbox.journal.puts) == 2)
    running.type("".join(f"{report_id}\n" for report_id in ids[2:]))
    wait_until(lambda: len(operator.sandbox.journal.puts) == 6)
    ran = running.end()
    assert (ran.code, ran.statuses) == (0, {"succeeded": 6})
    assert ran.summary["source"] == "stdin"


def test_a_producer_is_never_held_up_by_a_slow_service(an_operator: MakeOperator) -> None:
    operator = an_operator("hang", reports=8)
    running = operator.start("pause", "-", "--no-adapt", env={"BULKPAUSE_RUN__DRAIN_TIMEOUT_S": "0"})
    strangers = "".join(f"{number:08x}-0000-4000-8000-000000000000\n" for number in range(5_000))
    running.type(strangers)  # three times what a pipe holds: it returns because somebody reads
    wait_until(lambda: len(operator.sandbox.journal.puts) == 8)
    running.process.terminate()
    ran = running.end(may_abandon=True)
    assert ran.statuses["unknown"] == 8
    assert ran.summary["read"] == sum(ran.statuses.values())


@pytest.mark.parametrize("script", ['"$@" < /dev/null', 'echo ReportId | "$@"'])
def test_no_ids_is_nothing_to_do_and_asks_for_no_token(an_operator: MakeOperator, script: str) -> None:
    operator = an_operator(tls=True)
    ran = operator.run("pause", "-", script=script)
    assert ran.code == 0
    assert "Nothing to do" in ran.stdout
    assert operator.sandbox.journal.entries == ()


def test_a_source_that_cannot_be_read_is_one_line_and_65(an_operator: MakeOperator) -> None:
    operator = an_operator()
    home = operator.home
    (home / "folder").mkdir()
    (home / "two.csv").write_text("ReportId,report_id\na,b\n", encoding="utf-8")
    (home / "open.csv").write_text('ReportId\n"never closed\n', encoding="utf-8")
    for arguments, reason in (
        (["folder"], "is a directory"),
        (["two.csv"], "report_id"),
        (["open.csv"], "quote"),
    ):
        ran = operator.run("pause", *arguments)
        assert (arguments, ran.code) == (arguments, 65)
        assert reason in ran.stderr
    closed = operator.run("pause", "-", script='"$@" <&-')
    assert closed.code == 65
    assert "stdin: is closed. Pipe ids in, or name a file." in closed.stderr
    assert operator.sandbox.journal.entries == ()


def test_strict_sends_nothing_if_a_single_row_is_invalid(an_operator: MakeOperator) -> None:
    operator = an_operator()
    source = operator.source([*operator.sandbox.report_ids, "not-an-id"])
    ran = operator.run("pause", source, "--strict")
    assert ran.code == 65
    assert "line 22" in ran.stderr
    assert operator.sandbox.journal.entries == ()
    assert list(operator.runs.iterdir()) == []


def test_hostile_rows_never_reach_the_wire_nor_the_terminal_raw(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=2)
    good = operator.sandbox.report_ids[0]
    hostile = [
        f"../resume/{good}",
        f"{good}%2F..",
        f"{good}?x=1",
        f"{good[:8]}\u200b{good[8:]}",
        good.replace("-", ""),
        good.replace("-", "\u2013"),
        "=cmd|'/c calc'!A1",
        "\x1b[31mred",
    ]
    ran = operator.run("pause", operator.source([good, *hostile], name="ids.txt", header="# ids"))
    assert [put.path.rpartition("/")[2] for put in ran.puts] == [good]
    assert ran.statuses == {"succeeded": 1, "invalid": len(hostile)}
    assert "\x1b" not in ran.stdout + ran.stderr
    assert "\u200b" not in ran.stdout + ran.stderr


def test_a_broken_row_late_in_a_pipe_halts_with_65_and_keeps_what_was_done(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=5)
    running = operator.start("pause", "-", "--format", "csv")
    running.type("".join(f"{line}\n" for line in ("ReportId", *operator.sandbox.report_ids)))
    wait_until(lambda: len(operator.sandbox.journal.puts) == 5)
    running.type('"never closed\n')
    ran = running.end()
    assert ran.code == 65
    assert ran.statuses == {"succeeded": 5}
    assert "quote" in ran.stderr
