"""Signing in as a person once, and running unattended from then on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bulkpause.sandbox import Person
from tests.auth.browsing import browse
from tests.e2e.conftest import MakeOperator
from tests.e2e.driving import Operator, Ran

pytestmark = pytest.mark.end_to_end

NO_KEYRING = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
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


def test_a_person_signs_in_by_browser(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True, reports=1)
    running = operator.start("login", "--browser", *operator.target(), env=NO_KEYRING)
    while not (url := re.search(r"https://localhost\S+/authorize\?\S+", running.read_line())):
        pass
    assert browse(url[0], ca_file=operator.sandbox.ca_file).status_code == 200
    ran = running.end()
    assert ran.code == 0
    assert ran.stdout.startswith(f"Signed in as {ACCOUNT}")
    assert operator.run("pause", operator.source(operator.sandbox.report_ids), env=NO_KEYRING).code == 0
    assert len(operator.sandbox.people.used) == 1


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


def test_ctrl_c_ends_a_run_that_waits_for_its_person(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True, reports=2, person=Person(answer="waits", poll_interval_s=5))
    environ = {**NO_KEYRING, "BULKPAUSE_AUTH__FLOW": "device_code"}
    terminal = operator.at_terminal("pause", operator.source(operator.sandbox.report_ids), env=environ)
    terminal.expect("and enter the code ")
    terminal.interrupt()
    ran = terminal.end()
    assert (ran.code, ran.puts, ran.statuses) == (130, (), {"skipped": 2})
