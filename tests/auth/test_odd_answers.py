"""What a sign-in service, or whatever stands in its place, may answer: told in one line, never a crash."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from bulkpause.auth import EntraApp, client_secret
from bulkpause.auth.device import LONGEST_LIFE_S, sign_in_by_code
from bulkpause.auth.entra import Conversation
from bulkpause.auth.person import Granted, renew
from bulkpause.auth.refusals import MESSAGE_LIMIT, judge_answer, judge_error
from bulkpause.errors import AuthError, TokenUnavailableError
from tests.auth.signed_in import CLOCK

APP = EntraApp(tenant_id="contoso.example", client_id="app", authority="https://login.example")
Answer = Callable[[object], None]


def id_token(**claims: object) -> str:
    parts = ({"alg": "RS256"}, {"aud": "app", "exp": 9_999_999_999, "iat": 1} | claims)
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + ".c2ln"
    )


GOOD: dict[str, object] = {"access_token": "token", "expires_in": 3600, "refresh_token": "new", "scope": "a b"}
CODE: dict[str, object] = {
    "device_code": "d",
    "user_code": "U",
    "verification_uri": "https://login.example/device",
    "expires_in": 900,
    "interval": 5,
}


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Have every request answered with 200 and what is given."""

    def give(payload: object) -> None:
        def request(*_: Any, **__: Any) -> requests.Response:
            response = requests.Response()
            response.status_code = 200
            response._content = json.dumps(payload).encode()
            return response

        monkeypatch.setattr(requests.Session, "request", request)

    return give


def renewed() -> Granted:
    return renew(Conversation(APP), "old", claims=None, clock=CLOCK)


@pytest.mark.parametrize(
    "odd",
    [
        {"id_token": "no token"},
        {"id_token": None},
        {"id_token": 5},
        {"scope": None},
        {"scope": []},
    ],
)
def test_what_msal_trips_over_is_a_refusal_in_one_line(answer: Answer, odd: dict[str, object]) -> None:
    answer(GOOD | odd)
    with pytest.raises(AuthError, match=r"^sign-in at https://login\.example is not possible: ") as caught:
        renewed()
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("token", ["", "two words", "two\r\nlines: x", "tökén"])
def test_a_token_that_no_header_takes_is_none(answer: Answer, token: str) -> None:
    answer(GOOD | {"access_token": token})
    with pytest.raises(TokenUnavailableError, match="holds no token with a lifetime"):
        client_secret(APP, "secret", clock=CLOCK)()


@pytest.mark.parametrize("lifetime_s", [-5, 0, 10**11, 10**20])
def test_a_lifetime_that_cannot_be_is_none(answer: Answer, lifetime_s: int) -> None:
    answer(GOOD | {"expires_in": lifetime_s})
    with pytest.raises(TokenUnavailableError, match="holds no token with a lifetime"):
        client_secret(APP, "secret", clock=CLOCK)()


def test_whose_sign_in_it_is_moves_no_cursor(answer: Answer) -> None:
    answer(GOOD | {"id_token": id_token(preferred_username="jane\x1b[2J\r\nbulkpause: all is well")})
    assert renewed().account == "jane [2J bulkpause: all is well"


def test_entras_words_are_one_printable_line_of_limited_length() -> None:
    hostile = "AADSTS50076: \x1b]0;x\x07\u202e\x9b2J\r\nbulkpause: all is well" + "A" * 9999
    for name in ("error_description", "error", "trace_id"):
        told = str(judge_error({"error": "x", "error_codes": [50076]} | {name: hostile}))
        assert told.isprintable()
        assert len(told) < MESSAGE_LIMIT + 200


@pytest.mark.parametrize("status", [200, 400])
def test_brackets_without_an_end_are_no_json(status: int) -> None:
    assert isinstance(judge_answer("login.example", status, {}, "[" * 200_000), TokenUnavailableError)


@pytest.mark.parametrize(
    ("odd", "first_wait_s"),
    [
        ({"interval": -1}, 0.0),
        ({"interval": 10**9}, 900.0),
        ({"expires_in": 10**12, "interval": 10**9}, LONGEST_LIFE_S),
        ({"expires_in": -1}, None),
    ],
)
def test_a_code_that_never_ends_and_waits_that_cannot_be_are_cut(
    answer: Answer, odd: dict[str, object], first_wait_s: float | None
) -> None:
    class WaitedError(Exception):
        pass

    def wait(seconds: float) -> None:
        waits.append(seconds)
        raise WaitedError

    waits: list[float] = []
    answer(CODE | odd)
    with pytest.raises(WaitedError if first_wait_s is not None else AuthError):
        sign_in_by_code(Conversation(APP), prompt=lambda _: None, wait=wait, clock=CLOCK)
    assert waits == ([] if first_wait_s is None else [first_wait_s])


def test_a_code_is_shown_on_one_line_that_moves_no_cursor(answer: Answer) -> None:
    said: list[str] = []
    answer(CODE | {"user_code": "U\x1b[2J\nbulkpause: done", "expires_in": -1})
    with pytest.raises(AuthError, match="nobody signed in"):
        sign_in_by_code(Conversation(APP), prompt=said.append, wait=lambda _: None, clock=CLOCK)
    (text,) = said
    assert text.isprintable()


def test_a_code_that_is_no_text_is_none(answer: Answer) -> None:
    answer(CODE | {"user_code": ["U"]})
    with pytest.raises(TokenUnavailableError, match="holds no code"):
        sign_in_by_code(Conversation(APP), prompt=lambda _: None, wait=lambda _: None, clock=CLOCK)
