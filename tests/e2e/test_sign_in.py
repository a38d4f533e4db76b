"""Tokens: expired, revoked, refused, and what it takes to stop."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import MakeOperator

pytestmark = pytest.mark.end_to_end


def test_a_three_second_token_is_renewed_in_time_by_one_request_each(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True, reports=170, token_lifetime_s=3.0)
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), "--rate", "40/s")
    assert ran.code == 0
    assert all(put.status in {200, 401} for put in ran.puts)
    asked = [entry for entry in operator.sandbox.journal.entries if entry.operation == "token"]
    assert len(asked) == len({put.token for put in ran.puts}) == 1 + ran.summary["token_refreshes"]
    assert 2 <= len(asked) <= 3
    assert sum(put.status == 401 for put in ran.puts) <= 8


def test_a_revoked_token_brings_one_refresh_for_all_workers(an_operator: MakeOperator) -> None:
    operator = an_operator("revoke*1@n=40", tls=True, reports=120, latency="30ms")
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), "--concurrency", "16")
    assert ran.code == 0
    assert sum(entry.operation == "token" for entry in operator.sandbox.journal.entries) == 2
    assert ran.summary["token_refreshes"] == 1
    old, new = dict.fromkeys(put.token for put in ran.puts)
    assert 1 <= sum(put.status == 401 for put in ran.puts) <= 16
    last_old = max(index for index, put in enumerate(ran.puts) if put.token == old)
    first_new = min(index for index, put in enumerate(ran.puts) if put.token == new)
    assert last_old < first_new


@pytest.mark.parametrize("named", ["nothing", "rubbish"])
def test_no_variable_of_other_programs_decides_whom_is_trusted(an_operator: MakeOperator, named: str) -> None:
    operator = an_operator(tls=True)
    file = operator.home / "bundle.pem"
    if named == "rubbish":
        file.write_text("no certificate")
    variables = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), env=dict.fromkeys(variables, str(file)))
    assert (ran.code, ran.statuses) == (0, {"succeeded": 20})


def test_a_wrong_secret_is_one_line_with_entras_code_and_nothing_is_sent(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True)
    ran = operator.run(
        "pause", operator.source(operator.sandbox.report_ids), "-q", env={"AZURE_CLIENT_SECRET": "wrong~planted"}
    )
    assert ran.code == 77
    (line,) = ran.stderr.splitlines()
    assert "AADSTS7000215" in line
    assert "trace id" in line
    assert "planted" not in ran.stdout + line
    assert ran.puts == ()
    assert ran.statuses == {"skipped": 20}


def test_a_service_that_refuses_every_token_stops_the_run_after_a_handful(an_operator: MakeOperator) -> None:
    operator = an_operator("401", tls=True, reports=100)
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids))
    assert ran.code == 77
    assert len(ran.puts) <= 3 * 8
    assert ran.statuses["succeeded"] == 0
    assert ran.statuses.total() == 100


def test_a_single_report_that_always_answers_401_is_denied(an_operator: MakeOperator) -> None:
    ids = an_operator().sandbox.report_ids
    operator = an_operator(f"401@id={ids[3]}", tls=True)
    ran = operator.run("pause", operator.source(ids))
    assert (ran.code, ran.statuses) == (1, {"succeeded": 19, "denied": 1})
    assert ran.ids("denied") == {ids[3]}


def test_without_credentials_the_missing_ones_are_named_and_nothing_is_created(an_operator: MakeOperator) -> None:
    operator = an_operator()
    ran = operator.run("pause", operator.source(["x"]), env={"BULKPAUSE_TOKEN": ""})
    assert ran.code == 78
    assert "AZURE_CLIENT_SECRET" in ran.stderr
    assert ran.directory is None


def test_secrets_show_nowhere_however_loud_the_run(an_operator: MakeOperator) -> None:
    operator = an_operator("401*1@30%", "500*1@30%", "html*1@30%", tls=True)
    ran = operator.run(
        "pause", operator.source(operator.sandbox.report_ids), "-vv", "--log-format", "json"
    )  # the operator looks for the client secret and every token after each run
    assert ran.code == 0
    assert len(ran.stderr.splitlines()) >= 20
    another = an_operator(reports=1, tls=True)
    lost = another.run(
        "pause",
        another.source(another.sandbox.report_ids),
        "-vv",
        "--max-tries",
        "1",
        env={
            "BULKPAUSE_API__PROXY": "http://somebody:planted-password@localhost:9",
            "BULKPAUSE_TOKEN": another.sandbox.issue_token(),
        },
    )
    assert lost.code == 69
    assert "planted-password" not in lost.stdout + lost.stderr
    assert lost.directory is not None
    assert not any(b"planted-password" in file.read_bytes() for file in lost.directory.iterdir())
