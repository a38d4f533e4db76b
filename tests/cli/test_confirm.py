"""The question before a large run, and what the answers lead to."""

from __future__ import annotations

import io
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TextIO

import pytest

from bulkpause.cli import confirm
from bulkpause.sandbox import Sandbox
from tests.cli.calling import Cli, Keyboard, Serve

Answer = Callable[[str], io.StringIO]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Put a person on stderr and on the terminal who types that; returns the terminal's screen."""

    def prepare(text: str) -> io.StringIO:
        screen = io.StringIO()

        @contextmanager
        def terminal() -> Iterator[tuple[TextIO, TextIO]]:
            yield io.StringIO(text), screen

        monkeypatch.setattr(confirm, "_terminal", terminal)
        monkeypatch.setattr("sys.stderr", Keyboard())
        return screen

    return prepare


@pytest.mark.parametrize(("count", "wanted"), [(0, False), (50, False), (51, True), (None, True)])
def test_a_large_or_unknown_number_is_asked_about(count: int | None, wanted: bool) -> None:
    assert confirm.is_wanted(count, above=50) is wanted


@pytest.mark.parametrize(
    ("typed", "agreed"),
    [("y\n", True), ("Y\n", True), (" yes \n", True), ("n\n", False), ("\n", False), ("", False), ("yep\n", False)],
)
def test_only_y_and_yes_agree(answer: Answer, typed: str, agreed: bool) -> None:
    screen = answer(typed)
    assert confirm.ask("Go ahead?") is agreed
    assert screen.getvalue() == "Go ahead? [y/N] "


def test_nobody_is_asked_where_stderr_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert confirm.ask("Go ahead?") is None
    assert capsys.readouterr().err == ""


def test_a_person_whose_stderr_goes_through_tee_is_asked(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    answer("y\n")
    monkeypatch.setattr("sys.stderr", io.StringIO())
    monkeypatch.setattr("sys.stdin", Keyboard())
    assert confirm.ask("Go ahead?") is True


def test_nobody_is_asked_where_there_is_no_terminal_to_open(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    answer("y\n")

    def gone() -> None:
        raise OSError

    monkeypatch.setattr(confirm, "_terminal", gone)
    assert confirm.ask("Go ahead?") is None


def test_ctrl_c_ends_the_wait_and_leaves_the_signal_as_it_was(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    class Impatient:
        def readline(self) -> str:
            signal.raise_signal(signal.SIGINT)
            return "y\n"

    answer("")
    monkeypatch.setattr(confirm, "_terminal", lambda: nullcontext((Impatient(), io.StringIO())))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt):
            confirm.ask("Go ahead?")
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.fixture
def many(cli: Cli, serve: Serve) -> Sandbox:
    """A service of 51 reports, one more than goes without a question; reports.csv holds them and a bad row."""
    sandbox = serve(reports=51)
    cli.source([*sandbox.report_ids, "none"])
    return sandbox


def test_the_question_has_count_target_rate_and_forecast_in_view(cli: Cli, many: Sandbox, answer: Answer) -> None:
    screen = answer("n\n")
    tenant = {"AZURE_TENANT_ID": "contoso.example"}
    said = cli("pause", "reports.csv", "--rate", "3/s", env=tenant)
    assert screen.getvalue() == (
        f"Pause 51 reports (leaving out 1 invalid row) of tenant contoso.example at {many.base_url}, 3/s, at best 17 s?"
        " [y/N] "
    )
    assert said.code == 1


def test_no_means_that_nothing_is_sent_and_nothing_is_left_behind(cli: Cli, many: Sandbox, answer: Answer) -> None:
    answer("n\n")
    assert cli("pause", "reports.csv").code == 1
    assert many.journal.entries == ()
    assert cli.runs == []


def test_ctrl_c_at_the_question_says_that_nothing_was_sent(
    cli: Cli, many: Sandbox, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_question: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(confirm, "ask", interrupt)
    said = cli("pause", "reports.csv")
    assert (said.code, said.err.split("\n")) == (130, ["", "Nothing was sent.", "", "bulkpause: interrupted.", ""])
    assert (many.journal.entries, cli.runs) == ((), [])


def test_yes_means_that_it_runs(cli: Cli, many: Sandbox, answer: Answer) -> None:
    answer("y\n")
    cli("pause", "reports.csv", "--progress", "none")
    assert cli.summary()["by_status"] == {"succeeded": 51, "invalid": 1}


def test_a_pipe_of_unknown_length_is_asked_about_before_it_ends(cli: Cli, many: Sandbox, answer: Answer) -> None:
    screen = answer("n\n")
    assert cli("resume", "-", stdin=many.report_ids[0].encode()).code == 1
    assert screen.getvalue().startswith(f"Resume an unknown number of reports at {many.base_url}, 2000/s?")
    assert many.journal.entries == ()


@pytest.mark.parametrize("arguments", [["--yes"], ["--sandbox"]])
def test_yes_and_the_sandbox_are_not_asked_about(cli: Cli, many: Sandbox, answer: Answer, arguments: list[str]) -> None:
    screen = answer("n\n")
    cli("pause", "reports.csv", "--progress", "none", "--max-tries", "1", *arguments)
    assert screen.getvalue() == ""
    assert cli.summary()["by_status"]["succeeded"] == 51


def test_no_input_refuses_on_a_terminal_and_says_how_to_go_ahead(cli: Cli, many: Sandbox, answer: Answer) -> None:
    screen = answer("y\n")
    assert cli("pause", "reports.csv", "--no-input").code == 2
    assert (screen.getvalue(), many.journal.entries, cli.runs) == ("", (), [])


def test_no_input_runs_where_there_is_no_terminal(cli: Cli, many: Sandbox) -> None:
    assert cli("pause", "reports.csv", "--no-input").code == 1
    assert cli.summary()["by_status"]["succeeded"] == 51
