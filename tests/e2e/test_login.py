"""Signing in as a person once, and running unattended from then on."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bulkpause.sandbox import Person
from tests.auth.browsing import browse
from tests.e2e.conftest import MakeOperator
from tests.e2e.driving import Operator, Ran

pytestmark = pytest.mark.end_to_end

NO_KEYRING = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
PUBLIC = {**NO_KEYRING, "AZURE_CLIENT_SECRET": ""}
ACCOUNT = "operator@contoso.example"


def login(operator: Operator, *arguments: str, env: dict[str, str] | None = None) -> Ran:
    """Sign in, by device code unless it is said otherwise."""
    return operator.run("login", *operator.target(), *(arguments or ("--device-code",)), env=NO_KEYRING | (env or {}))


def secrets_on_disk(operator: Operator) -> list[Path]:
    """Every file below the home that holds a refresh token."""
    tokens = [token.encode() for token in operator.sandbox.people._refresh]
    files = [file for file in operator.home.rglob("*") if file.is_file()]
    return [file for file in files if any(token in file.read_bytes() for token in tokens)]


def check_no_refresh_token(operator: Operator, ran: Ran) -> None:
    assert not any(token in ran.stdout + ran.stderr for token in operator.sandbox.people._refresh)


def test_a_person_signs_in_once_by_code_and_runs_go_on_with_that(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True, reports=3, person=Person(pending_polls=1, revokes_used=True))
    ran = login(operator)
    assert ran.code == 0
    assert ran.stdout.startswith(f"Signed in as {ACCOUNT} for tenant {operator.sandbox.tenant_id}, app ")
    assert "After 90 days without one" in ran.stdout
    assert "enter the code" in ran.stderr
    assert "UNENCRYPTED" in ran.stderr
    check_no_refresh_token(operator, ran)
    source = operator.source(operator.sandbox.report_ids)
    for verb in ("pause", "resume"):
        ran = operator.run(verb, source, "-v", env=NO_KEYRING)
        assert (ran.code, ran.statuses) == (0, {"succeeded": 3})
        assert "flow=refresh_token" in ran.stderr
        assert "UNENCRYPTED" not in ran.stderr
        check_no_refresh_token(operator, ran)
    assert len(set(operator.sandbox.people.used)) == 2
    (file,) = secrets_on_disk(operator)
    assert file.suffix == ".secret"


@pytest.mark.parametrize("environ", [NO_KEYRING, PUBLIC])
def test_a_person_signs_in_by_browser(an_operator: MakeOperator, environ: dict[str, str]) -> None:
    operator = an_operator(tls=True, reports=1)
    running = operator.start("login", "--browser", *operator.target(), env=environ)
    while not (url := re.search(r"https://localhost\S+/authorize\?\S+", running.read_line())):
        pass
    assert browse(url[0], ca_file=operator.sandbox.ca_file).status_code == 200
    ran = running.end()
    assert ran.code == 0
    assert ran.stdout.startswith(f"Signed in as {ACCOUNT}")
    assert operator.run("pause", operator.source(operator.sandbox.report_ids), env=environ).code == 0
    assert len(operator.sandbox.people.used) == 1


def test_status_tells_all_but_secrets_and_logout_forgets(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True)
    ran = operator.run("login", "--status", env=NO_KEYRING)
    assert (ran.code, ran.stdout) == (77, "")
    assert "nobody is signed in for this tenant and app. Type `bulkpause login`" in ran.stderr
    login(operator)
    ran = operator.run("login", "--status", env=NO_KEYRING)
    assert (ran.code, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"{ACCOUNT} (of these settings)\n  tenant {operator.sandbox.tenant_id}, app ")
    assert "kept in a file, not encrypted" in ran.stdout
    ran = operator.run("login", "--status", "--json", env=NO_KEYRING)
    (listed,) = json.loads(ran.stdout)["sign_ins"]
    assert (listed["account"], listed["kept_in"], listed["is_current"]) == (ACCOUNT, "file", True)
    check_no_refresh_token(operator, ran)
    elsewhere = {**NO_KEYRING, "AZURE_TENANT_ID": "elsewhere.example"}
    ran = operator.run("login", "--status", env=elsewhere)
    assert (ran.code, ACCOUNT in ran.stdout) == (77, True)

    requests = len(operator.sandbox.journal.entries)
    ran = operator.run("logout", env=NO_KEYRING)
    assert ran.code == 0
    assert f"Removed the sign-in of {ACCOUNT}" in ran.stdout
    assert "https://mysignins.microsoft.com" in ran.stdout
    assert secrets_on_disk(operator) == []
    ran = operator.run("logout", env=NO_KEYRING)
    assert (ran.code, "nothing to remove" in ran.stdout) == (0, True)
    assert len(operator.sandbox.journal.entries) == requests


@pytest.mark.parametrize(
    ("person", "text"),
    [
        (Person(answer="declines"), "bulkpause: the sign-in was declined in the browser"),
        (Person(device_code_life_s=0), "bulkpause: nobody signed in with the code while it was good"),
    ],
)
def test_declined_or_too_late_is_one_line_and_keeps_nothing(
    an_operator: MakeOperator, person: Person, text: str
) -> None:
    operator = an_operator(tls=True, person=person)
    ran = login(operator)
    assert (ran.code, ran.stdout) == (77, "")
    assert ran.stderr.splitlines()[-1].startswith(text)
    assert operator.run("login", "--status", env=NO_KEYRING).code == 77


def test_ctrl_c_gives_up_at_once(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True, person=Person(answer="waits", poll_interval_s=5))
    terminal = operator.at_terminal("login", *operator.target(), env=NO_KEYRING)
    terminal.expect("Signing in with a code, since no desktop is at hand")
    terminal.expect("Ctrl-C gives up.")
    terminal.interrupt()
    ran = terminal.end()
    assert ran.code == 130
    assert ran.stdout.splitlines()[-1].endswith("bulkpause: interrupted.")


def test_ctrl_c_gives_up_on_the_browser_too(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True)
    terminal = operator.at_terminal("login", "--browser", *operator.target(), env=NO_KEYRING)
    terminal.expect("Ctrl-C gives up.")
    terminal.interrupt()
    assert terminal.end().code == 130


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--no-input"], 2, "--no-input forbids to ask one"),
        (["--json"], 2, "--json belongs to --status"),
        (["--browser", "--device-code"], 2, "choose one"),
    ],
)
def test_what_cannot_be_is_refused(an_operator: MakeOperator, arguments: list[str], code: int, text: str) -> None:
    operator = an_operator(tls=True)
    ran = login(operator, *arguments)
    assert (ran.code, text in ran.stderr) == (code, True)


def test_login_without_tenant_and_app_names_them(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True)
    ran = login(operator, env={"AZURE_TENANT_ID": "", "AZURE_CLIENT_ID": ""})
    assert ran.code == 78
    assert "set AZURE_TENANT_ID (auth.tenant_id) and AZURE_CLIENT_ID (auth.client_id)" in ran.stderr


def test_a_refused_sign_in_ends_the_run_with_what_to_type(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True)
    login(operator)
    operator.sandbox.people.refusal = 50078
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), env=NO_KEYRING)
    assert (ran.code, ran.puts) == (77, ())
    assert "AADSTS50078" in ran.stderr
    assert "`bulkpause login`" in ran.stderr
    ran = operator.run("login", "--status", env=NO_KEYRING)
    assert (ran.code, "refused by Entra" in ran.stdout) == (77, True)
    operator.sandbox.people.refusal = None
    login(operator)
    assert operator.run("login", "--status", env=NO_KEYRING).code == 0


def test_a_seed_from_the_environment_needs_no_login(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True, reports=2, person=Person(revokes_used=True))
    environ = {**NO_KEYRING, "BULKPAUSE_AUTH__REFRESH_TOKEN": operator.sandbox.issue_refresh_token()}
    source = operator.source(operator.sandbox.report_ids)
    for verb, is_new in (("pause", True), ("resume", False)):
        ran = operator.run(verb, source, env=environ)
        assert (ran.code, "UNENCRYPTED" in ran.stderr) == (0, is_new)
        check_no_refresh_token(operator, ran)
    assert len(set(operator.sandbox.people.used)) == 2


def test_a_sign_in_lives_in_the_keyring_where_there_is_one(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True, reports=1)
    ring = operator.home / "ring.json"
    environ = {
        "PYTHON_KEYRING_BACKEND": "tests.auth.keyrings.FileKeyring",
        "TEST_KEYRING": str(ring),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "BULKPAUSE_AUTH__TOKEN_STORE": "keyring",
    }
    ran = login(operator, env=environ)
    assert (ran.code, "UNENCRYPTED" in ran.stderr) == (0, False)
    assert "Kept in: keyring keyrings, entry bulkpause/" in ran.stdout
    assert operator.run("pause", operator.source(operator.sandbox.report_ids), env=environ).code == 0
    assert secrets_on_disk(operator) == [ring]
    assert operator.run("logout", env=environ).code == 0
    assert secrets_on_disk(operator) == []


def test_a_run_by_device_code_asks_at_its_terminal(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True, reports=2, person=Person(answer="waits"))
    environ = {**NO_KEYRING, "BULKPAUSE_AUTH__FLOW": "device_code"}
    terminal = operator.at_terminal("pause", operator.source(operator.sandbox.report_ids), env=environ)
    terminal.expect("and enter the code ")
    operator.sandbox.people.has_agreed = True
    ran = terminal.end()
    assert (ran.code, ran.statuses) == (0, {"succeeded": 2})
    assert secrets_on_disk(operator) == []


def test_a_run_by_device_code_that_is_declined_ends_cleanly(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True, reports=2, person=Person(answer="declines"))
    environ = {**NO_KEYRING, "BULKPAUSE_AUTH__FLOW": "device_code"}
    ran = operator.at_terminal("pause", operator.source(operator.sandbox.report_ids), env=environ).end()
    assert (ran.code, ran.puts, ran.statuses) == (77, (), {"skipped": 2})
    assert "the sign-in was declined in the browser" in ran.stdout


def test_a_run_by_device_code_without_a_person_is_refused_before_anything_is_made(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True, reports=2)
    environ = {**NO_KEYRING, "BULKPAUSE_AUTH__FLOW": "device_code"}
    ran = operator.run("pause", operator.source(operator.sandbox.report_ids), env=environ)
    assert (ran.code, ran.directory) == (78, None)
    assert "there is no terminal to ask on" in ran.stderr
    assert "type `bulkpause login` once" in ran.stderr
    ran = operator.at_terminal("pause", operator.source(operator.sandbox.report_ids), "--no-input", env=environ).end()
    assert (ran.code, "--no-input forbids that" in ran.stdout) == (78, True)


def test_config_show_names_the_flow_and_whose_sign_in_it_is(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True)

    def shown() -> str:
        environ = {**NO_KEYRING, "BULKPAUSE_API__BASE_URL": operator.sandbox.base_url}
        printed = operator.run("config", "show", env=environ).stdout
        return next(line for line in printed.splitlines() if line.startswith("auth.flow"))

    assert "client_secret" in shown()
    login(operator)
    assert "refresh_token" in shown()
    assert f"the sign-in of {ACCOUNT}" in shown()


def test_a_sign_in_that_runs_do_not_use_is_said(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True)
    ran = login(operator, env={"BULKPAUSE_AUTH__FLOW": "client_secret"})
    assert ran.code == 0
    assert "sign in by client_secret all the same. To use this sign-in, set auth.flow to refresh_token" in ran.stderr
