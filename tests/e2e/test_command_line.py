"""The command as such: what it refuses, what it only shows, and what it serves."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeOperator
from tests.e2e.driving import COMMAND, NO_COVERAGE

pytestmark = pytest.mark.end_to_end


def test_a_dry_run_shows_the_plan_asks_for_no_token_and_sends_nothing(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True, reports=30)
    source = operator.source([*operator.sandbox.report_ids, operator.sandbox.report_ids[0], "x"])
    ran = operator.run("pause", source, "--dry-run", "--rate", "10/s")
    assert ran.code == 0
    assert "30 accepted, 1 duplicate, 1 invalid" in ran.stdout
    assert operator.sandbox.base_url in ran.stdout
    assert "about 3" in ran.stdout
    document = json.loads(operator.run("pause", source, "-n", "--json", "--rate", "10/s").stdout)
    assert (document["dry_run"], document["accepted"], document["forecast_s"]) == (True, 30, 3.0)
    assert operator.sandbox.journal.entries == ()
    assert not operator.runs.exists()


def test_a_wrong_command_line_is_2_and_a_wrong_setting_is_78(an_operator: MakeOperator) -> None:
    operator = an_operator()
    source = operator.source(operator.sandbox.report_ids)
    (operator.home / "bad.toml").write_text('[retry]\nmax_tries = "many"\n', encoding="utf-8")
    for arguments, env, code, reason in (
        (["pause"], {}, 2, "SOURCE"),
        (["pause", source, "--rate", "quick"], {}, 2, "quick"),
        (["pause", source], {"BULKPAUSE_RUN__RAET": "5/s"}, 78, "BULKPAUSE_RUN__RATE"),
        (["pause", source, "--config", "bad.toml"], {}, 78, "retry.max_tries"),
        (["pause", source, "--base-url", "http://api.example.com"], {}, 78, "https"),
        (["pause", source, "--ca-file", source], {}, 78, "api.ca_file"),
    ):
        ran = operator.run(*arguments, env={**NO_COVERAGE, **env})
        assert (arguments, ran.code) == (arguments, code)
        assert reason in ran.stderr
    assert operator.sandbox.journal.entries == ()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_sandbox_verb_prints_an_environment_that_works_as_pasted_and_leaves_nothing_behind(
    an_operator: MakeOperator, number: signal.Signals
) -> None:
    operator = an_operator(reports=0)
    theirs = ("BULKPAUSE_", "AZURE_")
    plain = {name: value for name, value in operator.environment().items() if not name.startswith(theirs)}
    command = [COMMAND, "sandbox", "--reports", "3", "--fault", "500*1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=plain, text=True) as served:
        try:
            assert served.stdout is not None
            welcome = "".join(served.stdout.readline() for _ in range(8))
            pasted = dict(re.findall(r"export (\w+)='(.*)'", welcome))
            ran = subprocess.run(
                [COMMAND, "pause", operator.source(["00000000-0000-4000-8000-000000000000"]), "--json"],
                env={**plain, **pasted},
                cwd=operator.home,
                capture_output=True,
                check=False,
            )
            assert json.loads(ran.stdout)["by_status"] == {"not_found": 1}
        finally:
            served.send_signal(number)
        assert served.wait(timeout=10) == 0
    assert not Path(pasted["BULKPAUSE_API__CA_FILE"]).parent.exists()


def test_settings_are_shown_without_the_secrets(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True)
    ran = operator.run("config", "show", env={"BULKPAUSE_RUN__RATE": "7/min"})
    assert ran.code == 0
    assert re.search(r"run\.rate +7/min +environment BULKPAUSE_RUN__RATE", ran.stdout)
    assert re.search(r"auth\.client_secret +\*+", ran.stdout)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize(
    "asked",
    [
        ["runs"],
        ["runs", "--json"],
        ["show", "last"],
        ["show", "last", "--json"],
        ["show", "last", "--failures"],
        ["export", "last"],
        ["export", "last", "--format", "jsonl"],
        ["audit", "verify", "last"],
        ["audit", "verify", "last", "--json"],
    ],
    ids=" ".join,
)
def test_what_a_run_has_left_and_stdout_does_not_take_is_code_74(an_operator: MakeOperator, asked: list[str]) -> None:
    operator = an_operator("403@n=2", reports=4)
    operator.run("pause", operator.source(operator.sandbox.report_ids))
    ran = operator.run(*asked, "--runs-dir", str(operator.runs), script='"$@" > /dev/full')
    assert ran.code == 74
    assert ran.stderr.endswith("bulkpause: cannot write to stdout: No space left on device.\n")
    assert (ran.directory, ran.puts) == (None, ())
