"""Behind a proxy: the sign-in and the PUTs go through it, and what it refuses is one error for the run."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import MakeOperator
from tests.e2e.driving import Operator, Ran, wait_until
from tests.e2e.tunnels import PROXY_PROGRAMS, Answer, ProxyProgram, proxy_program, tunnels

pytestmark = pytest.mark.end_to_end

ODD = "p@ss:w/rd%20ü?#"


def pause_all(operator: Operator, proxy: str, *arguments: str, **env: str) -> Ran:
    """Pause every report through the proxy; nothing of its password may show."""
    source = operator.source(operator.sandbox.report_ids)
    ran = operator.run("pause", source, *arguments, env={"BULKPAUSE_API__PROXY": proxy} | env, may_abandon=True)
    secret = proxy.rpartition("@")[0].rpartition(":")[2]
    assert ran.directory is None or not secret or secret not in ran.stdout + ran.stderr + str(ran.ledger)
    assert ODD not in ran.stdout + ran.stderr
    return ran


def connections(operator: Operator) -> int:
    """How many the sandbox has taken."""
    return operator.sandbox._server._count


def test_the_sign_in_and_the_puts_go_through_the_proxy_with_an_odd_password(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True)
    with tunnels() as proxy:
        ran = pause_all(operator, proxy.url("ann", ODD), "-vv")
    assert (ran.code, ran.statuses) == (0, {"succeeded": 20})
    assert {login for _, login in proxy.asked} == {f"ann:{ODD}".encode()}
    assert {target for target, _ in proxy.asked} == {operator.sandbox.base_url.split("/")[2]}
    assert 2 <= proxy.opened == len(proxy.asked) == connections(operator)  # none went round it
    assert {entry.operation for entry in operator.sandbox.journal.entries} >= {"token", "list", "pause"}
    assert b"Bearer" not in proxy.clear


@pytest.mark.parametrize(
    ("proxy_status", "who"),
    [(407, "the sign-in"), (407, "the list"), (407, "the PUTs"), (401, "the PUTs"), (403, "the list")],
)
def test_a_proxy_that_refuses_is_one_error_for_the_run(an_operator: MakeOperator, proxy_status: int, who: str) -> None:
    operator = an_operator(tls=True)
    more = {} if who == "the sign-in" else {"BULKPAUSE_TOKEN": operator.sandbox.issue_token()}
    with tunnels(lambda _: proxy_status) as proxy:
        url = proxy.url("ann", ODD)
        ran = pause_all(operator, url, "-q", *(["--no-snapshot"] if who == "the PUTs" else []), **more)
    assert (ran.code, ran.statuses, ran.puts) == (77, {"skipped": 20}, ())
    (line,) = [line for line in ran.stderr.splitlines() if "refuses" in line or "allow" in line]
    said = "does not allow localhost:" if proxy_status == 403 else f"refuses its user or password ({proxy_status})"
    assert f"the proxy 127.0.0.1:{proxy.port} {said}" in line
    assert "****" not in line
    assert 1 <= len(proxy.asked) <= (8 if who == "the PUTs" else 2)
    assert connections(operator) == 0


def test_a_list_through_a_proxy_that_refuses_ends_at_once(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True)
    with tunnels(lambda _: 407) as proxy:
        env = {"BULKPAUSE_API__PROXY": proxy.url("ann", ODD), "BULKPAUSE_TOKEN": operator.sandbox.issue_token()}
        ran = operator.run("list", env=env)
    assert (ran.code, ran.stdout, len(proxy.asked)) == (77, "", 1)
    assert "the list of reports: the proxy 127.0.0.1" in ran.stderr


@pytest.mark.parametrize("first", [502, "reset", "hang"])
def test_a_proxy_that_fails_for_a_while_is_tried_again(an_operator: MakeOperator, first: Answer) -> None:
    operator = an_operator(tls=True)
    more = {
        "BULKPAUSE_TOKEN": operator.sandbox.issue_token(),
        "BULKPAUSE_RETRY__BACKOFF_BASE_S": "0.05",
        "BULKPAUSE_API__CONNECT_TIMEOUT_S": "0.3",
    }
    with tunnels(lambda number: first if number < 3 else 200) as proxy:
        ran = pause_all(operator, proxy.url(), "--no-snapshot", **more)
    assert (ran.code, ran.statuses) == (0, {"succeeded": 20})


def test_a_proxy_that_never_answers_connect_costs_no_more_than_the_connect_timeout(an_operator: MakeOperator) -> None:
    operator = an_operator(tls=True)
    more = {
        "BULKPAUSE_TOKEN": operator.sandbox.issue_token(),
        "BULKPAUSE_RETRY__BACKOFF_BASE_S": "0.01",
        "BULKPAUSE_API__CONNECT_TIMEOUT_S": "0.2",
    }
    with tunnels(lambda _: "hang") as proxy:
        ran = pause_all(operator, proxy.url(), "--no-snapshot", "--max-tries", "1", **more)
    assert (ran.code, ran.statuses) == (69, {"skipped": 20})
    assert ran.summary["wall_s"] < 2
    assert f"through the proxy 127.0.0.1:{proxy.port} within 0.2 s (api.connect_timeout_s)" in ran.stdout + ran.stderr


@pytest.fixture(params=PROXY_PROGRAMS, ids=lambda program: program.name)
def program(request: pytest.FixtureRequest) -> ProxyProgram:
    """Each of the proxies that this machine has."""
    program: ProxyProgram = request.param
    if program.path is None:
        pytest.skip(f"{program.name} is not installed here: nothing is known of a run through it")
    return program


def test_a_real_proxy_with_a_password_carries_the_sign_in_and_the_puts(
    an_operator: MakeOperator, program: ProxyProgram
) -> None:
    operator = an_operator(tls=True)
    with proxy_program(program) as proxy:
        ran = pause_all(operator, proxy.url(program.password))
        host = operator.sandbox.base_url.split("/")[2]
        wait_until(lambda: len([line for line in proxy.connects if host in line]) >= connections(operator))
    assert (ran.code, ran.statuses) == (0, {"succeeded": 20})
    assert connections(operator) >= 2


@pytest.mark.parametrize("with_token", [False, True], ids=["at the sign-in", "at the PUTs"])
def test_a_real_proxy_that_refuses_the_password_ends_the_run(
    an_operator: MakeOperator, program: ProxyProgram, *, with_token: bool
) -> None:
    operator = an_operator(tls=True)
    more = {"BULKPAUSE_TOKEN": operator.sandbox.issue_token()} if with_token else {}
    with proxy_program(program) as proxy:
        ran = pause_all(operator, proxy.url("wr0ng"), "--no-snapshot", **more)
    assert (ran.code, ran.statuses, connections(operator)) == (77, {"skipped": 20}, 0)
    assert f"the proxy 127.0.0.1:{proxy.port} refuses its user or password (40" in ran.stdout + ran.stderr
