"""A person signs in, by browser and by device code: real MSAL, real sockets, the sandbox's person."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from bulkpause.auth.browser import Receiver, sign_in_by_browser
from bulkpause.auth.device import SLOWER_S, device_code, sign_in_by_code
from bulkpause.auth.entra import Conversation
from bulkpause.auth.person import Granted, renew
from bulkpause.auth.tokens import Acquire
from bulkpause.errors import AuthError, TokenUnavailableError
from bulkpause.sandbox import Person, Sandbox, SandboxSettings, parse_fault, serve_in_thread
from tests.auth.browsing import browse
from tests.auth.signed_in import CLOCK, app_of

MakeSandbox = Callable[..., Sandbox]


@pytest.fixture
def a_sandbox() -> Iterator[MakeSandbox]:
    """Make a sandbox of a person who is as given."""
    with ExitStack() as exits:

        def make(*faults: str, **person: Any) -> Sandbox:
            settings = SandboxSettings(reports=1, person=Person(**person), faults=tuple(map(parse_fault, faults)))
            return exits.enter_context(serve_in_thread(settings))

        yield make


def by_browser(
    sandbox: Sandbox, pages: list[requests.Response] | None = None, *, is_public: bool = False, **changes: str
) -> Granted:
    """Sign in with a browser that changes fields of the form it sends; after a forged state, with one that does not."""
    seen: list[requests.Response] = [] if pages is None else pages

    def visit(url: str) -> None:
        if changes:
            seen.append(browse(url, ca_file=sandbox.ca_file, **changes))
        if not changes or "state" in changes:
            seen.append(browse(url, ca_file=sandbox.ca_file))

    threads: list[threading.Thread] = []

    def open_browser(url: str) -> None:
        threads.append(threading.Thread(target=visit, args=(url,)))
        threads[0].start()

    conversation = Conversation(app_of(sandbox), None if is_public else lambda: sandbox.client_secret)
    try:
        return sign_in_by_browser(
            conversation, prompt=lambda _: None, open_browser=open_browser, clock=CLOCK, patience_s=5
        )
    finally:
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("is_public", [True, False])
def test_a_person_signs_in_with_the_browser(a_sandbox: MakeSandbox, is_public: bool) -> None:
    sandbox, pages = a_sandbox(), list[requests.Response]()
    granted = by_browser(sandbox, pages, is_public=is_public)
    assert granted.account == "operator@contoso.example"
    assert granted.refresh_token is not None
    assert granted.refresh_token not in repr(granted)
    assert [page.status_code for page in pages] == [200]
    assert "You can close this window" in pages[0].text
    conversation = Conversation(app_of(sandbox), None if is_public else lambda: sandbox.client_secret)
    assert renew(conversation, granted.refresh_token, claims=None, clock=CLOCK).token.value != granted.token.value


def test_an_answer_with_another_state_is_refused_and_the_wait_goes_on(a_sandbox: MakeSandbox) -> None:
    pages: list[requests.Response] = []
    assert by_browser(a_sandbox(), pages, state="forged").account == "operator@contoso.example"
    assert [page.status_code for page in pages] == [400, 200]


def test_a_code_that_was_asked_for_by_somebody_else_is_refused(a_sandbox: MakeSandbox) -> None:
    with pytest.raises(AuthError, match="AADSTS70000"):
        by_browser(a_sandbox(), code="theirs")


def test_a_person_who_declines_is_one_line(a_sandbox: MakeSandbox) -> None:
    with pytest.raises(AuthError, match="the sign-in was declined in the browser"):
        by_browser(a_sandbox(answer="declines"))


def test_what_a_page_shows_of_an_error_is_escaped(a_sandbox: MakeSandbox) -> None:
    pages: list[requests.Response] = []
    with pytest.raises(AuthError, match="sign-in refused"):
        by_browser(a_sandbox(), pages, error="server", error_description="<script>alert(1)</script>", code="")
    assert "<script>" not in pages[0].text
    assert "&lt;script&gt;" in pages[0].text
    assert pages[0].headers["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_nobody_signs_in_in_time(a_sandbox: MakeSandbox) -> None:
    said: list[str] = []
    with pytest.raises(AuthError, match="nobody signed in within 0 min"):
        sign_in_by_browser(
            Conversation(app_of(a_sandbox())),
            prompt=said.append,
            open_browser=lambda _: None,
            clock=CLOCK,
            patience_s=0.05,
        )
    assert "/oauth2/v2.0/authorize?" in said[0]


def test_the_receiver_takes_nothing_but_the_form(a_sandbox: MakeSandbox) -> None:
    with Receiver() as receiver, requests.Session() as session:
        session.trust_env = False
        receiver.expect(state="s")
        uri = receiver.redirect_uri
        assert session.get(f"{uri}/?code=c&state=s", timeout=5).status_code == 404
        assert session.post(f"{uri}/else", data={"code": "c", "state": "s"}, timeout=5).status_code == 400
        assert session.post(uri, data="x" * 70_000, timeout=5).status_code == 400
        assert session.post(uri, data={"code": "c"}, timeout=5).status_code == 400
        assert receiver.wait(0) is None
        assert session.post(uri, data={"code": "c", "state": "s"}, timeout=5).status_code == 200
        assert receiver.wait(5) == {"code": "c", "state": "s"}


def by_code(
    sandbox: Sandbox, said: list[str] | None = None, waited: list[float] | None = None, claims: str | None = None
) -> Granted:
    return sign_in_by_code(
        Conversation(app_of(sandbox)),
        prompt=list[str]().append if said is None else said.append,
        wait=list[float]().append if waited is None else waited.append,
        clock=CLOCK,
        claims=claims,
    )


def test_a_person_signs_in_with_a_code(a_sandbox: MakeSandbox) -> None:
    sandbox, said, waited = a_sandbox(pending_polls=3, poll_interval_s=2), list[str](), list[float]()
    granted = by_code(sandbox, said, waited)
    assert granted.account == "operator@contoso.example"
    assert granted.refresh_token is not None
    assert waited == [2] * 4
    assert "/devicelogin in a browser, on any machine, and enter the code " in said[0]
    assert "within 15 min" in said[0]


def test_polls_come_less_often_when_told(a_sandbox: MakeSandbox) -> None:
    waited: list[float] = []
    by_code(a_sandbox(slow_downs=2, poll_interval_s=1), waited=waited)
    assert waited == [1, 1 + SLOWER_S, 1 + 2 * SLOWER_S]


@pytest.mark.parametrize("fault", ["503*2@token", "drop*2@token", "429:7*1@token"])
def test_trouble_at_entra_meanwhile_is_waited_out(a_sandbox: MakeSandbox, fault: str) -> None:
    assert by_code(a_sandbox(fault)).account == "operator@contoso.example"


@pytest.mark.parametrize(
    ("person", "text"),
    [
        ({"answer": "declines"}, "the sign-in was declined in the browser"),
        ({"device_code_life_s": 0.0}, "nobody signed in with the code while it was good"),
    ],
)
def test_declined_or_too_late_is_one_line(a_sandbox: MakeSandbox, person: dict[str, Any], text: str) -> None:
    with pytest.raises(AuthError, match=text) as refused:
        by_code(a_sandbox(**person))
    assert not isinstance(refused.value, TokenUnavailableError)


def test_no_code_to_be_had_is_said(a_sandbox: MakeSandbox) -> None:
    with pytest.raises(TokenUnavailableError, match="answered 503"):
        by_code(a_sandbox("503@devicecode"))
    with pytest.raises(TokenUnavailableError, match="no code to sign in with"):
        _ask_without_code(a_sandbox())


def _ask_without_code(sandbox: Sandbox) -> None:
    class Mute(Conversation):
        def ask(self, question: Any) -> Any:
            return {"expires_in": 1, "interval": 1}

    sign_in_by_code(Mute(app_of(sandbox)), prompt=list[str]().append, wait=list[float]().append, clock=CLOCK)


def at_terminal(sandbox: Sandbox, said: list[str], learnt: list[str] | None = None) -> Acquire:
    return device_code(
        app_of(sandbox),
        prompt=said.append,
        learn=list[str]().append if learnt is None else learnt.append,
        wait=lambda _s: None,
        clock=CLOCK,
    )


def test_a_run_asks_its_person_once_and_renews_from_memory(a_sandbox: MakeSandbox) -> None:
    sandbox, said, learnt = a_sandbox(revokes_used=True), list[str](), list[str]()
    acquire = at_terminal(sandbox, said, learnt)
    assert len({acquire().value for _ in range(3)}) == 3
    assert len(said) == 1
    assert sandbox.people.used == learnt[:2]
    assert len(set(learnt)) == 3


def test_a_person_is_asked_again_when_the_refresh_token_is_refused(a_sandbox: MakeSandbox) -> None:
    sandbox, said = a_sandbox(), list[str]()
    acquire = at_terminal(sandbox, said)
    acquire()
    sandbox.people.refusal = 50078
    acquire()
    assert len(said) == 3
    assert "has to be repeated: sign-in refused" in said[1]


def test_who_declined_is_not_asked_for_every_renewal(a_sandbox: MakeSandbox) -> None:
    said: list[str] = []
    acquire = at_terminal(a_sandbox(answer="declines"), said)
    for _ in range(2):
        with pytest.raises(AuthError, match="declined"):
            acquire()
    assert len(said) == 1


def test_a_renewal_that_may_heal_asks_nobody(a_sandbox: MakeSandbox) -> None:
    sandbox, said = a_sandbox("503*2@token,n=2..3"), list[str]()
    acquire = at_terminal(sandbox, said)
    acquire()
    with pytest.raises(TokenUnavailableError):
        acquire()
    while len(sandbox.people.used) < 1:
        try:
            acquire()
        except TokenUnavailableError:
            assert len(sandbox.journal.entries) < 10
    assert len(said) == 1
