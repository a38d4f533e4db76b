"""Tokens: expired, revoked, refused, and what it takes to stop."""

from __future__ import annotations

import socket
from collections import Counter

import pytest

from tests.e2e import driving
from tests.e2e.conftest import MakeOperator

pytestmark = pytest.mark.end_to_end


def test_a_three_second_token_is_renewed_in_time_by_one_request_each(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True, reports=140, token_lifetime_s=3.0)
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), "--rate", "40/s")
    assert ran.code == 0
    assert all(put.status in {200, 401} for put in ran.puts)
    asked = [entry for entry in operator.sandbox.journal.entries if entry.operation == "token"]
    assert len(asked) == len({put.token for put in ran.puts}) == 1 + ran.summary["token_refreshes"]
    assert 2 <= len(asked) <= 3
    assert sum(put.status == 401 for put in ran.puts) <= 8


@pytest.mark.slow
def test_ninety_seconds_of_twenty_second_tokens_end_no_report_as_denied(
    an_operator: MakeOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driving, "PATIENCE_S", 150.0)
    operator = an_operator(tls=True, reports=1800, token_lifetime_s=20.0, latency="20ms..80ms")
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), "--rate", "20/s", "--no-snapshot")
    assert (ran.code, ran.statuses) == (0, {"succeeded": 1800})
    wall_s = ran.puts[-1].at_s - ran.puts[0].at_s
    assert wall_s >= 85
    asked = [entry for entry in operator.sandbox.journal.entries if entry.operation == "token"]
    assert len(asked) == len({put.token for put in ran.puts}) == 1 + ran.summary["token_refreshes"]
    assert wall_s // 20 <= len(asked) <= wall_s // 18 + 1
    resent = Counter(put.token for put in ran.puts if put.status == 401)
    assert all(count <= 8 for count in resent.values())
    assert ran.summary["sent"] == 1800 + resent.total()


def test_before_the_first_request_to_the_service_leaves_there_is_one_to_entra(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True, reports=3)
    assert operator.run("pause", operator.source(operator.sandbox.report_ids)).code == 0
    asked = [entry.operation for entry in operator.sandbox.journal.entries]
    assert asked == ["token", "list", "pause", "pause", "pause"]


def test_a_pod_of_aks_needs_no_secret(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True, reports=3)
    assertion = operator.sandbox.issue_assertion()
    (operator.home / "azure-identity-token").write_text(assertion, encoding="utf-8")
    aks = {"AZURE_CLIENT_SECRET": "", "AZURE_FEDERATED_TOKEN_FILE": "azure-identity-token"}
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), "-vv", env=aks)
    assert (ran.code, ran.statuses) == (0, {"succeeded": 3})
    assert operator.sandbox.assertions == (assertion,)
    assert assertion not in ran.stdout + ran.stderr
    assert ran.directory is not None
    assert not any(assertion.encode() in file.read_bytes() for file in ran.directory.iterdir())


def test_a_machine_that_has_no_identity_says_so_in_seconds(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True, reports=3)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    nowhere = {
        "BULKPAUSE_AUTH__FLOW": "managed_identity",
        "AZURE_POD_IDENTITY_AUTHORITY_HOST": f"http://127.0.0.1:{port}",
    }
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), "-q", env=nowhere)
    assert ran.code == 77
    (line,) = ran.stderr.splitlines()
    assert "no managed identity is to be had on this machine" in line
    assert "choose another auth.flow" in line
    assert ran.puts == ()


def test_a_list_that_an_app_alone_may_not_read_says_what_microsoft_documents(an_operator: MakeOperator) -> None:
    ran = an_operator("403@list", tls=True).run("list")
    assert ran.code == 77
    assert "Microsoft documents an app with a person" in ran.stderr


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
    assert "Microsoft documents an app with a person" in ran.summary["stopped_by"]["message"]


def test_an_app_alone_that_is_denied_everything_learns_what_microsoft_documents(an_operator: MakeOperator) -> None:
    operator = an_operator("403", tls=True, reports=3)
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids))
    assert ran.statuses == {"denied": 3}
    assert "this app alone was denied every change" in ran.stderr + ran.stdout
    assert "type `bulkpause login`" in ran.stderr + ran.stdout


@pytest.mark.parametrize("fault", ["claims", "claims:403"])
def test_a_claims_challenge_is_met_by_one_token_that_proves_them(an_operator: MakeOperator, fault: str) -> None:
    operator = an_operator(f"{fault}@pause,list", tls=True, reports=60, latency="20ms")
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids))
    assert (ran.code, ran.statuses) == (0, {"succeeded": 60})
    journal = operator.sandbox.journal.entries
    assert [entry.operation for entry in journal[:4]] == ["token", "list", "token", "list"]
    assert sum(entry.operation == "token" for entry in journal) == 2
    assert {put.status for put in ran.puts} == {200}


def test_a_challenge_that_a_ready_token_cannot_meet_ends_the_run(an_operator: MakeOperator) -> None:
    operator = an_operator("claims")
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids))
    assert ran.code == 77
    assert "no other one is to be had there" in ran.summary["stopped_by"]["message"]
    assert 1 <= len(ran.puts) <= 8


def test_a_missing_mfa_ends_the_run_at_once_with_the_remedy(an_operator: MakeOperator) -> None:
    operator = an_operator("mfa@n=30..900", tls=True, reports=100, latency="10ms")
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids))
    assert ran.code == 77
    assert "type `bulkpause login`" in ran.summary["stopped_by"]["message"]
    assert "900421" in ran.stdout + ran.stderr
    assert 1 <= sum(put.status == 401 for put in ran.puts) <= 8  # those in flight, and none after


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
