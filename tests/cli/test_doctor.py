"""`bulkpause doctor`: every way it can come out, what it prints, and what it never does."""

from __future__ import annotations

import json
import os
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import trustme

from bulkpause.doctor.checks import Name
from bulkpause.sandbox import Sandbox, parse_rate_limit
from tests.cli.calling import Cli, Keyboard, Said, Serve, operations
from tests.jwt import jwt

SCHEMA = json.loads((files("bulkpause.doctor") / "schema.json").read_text(encoding="utf-8"))
PERSON = "ann@contoso.example"


def examined(said: Said) -> dict[str, dict[str, Any]]:
    """The checks of the document by their names; it is as the schema has it, and agrees with the exit code."""
    jsonschema.validate(said.document, SCHEMA)
    assert said.document["exit_code"] == said.code
    assert said.document["ready"] is (said.code == 0)
    checks = {check["name"]: check for check in said.document["checks"]}
    assert list(checks) == [name.value for name in Name]
    return checks


def grades(said: Said) -> dict[str, str]:
    """How each check came out, those that are ok left out."""
    return {name: check["grade"] for name, check in examined(said).items() if check["grade"] != "ok"}


def test_a_healthy_machine_is_ready_and_nothing_is_changed(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    said = cli("doctor")
    assert said.code == 0
    assert said.out.endswith("\n\nReady.\n")
    assert "  ok       Service        lets us in (404: " in said.out
    assert "bulkpause: looking at: Service\n" in said.err
    assert operations(sandbox) == {"list": 2, None: 1}  # and one HEAD
    assert not Path("runs").exists()
    assert cli("doctor", "--progress", "none").err == ""


def test_the_embedded_sandbox_is_examined_over_tls_with_a_real_sign_in(cli: Cli) -> None:
    said = cli("doctor", "--sandbox", "--json")
    checks = examined(said)
    assert grades(said) == {}
    assert checks["tls"]["facts"]["hosts"][1]["purpose"] == "sign-in"
    assert checks["token"]["facts"]["roles"] == ["ExecutiveReportViewer"]
    assert checks["configuration"]["facts"]["why"] == "since the sandbox brings its own app"
    assert cli("doctor", "--sandbox", "--ca-file", "x").code == 2


def test_credentials_that_are_missing_are_the_first_obstacle_and_the_rest_is_looked_at(cli: Cli, serve: Serve) -> None:
    serve()
    said = cli("doctor", "--json", env={"BULKPAUSE_TOKEN": ""})
    assert said.code == 78
    skipped = dict.fromkeys(("token", "service", "mfa"), "skipped")
    assert grades(said) == {"configuration": "failed", **skipped}
    assert "AZURE_TENANT_ID" in examined(said)["configuration"]["said"]


@pytest.mark.parametrize("arguments", [["--profile", "none"], ["--config", "none.toml"]])
def test_settings_that_cannot_be_read_are_a_failed_check_and_the_machine_is_looked_at(
    cli: Cli, arguments: list[str]
) -> None:
    said = cli("doctor", "--json", "--runs-dir", "elsewhere", *arguments)
    assert said.code == 78
    checks = examined(said)
    assert checks["configuration"]["grade"] == "failed"
    assert checks["run_directory"]["facts"]["path"] == "elsewhere"
    assert checks["open_files"]["grade"] == "ok"
    assert checks["dns"]["facts"] == {"because": "configuration"}


def test_a_wrong_setting_is_named_with_its_origin(cli: Cli) -> None:
    said = cli("doctor", env={"BULKPAUSE_RUN__RATE": "fast"})
    assert said.code == 78
    assert "FAILED   Configuration  run.rate = 'fast' (environment BULKPAUSE_RUN__RATE): must be" in said.out


def test_a_run_directory_that_cannot_be_is_an_obstacle_of_its_own(cli: Cli, serve: Serve) -> None:
    serve()
    Path("file").touch()
    said = cli("doctor", "--json", "--runs-dir", "file/runs")
    assert (said.code, grades(said)) == (73, {"run_directory": "failed"})
    assert "--runs-dir" in examined(said)["run_directory"]["remedy"]


def test_a_file_that_is_not_there_is_configuration(cli: Cli, serve: Serve) -> None:
    serve()
    said = cli("doctor", "--json", env={"BULKPAUSE_TOKEN": "", "BULKPAUSE_AUTH__TOKEN_FILE": "none"})
    assert said.code == 78
    assert grades(said) == {"files": "failed", **dict.fromkeys(("token", "service", "mfa"), "skipped")}
    lost = cli("doctor", "--json", "--ca-file", "none.pem")
    assert lost.code == 78
    assert list(grades(lost)) == ["files", "proxy", "tls", "clock", "token", "service", "mfa"]


@pytest.mark.parametrize(
    ("fault", "code", "grade", "words", "remedy"),
    [
        ("401@list", 77, "failed", "answers 401", "get a new token"),
        ("403@list", 77, "failed", "answers 403", "Executive Report Viewer"),
        ("429:7@list", 0, "warning", "answers 429", "wait for 7 s"),
        ("500@list", 69, "failed", "answers 500", "service's own trouble"),
        ("503@list", 69, "failed", "answers 503", "service's own trouble"),
        ("html@list", 69, "failed", "answers 200: no list", "proxy or gateway"),
        ("drop@list", 69, "failed", "connection", "try again"),
    ],
)
def test_what_the_service_answers_has_a_verdict_and_a_remedy(
    cli: Cli, serve: Serve, fault: str, code: int, grade: str, words: str, remedy: str
) -> None:
    serve(fault)
    said = cli("doctor", "--json")
    check = examined(said)["service"]
    assert (said.code, check["grade"]) == (code, grade)
    assert words in check["said"]
    assert remedy in check["remedy"]


def test_a_service_that_refuses_for_haste_is_asked_once(cli: Cli, serve: Serve) -> None:
    sandbox = serve("429:7@list")
    cli("doctor")
    assert operations(sandbox)["list"] == 1


def test_a_service_that_hangs_is_given_up_in_time(cli: Cli, serve: Serve) -> None:
    serve("hang@list")
    said = cli("doctor", "--json", env={"BULKPAUSE_API__TIMEOUT_S": "0.3"})
    assert (said.code, grades(said)) == (69, {"service": "failed"})
    assert examined(said)["service"]["said"] == "no reply within 0.3 s (api.timeout_s)"


def test_another_path_than_the_apis_is_asked_about(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    said = cli("doctor", "--json", "--base-url", f"{sandbox.base_url}/no")
    assert said.code == 69
    assert "is api.base_url right" in examined(said)["service"]["remedy"]


@pytest.mark.parametrize(
    ("url", "name", "words"),
    [
        ("https://nowhere.invalid/v1", "dns", "nowhere.invalid (API): its name cannot be resolved"),
        ("https://127.0.0.1:1/v1", "tls", "127.0.0.1:1 (API): cannot connect: Connection refused"),
    ],
)
def test_a_service_that_cannot_be_reached(cli: Cli, url: str, name: str, words: str) -> None:
    said = cli("doctor", "--json", "--base-url", url, env={"BULKPAUSE_TOKEN": "opaque-token"})
    check = examined(said)[name]
    assert (said.code, check["grade"]) == (69, "failed")
    assert check["said"].startswith(words)
    assert examined(said)["service"]["facts"] in ({"because": "dns"}, {"because": "tls"})


def test_an_unknown_authority_names_the_option_that_helps(cli: Cli, serve: Serve) -> None:
    sandbox = serve(tls=True)
    said = cli("doctor", "--json", "--base-url", sandbox.base_url)
    assert (said.code, grades(said)["tls"]) == (69, "failed")
    assert "--ca-file FILE" in examined(said)["tls"]["remedy"]
    trusted = cli("doctor", "--json", "--base-url", sandbox.base_url, "--ca-file", str(sandbox.ca_file))
    assert (trusted.code, grades(trusted)) == (0, {})
    Path("other.pem").write_bytes(trustme.CA().cert_pem.bytes())
    assert cli("doctor", "--base-url", sandbox.base_url, "--ca-file", "other.pem").code == 69


def test_a_proxy_that_is_not_there_is_told_without_its_password(cli: Cli) -> None:
    env = {"BULKPAUSE_API__PROXY": "http://joe:planted-pw@127.0.0.1:1", "BULKPAUSE_TOKEN": "opaque-token"}
    said = cli("doctor", "--json", "--base-url", "https://partner.invalid/v1", env=env)
    assert (said.code, grades(said)["proxy"]) == (69, "failed")
    check = examined(said)["proxy"]
    assert check["said"].startswith(
        "http://****@127.0.0.1:1 (API, by environment BULKPAUSE_API__PROXY): cannot connect"
    )
    assert examined(said)["dns"]["facts"]["hosts"][0]["by_proxy"] is True
    assert "planted-pw" not in said.out + said.err


@pytest.mark.parametrize(("skew_s", "code", "grade"), [(-20, 0, None), (40, 0, "warning"), (-700, 78, "failed")])
def test_a_clock_that_is_out_is_told_by_the_services(
    cli: Cli, serve: Serve, skew_s: float, code: int, grade: str | None
) -> None:
    serve(clock_skew_s=skew_s)
    said = cli("doctor", "--json")
    assert (said.code, grades(said).get("clock")) == (code, grade)
    assert examined(said)["clock"]["facts"]["skew_s"] == pytest.approx(-skew_s, abs=2)


@pytest.mark.parametrize(
    ("claims", "grade", "compliant"),
    [
        ({"appid": "app"}, "ok", None),
        ({"upn": PERSON, "scp": "user_impersonation", "amr": ["pwd", "mfa"]}, "ok", True),
        ({"upn": PERSON, "scp": "user_impersonation", "amr": ["pwd"]}, "warning", False),
    ],
)
def test_the_service_says_whether_a_persons_sign_in_had_mfa(
    cli: Cli, serve: Serve, claims: dict[str, Any], grade: str, compliant: bool | None
) -> None:
    token = jwt(claims)
    serve().accept_token(token)
    said = cli("doctor", "--json", env={"BULKPAUSE_TOKEN": token})
    assert (said.code, examined(said)["mfa"]["grade"]) == (0, grade)
    assert examined(said)["mfa"]["facts"]["compliant"] is compliant
    assert examined(said)["token"]["facts"]["person"] == claims.get("upn")


def test_a_token_that_cannot_be_read_is_used_as_it_is_and_not_shown(cli: Cli, serve: Serve) -> None:
    serve().accept_token("opaque~planted")
    said = cli("doctor", env={"BULKPAUSE_TOKEN": "opaque~planted"})
    assert said.code == 0
    assert "it cannot be read from outside" in said.out
    assert "planted" not in said.out + said.err


def test_rate_headers_are_told_in_words(cli: Cli, serve: Serve) -> None:
    serve(rate_limit=parse_rate_limit("10/60s:headers"))
    said = cli("doctor")
    assert "8 of 10 requests left in its present window (X-RateLimit)" in said.out


def wrong_secret(sandbox: Sandbox) -> dict[str, str]:
    """An app of the sandbox whose secret is not its own."""
    return {
        "BULKPAUSE_TOKEN": "",
        "BULKPAUSE_API__CA_FILE": str(sandbox.ca_file),
        "AZURE_AUTHORITY_HOST": sandbox.authority.rpartition("/")[0],
        "AZURE_TENANT_ID": sandbox.tenant_id,
        "AZURE_CLIENT_ID": sandbox.client_id,
        "AZURE_CLIENT_SECRET": "planted~secret",
    }


def test_a_wrong_secret_is_not_authorised_and_shows_nowhere(cli: Cli, serve: Serve) -> None:
    sandbox = serve(tls=True)
    said = cli("doctor", env=wrong_secret(sandbox))
    assert said.code == 77
    assert "FAILED   Token          sign-in refused" in said.out
    assert "AADSTS7000215" in said.out
    assert "planted" not in said.out + said.err
    away = serve("503@token", tls=True)
    assert cli("doctor", env=wrong_secret(away)).code == 69


def test_no_token_shows_however_it_is_looked_at(cli: Cli, serve: Serve) -> None:
    sandbox = serve("403@list")
    token = sandbox.issue_token(upn=PERSON)
    for arguments in ([], ["--json"]):
        said = cli("doctor", *arguments, env={"BULKPAUSE_TOKEN": token})
        assert not any(part in said.out + said.err for part in token.split("."))


def test_what_a_server_says_cannot_paint_the_screen(cli: Cli, serve: Serve) -> None:
    said = cli("doctor", "--base-url", "https://127.0.0.1:1/\x1b[31m", env={"BULKPAUSE_TOKEN": "x" * 8})
    assert "\x1b" not in said.out + said.err
    sandbox = serve()
    evil = cli("doctor", env={"BULKPAUSE_TOKEN": sandbox.issue_token(upn="ann\x1b[2J\u202e@x")})
    assert "\x1b" not in evil.out
    assert "\u202e" not in evil.out
    assert "ann\\x1b[2J\\u202e@x" in evil.out


def test_on_a_terminal_it_is_painted_and_wrapped_unless_that_is_not_wanted(
    cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve("403@list")
    monkeypatch.setenv("COLUMNS", "80")
    for name, is_painted in (("NO_COLOR", False), ("COLORTERM", True)):
        seen = Keyboard()
        with monkeypatch.context() as patch:
            patch.setenv(name, "1")
            patch.setattr(sys, "stdout", seen)
            assert cli("doctor").code == 77
        text = seen.getvalue()
        assert ("\x1b[" in text) is is_painted
        if not is_painted:
            assert max(map(len, text.splitlines())) < 80
            assert "\n                          -> ask an administrator of the partner tenant for a" in text
    assert os.environ["COLUMNS"] == "80"


def test_a_secret_by_reference_is_fetched_and_not_shown(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    file = Path("token")
    file.write_text(sandbox.issue_token())
    file.chmod(0o600)
    said = cli("doctor", "--secret", "auth.token=file:token", env={"BULKPAUSE_TOKEN": ""})
    assert said.code == 0
    assert file.read_text().split(".")[1] not in said.out + said.err


def test_a_reference_that_leads_nowhere_is_configuration(cli: Cli, serve: Serve) -> None:
    serve()
    said = cli("doctor", "--json", "--secret", "auth.token=file:none", env={"BULKPAUSE_TOKEN": ""})
    assert said.code == 78
    assert grades(said)["configuration"] == "failed"
    assert "none" in examined(said)["configuration"]["said"]
    assert examined(said)["tls"]["grade"] == "ok"
    assert examined(said)["token"]["facts"] == {"because": "configuration"}
    hidden = cli("doctor", "--json", "--secret", "api.proxy=file:none")
    assert (hidden.code, examined(hidden)["tls"]["facts"]) == (78, {"because": "configuration"})


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_a_secret_in_a_file_that_everybody_can_read_is_refused_with_what_to_type(cli: Cli, serve: Serve) -> None:
    sandbox = serve()
    file = Path("token")
    file.write_text(sandbox.issue_token())
    file.chmod(0o644)
    said = cli("doctor", "--json", env={"BULKPAUSE_TOKEN": "", "BULKPAUSE_AUTH__TOKEN_FILE": "token"})
    assert said.code == 78
    skipped = dict.fromkeys(("token", "service", "mfa"), "skipped")
    assert grades(said) == {"configuration": "failed", "files": "warning", **skipped}
    assert "chmod 600" in examined(said)["configuration"]["said"]
    assert "chmod 600" in examined(said)["files"]["remedy"]


def test_nobody_is_signed_in_and_login_is_what_to_type(cli: Cli, serve: Serve) -> None:
    serve()
    env = {
        "BULKPAUSE_TOKEN": "",
        "BULKPAUSE_AUTH__FLOW": "refresh_token",
        "AZURE_TENANT_ID": "contoso.example",
        "AZURE_CLIENT_ID": "app",
        "XDG_DATA_HOME": str(Path.cwd()),
        "XDG_STATE_HOME": str(Path.cwd()),
    }
    said = cli("doctor", "--json", env=env)
    assert (said.code, grades(said)) == (77, {"token": "failed", "service": "skipped", "mfa": "skipped"})
    assert "bulkpause login" in examined(said)["token"]["said"]


@pytest.mark.skipif(sys.platform == "win32", reason="makes a named pipe")
def test_a_secret_that_never_comes_is_a_failed_check_in_time(
    cli: Cli, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve()
    os.mkfifo("pipe", 0o600)
    monkeypatch.setattr("bulkpause.cli.doctor.SECRETS_TIMEOUT_S", 0.05)
    said = cli("doctor", "--secret", "auth.refresh_token=file:pipe")
    assert said.code == 78
    assert "a secret that the settings refer to does not come within 0.05 s" in said.out
    os.close(os.open("pipe", os.O_WRONLY | os.O_NONBLOCK))  # lets the thread go
