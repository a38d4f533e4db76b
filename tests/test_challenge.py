"""Claims challenges: understood in each spelling, and nothing hostile gets through the parser or holds it up."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from bulkpause.models import HaltReason, Operation, Reply, ReportId, Verdict
from bulkpause.replies import judge, judge_page
from bulkpause.replies.challenge import HEADER_LIMIT, challenged_claims
from bulkpause.replies.puts import NO_MFA

CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"},"é":"~~~???"}}'
NOW = datetime(2026, 11, 24, tzinfo=UTC)
REPORT = ReportId("0b5c2c1e-7a31-4d0e-9c54-5f2d1f6b8a90")


def encoded(text: str = CLAIMS) -> str:
    return base64.b64encode(text.encode()).decode()


def said(header: str, *, status: int = 401) -> str | None:
    return challenged_claims(status, {"WWW-Authenticate": header})


@pytest.mark.parametrize(
    "header",
    [
        f'Bearer realm="", error="insufficient_claims", claims="{encoded()}"',
        f'bearer claims="{encoded()}"',
        f"Bearer  error = insufficient_claims , claims = {encoded().rstrip('=')}",
        f'Bearer claims="{base64.urlsafe_b64encode(CLAIMS.encode()).decode()}", error="insufficient_claims"',
        f'Basic realm="claims", Bearer authorization_uri="https://x/y", claims="{encoded()}", claims="e30="',
        f'OAuth realm=urn:cpsvc:cpid:1, Bearer error="insufficient_claims",claims="{encoded()}"',
    ],
)
def test_a_challenge_is_understood_in_each_spelling(header: str) -> None:
    assert said(header) == CLAIMS


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        'Bearer error="insufficient_claims"',
        'Bearer claims=""',
        'Bearer claims="not base64!"',
        f'Bearer claims="{encoded("[1]")}"',
        f'Bearer claims="{encoded("{")}"',
        f'Bearer claims="{base64.b64encode(bytes([255, 254])).decode()}"',
        f'Basic claims="{encoded()}"',
        f'Bearer xclaims="{encoded()}"',
        f'Bearer x="{"x" * HEADER_LIMIT}", claims="{encoded()}"',
    ],
)
def test_what_is_no_challenge_asks_for_nothing(header: str) -> None:
    assert said(header) is None


@pytest.mark.parametrize(
    ("error", "asks"), [("insufficient_claims", True), ("insufficient_scope", False), ("invalid_token", False)]
)
def test_a_403_asks_only_if_it_says_so(error: str, *, asks: bool) -> None:
    header = f'Bearer error="{error}", claims="{encoded()}"'
    assert (said(header, status=403) == CLAIMS) is asks


def test_the_second_of_two_headers_is_read_too() -> None:
    headers = CIMultiDict([("www-authenticate", "Basic realm=x"), ("WWW-Authenticate", f'Bearer claims="{encoded()}"')])
    assert challenged_claims(401, headers) == CLAIMS


@given(st.text(max_size=300) | st.text(alphabet='Bearer claims="=,\\{}\n', max_size=300))
def test_no_header_is_too_odd(header: str) -> None:
    for text in (header, f"Bearer {header}", f'Bearer claims="{header}"'):
        claims = said(text)
        assert claims is None or isinstance(json.loads(claims), dict)


@given(st.dictionaries(st.text(), st.text() | st.integers(0, 2**53)))
def test_what_was_encoded_comes_out(claims: dict[str, object]) -> None:
    text = orjson.dumps(claims).decode()
    assert said(f'Bearer claims="{encoded(text)}"') == text


@pytest.mark.parametrize("filler", ["a", "a=", '"', 'a="', ",", " ", "a =", "Bearer "])
def test_a_long_header_costs_next_to_nothing(filler: str) -> None:
    header = f"Bearer {filler * (HEADER_LIMIT // len(filler))}"[:HEADER_LIMIT]
    started_s = time.perf_counter()
    assert said(header) is None
    assert time.perf_counter() - started_s < 0.1


def refused(status: int, body: object, **headers: str) -> Reply:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return judge(Operation.PAUSE, REPORT, http_status=status, headers=given, body=orjson.dumps(body), now=NOW)


@pytest.mark.parametrize("status", [401, 403])
def test_a_challenge_makes_the_token_the_matter_and_not_the_report(status: int) -> None:
    header = f'Bearer error="insufficient_claims", claims="{encoded()}"'
    reply = refused(status, {"statusCode": status, "message": "no"}, WWW_Authenticate=header)
    assert (reply.verdict, reply.http_status, reply.claims, reply.halt) == (Verdict.UNAUTHORISED, status, CLAIMS, None)


@pytest.mark.parametrize(
    "body",
    [
        {"code": 900421, "description": "no MFA"},
        {"Code": "900421", "Description": "no MFA"},
        {"error": {"code": "900421", "message": "no MFA"}},
        {"statusCode": 401, "message": "Error 900421: no MFA"},
        "900421",
    ],
)
def test_a_missing_mfa_ends_the_run_whatever_its_shape(body: object) -> None:
    reply = refused(401, body)
    assert (reply.verdict, reply.halt) == (Verdict.UNAUTHORISED, NO_MFA)
    page = judge_page(http_status=401, headers={}, body=orjson.dumps(body), now=NOW)
    assert page.reply.halt == NO_MFA


def test_the_end_for_missing_mfa_says_what_to_do() -> None:
    assert NO_MFA.reason is HaltReason.NOT_AUTHORISED
    assert "900421" in NO_MFA.message
    assert "type `bulkpause login`" in NO_MFA.message


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, {"code": 9004210, "description": "x"}),
        (401, {"message": "id 19004215"}),
        (403, {"code": 900421}),
        (401, []),
    ],
)
def test_any_other_refusal_ends_no_run(status: int, body: object) -> None:
    assert refused(status, body).halt is None
