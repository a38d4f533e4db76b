"""Whose token it is, as far as the token tells."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkpause.auth import identities
from bulkpause.auth.claims import claims


def jwt(payload: object) -> str:
    return f"e30.{base64.urlsafe_b64encode(orjson.dumps(payload)).decode().rstrip('=')}.c2ln"


@pytest.mark.parametrize(
    ("payload", "names"),
    [
        ({"upn": "ann@contoso.example"}, {"ann@contoso.example"}),
        ({"preferred_username": "ann@contoso.example", "oid": "1"}, {"ann@contoso.example"}),
        ({"upn": "a@b", "unique_name": "live.com#a@b", "appid": "app"}, {"a@b", "live.com#a@b"}),
        ({"appid": "app", "oid": "object"}, {"app", "object"}),
        ({"azp": "app"}, {"app"}),
        ({"upn": "", "appid": "app"}, {"app"}),
        ({"upn": 7, "appid": None}, set()),
        ({}, set()),
    ],
)
def test_a_token_tells_of_the_person_or_else_of_the_app(payload: dict[str, Any], names: set[str]) -> None:
    assert identities(jwt(payload)) == names


@pytest.mark.parametrize("token", ["", "opaque", "a.b", "a.%%%.c", f"a.{'A' * 5}.c", jwt([1]), jwt("text"), jwt(None)])
def test_what_is_no_jwt_tells_nothing(token: str) -> None:
    assert claims(token) == {}
    assert identities(token) == frozenset()


@given(st.text())
def test_no_text_is_too_odd_to_look_at(text: str) -> None:
    assert identities(text) == frozenset()
