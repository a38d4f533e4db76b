"""Entra: who gets a token, and which tokens are good."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from bulkpause.sandbox.tokens import Tokens, assertion_flaw, fingerprint
from tests.sandbox.tenant import ORIGIN, START, Tenant, body

NOW_S = 1_800_000_000.0


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(seed=1, lifetime_s=60)


@pytest.mark.parametrize(
    ("authorization", "refusal"),
    [(None, "missing"), ("", "missing"), ("Bearer", "missing"), ("Basic eA==", "missing"), ("Bearer other", "unknown")],
)
def test_a_header_without_a_known_token_is_refused(tokens: Tokens, authorization: str | None, refusal: str) -> None:
    assert tokens.check(authorization, now_s=NOW_S).refusal == refusal


@pytest.mark.parametrize(("age_s", "refusal"), [(0, None), (59.9, None), (60, "expired"), (9999, "expired")])
def test_a_token_is_good_until_its_lifetime_is_over(tokens: Tokens, age_s: float, refusal: str | None) -> None:
    token = tokens.issue(now_s=NOW_S)
    bearer = tokens.check(f"bearer {token}", now_s=NOW_S + age_s)
    assert bearer.refusal == refusal
    assert bearer.fingerprint == fingerprint(token)


def test_revocation_ends_all_tokens_but_not_later_ones(tokens: Tokens) -> None:
    old = [tokens.issue(now_s=NOW_S), tokens.issue(now_s=NOW_S, lifetime_s=9)]
    tokens.revoke_all()
    new = tokens.issue(now_s=NOW_S)
    assert [tokens.check(f"Bearer {token}", now_s=NOW_S).refusal for token in [*old, new]] == [
        "revoked", "revoked", None,
    ]  # fmt: skip


def test_a_token_looks_like_entras_and_its_fingerprint_does_not(tokens: Tokens) -> None:
    token = tokens.issue(now_s=NOW_S)
    assert 1200 < len(token) < 1600
    assert token.count(".") == 2
    assert fingerprint(token) not in token
    assert tokens.issue(now_s=NOW_S) != token


def test_the_same_seed_makes_the_same_tenant() -> None:
    first, second, third = (Tokens(seed=seed, lifetime_s=1) for seed in (1, 1, 2))
    assert (first.tenant_id, first.client_id, first.client_secret) == (
        second.tenant_id, second.client_id, second.client_secret,
    )  # fmt: skip
    assert first.client_secret != third.client_secret


def test_the_right_secret_gets_a_token_that_opens_the_api(tenant: Callable[..., Tenant]) -> None:
    far_side = tenant(token_lifetime_s=90)
    answer = far_side.ask_token()
    assert answer.status == 200
    payload = body(answer)
    assert (payload["token_type"], payload["expires_in"]) == ("Bearer", 90)
    far_side.token = payload["access_token"]
    assert far_side.put(far_side.ids[0]).status == 200
    far_side.now_s = 90
    assert far_side.put(far_side.ids[0]).status == 401


@pytest.mark.parametrize(
    ("form", "status", "error", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", "AADSTS7000215: Invalid client secret provided."),
        ({"client_secret": ""}, 401, "invalid_client", "AADSTS7000215"),
        ({"client_id": "nobody"}, 400, "unauthorized_client", "AADSTS700016: Application with identifier 'nobody'"),
        ({"tenant": "elsewhere"}, 400, "invalid_tenant", "AADSTS90002: Tenant 'elsewhere' not found."),
        ({"scope": "user_impersonation"}, 400, "invalid_scope", "AADSTS1002012"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", "AADSTS70003"),
    ],
)
def test_a_wrong_request_is_refused_in_entras_words(
    tenant: Callable[..., Tenant], form: dict[str, str], status: int, error: str, code: str
) -> None:
    answer = tenant().ask_token(**form)
    payload = body(answer)
    assert (answer.status, payload["error"], answer.effect) == (status, error, False)
    assert payload["error_description"].startswith(code)
    assert f"Trace ID: {payload['trace_id']}" in payload["error_description"]
    assert payload["error_codes"] == [int(code.removeprefix("AADSTS").partition(":")[0])]


def test_discovery_points_at_the_token_endpoint_of_this_sandbox(tenant: Callable[..., Tenant]) -> None:
    far_side = tenant()
    answer = far_side.send("GET", f"/{far_side.tokens.tenant_id}/v2.0/.well-known/openid-configuration")
    assert body(answer)["token_endpoint"] == f"{ORIGIN}/{far_side.tokens.tenant_id}/oauth2/v2.0/token"
    assert far_side.send("GET", "/elsewhere/v2.0/.well-known/openid-configuration").status == 400


def jwt(claims: object = None, *, header: object = None, signature: str = "c2ln", **changes: object) -> str:
    good: dict[str, Any] = {"iss": "app", "sub": "app", "aud": "url", "exp": NOW_S + 60}
    parts = ({"alg": "PS256"} if header is None else header, good | changes if claims is None else claims)
    encoded = (base64.urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=").decode() for part in parts)
    return ".".join([*encoded, signature])


@pytest.mark.parametrize(
    ("assertion", "flaw"),
    [
        (jwt(), None),
        (jwt(header={"alg": "RS256"}), None),
        (jwt(signature=""), "it is not a signed JWT"),
        (jwt(header=[]), "it is not a signed JWT"),
        (jwt(claims=7), "it is not a signed JWT"),
        ("", "it is not a signed JWT"),
        ("a.b.c", "it is not a signed JWT"),
        ("\u20ac.b.c", "it is not a signed JWT"),
        ("e30.////.c", "it is not a signed JWT"),
        (jwt(header={"alg": "none"}), "algorithm none"),
        (jwt(iss="other"), "issuer and subject must be the client id"),
        (jwt(sub=None), "issuer and subject must be the client id"),
        (jwt(aud="elsewhere"), "audience elsewhere"),
        (jwt(exp=NOW_S), "it has expired"),
        (jwt(exp="soon"), "it has expired"),
    ],
)
def test_a_client_assertion_is_checked_in_all_but_its_signature(assertion: str, flaw: str | None) -> None:
    assert assertion_flaw(assertion, client_id="app", audience="url", now_s=NOW_S) == flaw


@pytest.mark.parametrize(("changes", "status"), [({}, 200), ({"aud": "elsewhere"}, 401)])
def test_an_assertion_stands_in_for_the_secret(
    tenant: Callable[..., Tenant], changes: dict[str, object], status: int
) -> None:
    far_side = tenant()
    app, url = far_side.tokens.client_id, f"{ORIGIN}/{far_side.tokens.tenant_id}/oauth2/v2.0/token"
    claims = {"iss": app, "sub": app, "aud": url, "exp": 2e9} | changes
    answer = far_side.ask_token(
        client_secret="",
        client_assertion=jwt(claims=claims),
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    )
    assert answer.status == status


@pytest.mark.parametrize("status", [401, 403])
def test_a_challenge_lasts_until_a_token_was_asked_for_with_its_claims(
    tenant: Callable[..., Tenant], status: int
) -> None:
    far_side = tenant(f"claims:{status}")
    refused = far_side.put(far_side.ids[0])
    assert refused.status == status
    told = re.fullmatch(
        r'Bearer realm="", error="insufficient_claims", claims="(.+)"', refused.headers["WWW-Authenticate"]
    )
    assert told is not None
    claims = orjson.loads(base64.b64decode(told[1]))
    for asked in ("", "no JSON", "[]", "{}", '{"access_token":{"nbf":{"value":"1"}}}', '{"access_token":1}'):
        far_side.token = body(far_side.ask_token(claims=asked))["access_token"]
        assert far_side.put(far_side.ids[0]).status == status
    claims["access_token"]["xms_cc"] = {"values": ["CP1"]}
    far_side.token = body(far_side.ask_token(claims=orjson.dumps(claims).decode()))["access_token"]
    assert far_side.put(far_side.ids[0]).status == 200


def test_a_missing_second_factor_has_partner_centers_code(tenant: Callable[..., Tenant]) -> None:
    refused = tenant("mfa").put("0b5c2c1e-7a31-4d0e-9c54-5f2d1f6b8a90")
    assert (refused.status, body(refused)["code"]) == (401, 900421)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"iss": "https://elsewhere.example"}, 700211),
        ({"aud": "api://elsewhere"}, 700212),
        ({"sub": "another"}, 700213),
        ({"lifetime_s": 0}, 700024),
    ],
)
def test_the_word_of_the_issuer_that_the_app_trusts_stands_in_for_the_secret(
    tenant: Callable[..., Tenant], changes: dict[str, Any], code: int | None
) -> None:
    far_side = tenant()
    assertion = far_side.tokens.issue_assertion(now_s=START.timestamp(), **changes)
    answer = far_side.ask_token(
        client_secret="",
        client_assertion=assertion,
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    )
    assert body(answer).get("error_codes", [None]) == [code]
    assert far_side.tokens.assertions == [assertion]


@pytest.mark.parametrize(
    ("fault", "status", "fragment"),
    [
        ("503*1@token", 503, b"AADSTS90033"),
        ("429:3*1@token", 429, b"temporarily_unavailable"),
        ("html*1@token", 200, b"<!DOCTYPE html>"),
        ("invalid-client*1@token", 401, b"AADSTS7000215"),
        ("500/html*1@token", 500, b"<html>"),
        ("cut*1@token", 200, b'"token_type":"Bearer"'),
    ],
)
def test_the_token_endpoint_has_its_own_faults(
    tenant: Callable[..., Tenant], fault: str, status: int, fragment: bytes
) -> None:
    far_side = tenant(fault)
    first, second = far_side.ask_token(), far_side.ask_token()
    assert (first.status, first.fault) == (status, fault)
    assert fragment in first.body
    assert (second.status, second.fault) == (200, None)
    assert far_side.put(far_side.ids[0]).fault is None
