"""Behind a gateway that ends TLS: each way it may be set up, and each certificate that must not be taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import MakeOperator
from tests.e2e.driving import Operator, Ran
from tests.e2e.tls_servers import NGINX, TlsServer, tls_server

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed here: nothing is known of a run behind it"),
]


def pause_all(operator: Operator, server: TlsServer, *arguments: str, **env: str) -> Ran:
    """Pause every report through the server."""
    way = ["--base-url", f"{server.origin}/insights/v1/mpn", "--ca-file", server.ca_file]
    source = operator.source(operator.sandbox.report_ids)
    return operator.run("pause", source, *way, *arguments, env=env, may_abandon=True)


def origin_of(operator: Operator) -> str:
    return operator.sandbox.base_url.removesuffix("/insights/v1/mpn")


@pytest.mark.parametrize(
    ("directives", "version", "most_on_one"),
    [
        pytest.param("ssl_protocols TLSv1.3;", "TLSv1.3", 1000, id="TLS 1.3 only"),
        pytest.param("ssl_protocols TLSv1.2;", "TLSv1.2", 1000, id="TLS 1.2 only"),
        pytest.param("keepalive_requests 10; ssl_protocols TLSv1.3;", "TLSv1.3", 10, id="closes after ten requests"),
        pytest.param("keepalive_timeout 0; ssl_protocols TLSv1.3;", "TLSv1.3", 1, id="closes after each reply"),
    ],
)
def test_every_report_is_paused_once_however_the_gateway_is_set_up(
    an_operator: MakeOperator, tmp_path: Path, directives: str, version: str, most_on_one: int
) -> None:
    operator = an_operator(reports=30)
    with tls_server(tmp_path / "nginx", origin_of(operator), directives=directives) as server:
        ran = pause_all(operator, server)
        seen = server.requests
    assert (ran.code, ran.statuses) == (0, {"succeeded": 30})
    assert len(ran.puts) == ran.summary["sent"] == 30
    assert {line[1] for line in seen} == {version}
    connections = [line[0] for line in seen]
    assert max(map(connections.count, connections)) <= most_on_one


@pytest.mark.parametrize("directives", ["ssl_protocols TLSv1.3;", "ssl_protocols TLSv1.2;"])
def test_a_gateway_that_wants_a_client_certificate_gets_it(
    an_operator: MakeOperator, tmp_path: Path, directives: str
) -> None:
    operator = an_operator()
    mtls = f"ssl_verify_client on; ssl_client_certificate {{folder}}/ca.pem; {directives}"
    with tls_server(tmp_path / "nginx", origin_of(operator), directives=mtls) as server:
        certificate = str(server.folder / "client.pem")
        ran = pause_all(operator, server, BULKPAUSE_API__CLIENT_CERTIFICATE_FILE=certificate)
        assert {line[2] for line in server.requests} == {"SUCCESS"}
    assert (ran.code, ran.statuses) == (0, {"succeeded": 20})


FLAWS = {
    "expired": "it has expired. Check this machine's clock",
    "not yet": "it is not valid yet. Check this machine's clock",
    "other host": "it is for another host. Check the host in api.base_url",
    "other authority": "it comes from an unknown authority. If a proxy or gateway of yours looks into TLS, give its CA",
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_certificate_that_must_not_be_taken_ends_the_run_after_one_attempt(
    an_operator: MakeOperator, tmp_path: Path, flaw: str
) -> None:
    operator = an_operator()
    with tls_server(tmp_path / "nginx", origin_of(operator), flaw=flaw) as server:
        ran = pause_all(operator, server, "-q")
        assert server.refusals == 1
    assert (ran.code, ran.statuses, ran.puts) == (69, {"skipped": 20}, ())
    (line,) = [line for line in ran.stderr.splitlines() if "certificate" in line]
    assert f"the certificate of localhost:{server.port} is refused: {FLAWS[flaw]}" in line


def test_of_the_puts_in_flight_each_may_meet_it_once(an_operator: MakeOperator, tmp_path: Path) -> None:
    operator = an_operator(reports=60)
    with tls_server(tmp_path / "nginx", origin_of(operator), flaw="expired") as server:
        ran = pause_all(operator, server, "-q", "--no-snapshot", "--concurrency", "4")
        assert 1 <= server.refusals <= 4
    assert (ran.code, ran.statuses, ran.summary["sent"]) == (69, {"skipped": 60}, 0)


@pytest.mark.parametrize("flaw", FLAWS)
def test_the_sign_in_judges_a_certificate_alike(an_operator: MakeOperator, tmp_path: Path, flaw: str) -> None:
    operator = an_operator(tls=True)
    with tls_server(tmp_path / "nginx", origin_of(operator), flaw=flaw) as server:
        source = operator.source(operator.sandbox.report_ids)
        env = {"AZURE_AUTHORITY_HOST": server.origin}
        ran = operator.run("pause", source, "-q", "--ca-file", server.ca_file, env=env)
        assert server.refusals == 1
    assert (ran.code, ran.statuses, ran.puts) == (69, {"skipped": 20}, ())
    (line,) = [line for line in ran.stderr.splitlines() if "certificate" in line]
    said = FLAWS[flaw].replace("api.base_url", "auth.authority")
    assert f"the certificate of localhost:{server.port} is refused: {said}" in line


def test_a_list_ends_at_once_too(an_operator: MakeOperator, tmp_path: Path) -> None:
    operator = an_operator()
    with tls_server(tmp_path / "nginx", origin_of(operator), flaw="expired") as server:
        way = ["--base-url", f"{server.origin}/insights/v1/mpn", "--ca-file", server.ca_file]
        ran = operator.run("list", *way)
        assert server.refusals == 1
    assert (ran.code, ran.stdout) == (69, "")
    assert "the list of reports: the certificate of localhost" in ran.stderr
