"""The person at the sandbox's Entra: authorization codes, device codes and refresh tokens."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from bulkpause.auth.claims import claims
from bulkpause.sandbox import Person
from bulkpause.sandbox.people import DEVICE_CODE
from tests.sandbox.tenant import START, Tenant, body

MakeTenant = Callable[..., Tenant]
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REDIRECT = "http://localhost:5000"


def authorize(far_side: Tenant, **changes: str) -> Any:
    query = {
        "client_id": far_side.tokens.client_id,
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": "api/user_impersonation offline_access",
        "state": "st&te",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    } | changes
    return far_side.send("GET", f"/{far_side.tokens.tenant_id}/oauth2/v2.0/authorize?{urlencode(query)}")


def code_of(answer: Any) -> str:
    return str(parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0])


def redeem(far_side: Tenant, code: str, **changes: str) -> Any:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    return far_side.ask_token(**(form | changes))


def renew(far_side: Tenant, refresh_token: str, **changes: str) -> Any:
    return far_side.ask_token(grant_type="refresh_token", refresh_token=refresh_token, **changes)


def test_a_person_who_agrees_is_sent_back_with_a_code_that_is_good_once(tenant: MakeTenant) -> None:
    far_side = tenant()
    answer = authorize(far_side)
    assert answer.status == 302
    assert answer.headers["Location"].startswith(f"{REDIRECT}?")
    granted = redeem(far_side, code_of(answer))
    assert granted.status == 200
    told = claims(body(granted)["access_token"])
    assert (told["upn"], told["scp"]) == ("operator@contoso.example", "user_impersonation")
    assert "mfa" in told["amr"]
    assert "roles" not in told
    assert body(redeem(far_side, code_of(answer)))["error_codes"] == [70000]


def test_a_form_is_posted_where_that_is_asked_for(tenant: MakeTenant) -> None:
    answer = authorize(tenant(), response_mode="form_post")
    page = answer.body.decode()
    assert f'action="{REDIRECT}"' in page
    assert 'name="state" value="st&amp;te"' in page
    assert re.search(r'name="code" value="[^"]+"', page)


def test_a_person_who_declines_is_sent_back_without_a_code(tenant: MakeTenant) -> None:
    answer = authorize(tenant(person=Person(answer="declines")))
    assert "error=access_denied" in answer.headers["Location"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"redirect_uri": "https://elsewhere.example"}, b"AADSTS50011"),
        ({"redirect_uri": "http://localhost.evil.example"}, b"AADSTS50011"),
        ({"client_id": "nobody"}, b"AADSTS700016"),
        ({"code_challenge_method": "plain"}, b"AADSTS9002325"),
        ({"scope": "api/user_impersonation"}, b"AADSTS70011"),
    ],
)
def test_a_wrong_address_to_sign_in_at_shows_an_error(tenant: MakeTenant, changes: dict[str, str], code: bytes) -> None:
    answer = authorize(tenant(), **changes)
    assert (answer.status, code in answer.body) == (400, True)


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"code_verifier": "w" * 43}, 501481), ({"redirect_uri": "http://localhost:1"}, 70000)],
)
def test_a_code_is_good_only_for_who_asked_for_it(tenant: MakeTenant, changes: dict[str, str], code: int) -> None:
    far_side = tenant()
    assert body(redeem(far_side, code_of(authorize(far_side)), **changes))["error_codes"] == [code]


@pytest.mark.parametrize(("revokes_used", "second"), [(False, 200), (True, 400)])
def test_a_refresh_token_is_rotated_and_the_old_one_revoked_only_on_request(
    tenant: MakeTenant, revokes_used: bool, second: int
) -> None:
    far_side = tenant(person=Person(revokes_used=revokes_used))
    first = far_side.tokens.people.issue_refresh(now_s=START.timestamp(), is_confidential=True)
    answer = renew(far_side, first)
    assert body(answer)["refresh_token"] != first
    assert renew(far_side, first).status == second
    assert renew(far_side, body(answer)["refresh_token"]).status == 200
    assert far_side.tokens.people.used[0] == first


def test_a_refresh_token_is_renewed_as_it_was_got(tenant: MakeTenant) -> None:
    far_side = tenant()
    ours, public = (
        far_side.tokens.people.issue_refresh(now_s=START.timestamp(), is_confidential=proven)
        for proven in (True, False)
    )
    assert body(renew(far_side, ours, client_secret=""))["error_codes"] == [7000218]
    assert body(renew(far_side, public))["error_codes"] == [700025]
    assert body(renew(far_side, ours, client_secret="wrong"))["error_codes"] == [7000215]
    assert renew(far_side, public, client_secret="").status == 200


def test_a_refresh_token_is_forgotten_revoked_or_refused(tenant: MakeTenant) -> None:
    far_side = tenant(person=Person(refresh_token_life_s=-4e9))
    people = far_side.tokens.people
    assert body(renew(far_side, people.issue_refresh(now_s=START.timestamp(), is_confidential=True)))[
        "error_codes"
    ] == [700082]
    far_side = tenant()
    people = far_side.tokens.people
    token = people.issue_refresh(now_s=2e9, is_confidential=True)
    people.refusal = 50076
    assert body(renew(far_side, token))["error_codes"] == [50076]
    people.refusal = None
    people.revoke_refresh()
    assert body(renew(far_side, token))["error_codes"] == [70000]


def poll(far_side: Tenant, device_code: str) -> str:
    answer = far_side.ask_token(grant_type=DEVICE_CODE, device_code=device_code, client_secret="")
    return str(body(answer).get("error", answer.status))


@pytest.mark.parametrize(
    ("person", "polls"),
    [
        (Person(pending_polls=2), ["authorization_pending", "authorization_pending", "200", "invalid_grant"]),
        (Person(slow_downs=1), ["slow_down", "200"]),
        (Person(answer="declines"), ["authorization_declined", "invalid_grant"]),
        (Person(device_code_life_s=0), ["expired_token"]),
    ],
)
def test_a_device_code_is_polled_until_the_person_has_answered(
    tenant: MakeTenant, person: Person, polls: list[str]
) -> None:
    far_side = tenant(person=person)
    answer = body(far_side.send("POST", f"/{far_side.tokens.tenant_id}/oauth2/v2.0/devicecode"))
    assert answer["user_code"] in answer["message"]
    assert [poll(far_side, answer["device_code"]) for _ in polls] == polls


def test_a_person_who_waits_agrees_when_told(tenant: MakeTenant) -> None:
    far_side = tenant(person=Person(answer="waits"))
    answer = body(far_side.send("POST", f"/{far_side.tokens.tenant_id}/oauth2/v2.0/devicecode"))
    assert poll(far_side, answer["device_code"]) == "authorization_pending"
    far_side.tokens.people.has_agreed = True
    assert poll(far_side, answer["device_code"]) == "200"
