"""login, login --status and logout: what they say, what they keep, and what runs make of it."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bulkpause.cli.login import Method, method_for
from bulkpause.sandbox import Person, Sandbox
from tests.auth.browsing import browse
from tests.cli.calling import Cli, Keyboard, Said, Serve

ACCOUNT = "operator@contoso.example"
ServePerson = Callable[..., Sandbox]


@pytest.fixture
def serve_person(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> ServePerson:
    """Start a sandbox with a sign-in, and point the command line at its app; sign-ins go into a file."""

    def start(**person: Any) -> Sandbox:
        sandbox = serve(reports=2, tls=True, person=Person(**person))
        monkeypatch.delenv("BULKPAUSE_TOKEN")
        for name, value in {
            "BULKPAUSE_API__CA_FILE": str(sandbox.ca_file),
            "BULKPAUSE_AUTH__TOKEN_STORE": "file",
            "AZURE_AUTHORITY_HOST": sandbox.authority.removesuffix(f"/{sandbox.tenant_id}"),
            "AZURE_TENANT_ID": sandbox.tenant_id,
            "AZURE_CLIENT_ID": sandbox.client_id,
            "AZURE_CLIENT_SECRET": sandbox.client_secret,
        }.items():
            monkeypatch.setenv(name, value)
        return sandbox

    return start


def kept(folder: Path, sandbox: Sandbox) -> list[Path]:
    """Every file below `folder` that holds a refresh token."""
    tokens = [token.encode() for token in sandbox.people._refresh]
    files = [file for file in folder.rglob("*") if file.is_file()]
    return [file for file in files if any(token in file.read_bytes() for token in tokens)]


def check_says_no_secret(said: Said, sandbox: Sandbox) -> None:
    assert not any(token in said.out + said.err for token in sandbox.people._refresh)
    assert sandbox.client_secret not in said.out + said.err


def test_status_tells_all_but_secrets_and_logout_forgets(cli: Cli, serve_person: ServePerson) -> None:
    sandbox = serve_person()
    said = cli("login", "--status")
    assert (said.code, said.out) == (77, "")
    assert said.err == "bulkpause: nobody is signed in for this tenant and app. Type `bulkpause login`.\n"
    said = cli("login", "--device-code")
    assert said.code == 0
    assert said.out.startswith(f"Signed in as {ACCOUNT} for tenant {sandbox.tenant_id}, app {sandbox.client_id}.\n")
    check_says_no_secret(said, sandbox)

    said = cli("login", "--status")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"{ACCOUNT} (of these settings)\n  tenant {sandbox.tenant_id}, app ")
    assert "kept in a file, not encrypted" in said.out
    said = cli("login", "--status", "--json")
    (listed,) = said.document["sign_ins"]
    assert (listed["account"], listed["kept_in"], listed["client"], listed["is_current"]) == (
        ACCOUNT, "file", "public", True,
    )  # fmt: skip
    check_says_no_secret(said, sandbox)
    said = cli("login", "--status", env={"AZURE_TENANT_ID": "elsewhere.example"})
    assert (said.code, said.out.startswith(f"{ACCOUNT}\n")) == (77, True)

    requests = len(sandbox.journal.entries)
    said = cli("logout")
    assert said.code == 0
    assert f"Removed the sign-in of {ACCOUNT}" in said.out
    assert "https://mysignins.microsoft.com" in said.out
    assert kept(cli.folder, sandbox) == []
    said = cli("logout")
    assert (said.code, "nothing to remove" in said.out) == (0, True)
    assert len(sandbox.journal.entries) == requests


def test_without_tenant_and_app_status_says_so(cli: Cli) -> None:
    said = cli("login", "--status")
    assert said.code == 77
    assert "as long as AZURE_TENANT_ID and AZURE_CLIENT_ID are not set" in said.err
    assert cli("login", "--status", "--json").document == {"sign_ins": []}


@pytest.mark.parametrize(
    ("person", "text"),
    [
        ({"answer": "declines"}, "bulkpause: the sign-in was declined in the browser"),
        ({"device_code_life_s": 0}, "bulkpause: nobody signed in with the code while it was good"),
    ],
)
def test_declined_or_too_late_is_one_line_and_keeps_nothing(
    cli: Cli, serve_person: ServePerson, person: dict[str, Any], text: str
) -> None:
    serve_person(**person)
    said = cli("login", "--device-code")
    assert (said.code, said.out) == (77, "")
    assert said.err.splitlines()[-1].startswith(text)
    assert cli("login", "--status").code == 77


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--no-input"], "--no-input forbids to ask one"),
        (["--json"], "--json belongs to --status"),
        (["--browser", "--device-code"], "choose one"),
    ],
)
def test_what_cannot_be_is_refused(cli: Cli, arguments: list[str], text: str) -> None:
    said = cli("login", *arguments)
    assert (said.code, text in said.err) == (2, True)


@pytest.mark.parametrize("arguments", [["login", "--device-code"], ["logout"]])
def test_without_tenant_and_app_they_are_named(cli: Cli, arguments: list[str]) -> None:
    said = cli(*arguments)
    assert said.code == 78
    assert "set AZURE_TENANT_ID (auth.tenant_id) and AZURE_CLIENT_ID (auth.client_id)" in said.err


def test_a_refused_sign_in_ends_the_run_with_what_to_type(cli: Cli, serve_person: ServePerson) -> None:
    sandbox = serve_person()
    cli("login", "--device-code")
    sandbox.people.refusal = 50078
    said = cli("pause", cli.source(sandbox.report_ids))
    assert (said.code, sandbox.journal.puts) == (77, ())
    assert "AADSTS50078" in said.err
    assert "`bulkpause login`" in said.err
    said = cli("login", "--status")
    assert (said.code, "refused by Entra" in said.out) == (77, True)
    sandbox.people.refusal = None
    cli("login", "--device-code")
    assert cli("login", "--status").code == 0


def test_a_seed_from_the_environment_needs_no_login(cli: Cli, serve_person: ServePerson) -> None:
    sandbox = serve_person(revokes_used=True)
    environ = {"BULKPAUSE_AUTH__REFRESH_TOKEN": sandbox.issue_refresh_token()}
    for verb, is_new in (("pause", True), ("resume", False)):
        said = cli(verb, cli.source(sandbox.report_ids), env=environ)
        assert (said.code, "UNENCRYPTED" in said.err) == (0, is_new)
        check_says_no_secret(said, sandbox)
    assert len(set(sandbox.people.used)) == 2
    assert len(kept(cli.folder, sandbox)) == 1
    said = cli("logout", env=environ)
    assert "auth.refresh_token is still given" in said.out


def test_a_login_is_newer_than_the_seed_that_is_still_in_the_environment(cli: Cli, serve_person: ServePerson) -> None:
    sandbox = serve_person()
    seed = sandbox.issue_refresh_token()
    environ = {"BULKPAUSE_AUTH__REFRESH_TOKEN": seed}
    cli("login", "--device-code", env=environ)
    assert cli("pause", cli.source(sandbox.report_ids), env=environ).code == 0
    assert seed not in sandbox.people.used


def test_a_run_that_wants_a_sign_in_says_that_there_is_none_before_it_makes_anything(
    cli: Cli, serve_person: ServePerson
) -> None:
    sandbox = serve_person()
    said = cli("pause", cli.source(sandbox.report_ids), env={"BULKPAUSE_AUTH__FLOW": "refresh_token"})
    assert (said.code, cli.runs) == (77, [])
    assert said.err == "bulkpause: nobody is signed in for this tenant and app: type `bulkpause login`.\n"


@pytest.mark.parametrize("verb", ["pause", "list"])
def test_a_device_code_is_refused_where_nobody_sees_it(cli: Cli, serve_person: ServePerson, verb: str) -> None:
    sandbox = serve_person()
    source = [cli.source(sandbox.report_ids)] if verb == "pause" else []
    said = cli(verb, *source, env={"BULKPAUSE_AUTH__FLOW": "device_code"})
    assert (said.code, cli.runs) == (78, [])
    assert "there is no terminal to ask on. For unattended runs, type `bulkpause login` once" in said.err


def test_a_device_code_is_refused_where_asking_is_forbidden(
    cli: Cli, serve_person: ServePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = serve_person()
    screen = Keyboard()
    monkeypatch.setattr(sys, "stderr", screen)
    said = cli("pause", cli.source(sandbox.report_ids), "--no-input", env={"BULKPAUSE_AUTH__FLOW": "device_code"})
    assert (said.code, cli.runs) == (78, [])
    assert "--no-input forbids that" in screen.getvalue()


def flow_shown(cli: Cli) -> str:
    return next(line for line in cli("config", "show").out.splitlines() if line.startswith("auth.flow"))


def test_config_show_names_the_flow_and_whose_sign_in_it_is(cli: Cli, serve_person: ServePerson) -> None:
    assert "not set" in flow_shown(cli)
    serve_person()
    assert "client_secret" in flow_shown(cli)
    assert "default, by what is given" in flow_shown(cli)
    cli("login", "--device-code")
    assert "refresh_token" in flow_shown(cli)
    assert f"default, by the sign-in of {ACCOUNT}" in flow_shown(cli)


def test_a_sign_in_that_runs_do_not_use_is_said(cli: Cli, serve_person: ServePerson) -> None:
    serve_person()
    said = cli("login", "--device-code", env={"BULKPAUSE_AUTH__FLOW": "client_secret"})
    assert said.code == 0
    assert "sign in by client_secret all the same. To use this sign-in, set auth.flow to refresh_token" in said.err


def test_a_sign_in_for_the_other_family_has_to_be_asked_for(cli: Cli, serve_person: ServePerson) -> None:
    serve_person()
    environ = {"BULKPAUSE_API__FAMILY": "cmp"}
    assert "To use this sign-in, set auth.flow to refresh_token" in cli("login", "--device-code", env=environ).err


def test_a_store_that_does_not_work_is_told_before_anybody_is_asked(cli: Cli, serve_person: ServePerson) -> None:
    sandbox = serve_person()
    (cli.folder / "state").touch()
    said = cli("login", "--device-code")
    assert said.code == 77
    assert "where sign-ins are kept, cannot be made" in said.err
    assert sandbox.journal.entries == ()


@pytest.mark.parametrize(("name", "text"), [("json", "is no sign-in of bulkpause"), ("lock", "cannot be written")])
def test_what_would_keep_a_sign_in_from_being_kept_is_told_before_anybody_is_asked(
    cli: Cli, serve_person: ServePerson, name: str, text: str
) -> None:
    sandbox = serve_person()
    assert cli("login", "--device-code").code == 0
    before = len(sandbox.journal.entries)
    (file,) = (cli.folder / "state").rglob(f"*.{name}")
    file.unlink()
    file.mkdir() if name == "lock" else file.touch(mode=0o600)
    said = cli("login", "--device-code")
    assert said.code == 77
    assert text in said.err
    assert len(sandbox.journal.entries) == before


@pytest.mark.parametrize("is_reference", [False, True])
def test_a_browser_opens_the_page_where_there_is_a_desktop(
    cli: Cli, serve_person: ServePerson, monkeypatch: pytest.MonkeyPatch, is_reference: bool
) -> None:
    sandbox = serve_person()
    reference: list[str] = []
    if is_reference:
        monkeypatch.delenv("AZURE_CLIENT_SECRET")
        monkeypatch.setenv("OURS", sandbox.client_secret)
        reference = ["--secret", "auth.client_secret=env:OURS"]
    opened: list[str] = []
    inherited: dict[str, str] = {}

    def browse_later(url: str) -> bool:
        opened.append(url)
        inherited.update(os.environ)
        threading.Thread(target=browse, args=(url,), kwargs={"ca_file": sandbox.ca_file}).start()
        return True

    monkeypatch.setattr("webbrowser.open", browse_later)
    monkeypatch.setattr("bulkpause.cli.login._fitting", lambda: "browser")
    said = cli("login", *reference)
    assert said.code == 0
    check_says_no_secret(said, sandbox)
    assert "Signing in with the browser of this machine; for one elsewhere, use --device-code." in said.err
    assert opened[0] in said.err
    assert sandbox.client_secret not in inherited.values()
    assert sandbox.client_secret in os.environ.values()
    assert cli("login", "--status", "--json").document["sign_ins"][0]["client"] == "confidential"


@pytest.mark.parametrize(
    ("platform", "environ", "is_terminal", "method"),
    [
        ("linux", {"DISPLAY": ":0"}, True, "browser"),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True, "browser"),
        ("linux", {"DISPLAY": ":10", "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, True, "device code"),
        ("linux", {}, True, "device code"),
        ("linux", {"DISPLAY": ":0"}, False, "device code"),
        ("win32", {}, True, "browser"),
        ("darwin", {}, True, "browser"),
        ("darwin", {"SSH_TTY": "/dev/ttys1"}, True, "device code"),
    ],
)
def test_the_method_that_fits(platform: str, environ: dict[str, str], is_terminal: bool, method: Method) -> None:
    assert method_for(platform=platform, environ=environ, is_terminal=is_terminal) == method


def test_a_browser_that_does_not_open_is_said(
    cli: Cli, serve_person: ServePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(url: str) -> bool:
        raise webbrowser.Error("could not locate runnable browser")

    serve_person()
    monkeypatch.setattr("webbrowser.open", fail)
    monkeypatch.setattr("bulkpause.cli.login._fitting", lambda: "browser")
    monkeypatch.setattr("bulkpause.auth.browser.Receiver.wait", lambda _self, _patience_s: None)
    said = cli("login")
    assert said.code == 77
    assert "No browser could be opened: could not locate runnable browser." in said.err


def test_a_browser_sees_no_secret(cli: Cli, serve_person: ServePerson, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = serve_person()
    seen: list[dict[str, str]] = []

    def look(_url: str) -> bool:
        seen.append(dict(os.environ))
        return True

    monkeypatch.setattr("webbrowser.open", look)
    monkeypatch.setattr("bulkpause.cli.login._fitting", lambda: "browser")
    monkeypatch.setattr("bulkpause.auth.browser.Receiver.wait", lambda _self, _patience_s: None)
    before = dict(os.environ)
    assert cli("login").code == 77
    assert os.environ == before
    (environ,) = seen
    assert environ["AZURE_CLIENT_ID"] == sandbox.client_id
    assert sandbox.client_secret not in environ.values()


def test_without_a_refresh_token_there_is_nothing_to_keep(
    cli: Cli, serve_person: ServePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = serve_person()
    monkeypatch.setattr(type(sandbox.people), "issue_refresh", lambda _self, **_: "")
    said = cli("login", "--device-code")
    assert (said.code, "Entra gave no refresh token" in said.err) == (77, True)


def test_doctor_looks_at_the_stored_sign_in(cli: Cli, serve_person: ServePerson) -> None:
    sandbox = serve_person()
    cli("login", "--device-code")
    said = cli("doctor", "--json")
    told = said.out
    assert f"since {ACCOUNT} is signed in" in told
    assert len(sandbox.people.used) == 1
    check_says_no_secret(said, sandbox)
