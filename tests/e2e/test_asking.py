"""The question before a large run, on a real terminal."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import MakeOperator

pytestmark = [
    pytest.mark.end_to_end,
    # pexpect forks where Python 3.12 would rather not see it with a sandbox on a thread; the child execs at once.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


@pytest.mark.parametrize(("answer", "puts", "code"), [("n", 0, 1), ("y", 51, 0)])
def test_more_than_50_reports_want_a_yes(an_operator: MakeOperator, answer: str, puts: int, code: int) -> None:
    operator = an_operator(reports=51)
    terminal = operator.at_terminal("pause", operator.source(operator.sandbox.report_ids))
    terminal.expect(f"Pause 51 reports at {operator.sandbox.base_url}, 1000/s, about ")
    terminal.expect("[y/N]")
    assert operator.sandbox.journal.entries == ()
    terminal.type(answer)
    ran = terminal.end()
    assert (ran.code, len(ran.puts)) == (code, puts)
    assert puts or list(operator.runs.iterdir()) == []


def test_no_input_refuses_instead_of_asking(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=60)
    ran = operator.at_terminal("pause", operator.source(operator.sandbox.report_ids), "--no-input").end()
    assert (ran.code, ran.puts) == (2, ())
    assert "Add --yes to go ahead" in ran.stdout


def test_ids_from_a_pipe_are_asked_about_on_the_terminal(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=3)
    source = operator.source(operator.sandbox.report_ids)
    terminal = operator.at_terminal("pause", "-", script=f'cat {source} | "$@"')
    terminal.expect("Pause an unknown number of reports")
    terminal.type("y")
    ran = terminal.end()
    assert (ran.code, len(ran.puts)) == (0, 3)


def test_ctrl_c_at_the_question_sends_nothing_and_leaves_nothing(an_operator: MakeOperator) -> None:
    operator = an_operator(reports=60)
    terminal = operator.at_terminal("pause", operator.source(operator.sandbox.report_ids))
    terminal.expect("[y/N]")
    terminal.interrupt()
    ran = terminal.end()
    assert (ran.code, ran.puts) == (130, ())
    assert list(operator.runs.iterdir()) == []


def test_typing_ids_at_a_terminal_is_answered_with_a_hint(an_operator: MakeOperator) -> None:
    ran = an_operator().at_terminal("pause", "-").end()
    assert ran.code == 65
    assert "stdin: is a terminal" in ran.stdout


def test_the_bar_and_the_summary_share_a_terminal(an_operator: MakeOperator) -> None:
    operator = an_operator("429:1*1@n=10", reports=20)
    terminal = operator.at_terminal("pause", operator.source(operator.sandbox.report_ids), "--no-adapt")
    terminal.expect("of 20 done")
    terminal.expect("held")
    terminal.expect("StatusCode")
    assert terminal.end().code == 0
