"""What the token, the service's answer and its word on MFA are worth, case by case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bulkpause.doctor.checks import Check, Grade, Obstacle
from bulkpause.doctor.facts import ExchangeFacts, TokenFacts
from bulkpause.doctor.service import is_apps_own, judge_mfa, judge_service, judge_token
from bulkpause.models import Halt, HaltReason, Quota, Reply, Verdict

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
AUDIENCE = "https://api.partnercenter.microsoft.com"
TENANT = "54098488-1a1a-435e-893a-4f05afa2992b"
APP: dict[str, Any] = {"aud": AUDIENCE, "tid": TENANT, "appid": "app", "roles": ["Reader"]}
PERSON = {**APP, "upn": "ann@contoso.example", "scp": "user_impersonation", "amr": ["pwd", "mfa"]}


def token(claims: dict[str, Any], **fields: Any) -> TokenFacts:
    return TokenFacts(source="Entra", claims=claims, expires_at=NOW + timedelta(minutes=59), **fields)


def judged(facts: TokenFacts, *, flow: str = "client_secret", is_let_in: bool | None = True, **more: Any) -> Check:
    audiences = frozenset({AUDIENCE})
    chosen: dict[str, Any] = {"tenant_id": TENANT, "audiences": audiences, **more}
    return judge_token(facts, flow=flow, is_let_in=is_let_in, now=NOW, **chosen)


def test_a_token_is_told_by_its_claims() -> None:
    check = judged(token(PERSON, elapsed_ms=108.2))
    assert check.grade is Grade.OK
    assert check.said == "ann@contoso.example, by app app, from Entra in 108 ms, 59 min left"
    assert check.details == (f"tenant {TENANT}, for {AUDIENCE}", "role Reader, scope user_impersonation, with MFA")
    assert check.facts["life_left_s"] == 3540


@pytest.mark.parametrize(
    ("claims", "more", "remedy"),
    [
        (APP, {}, None),
        ({**APP, "aud": f"{AUDIENCE}/"}, {}, None),
        ({**APP, "aud": "fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd"}, {}, None),
        ({**APP, "aud": "https://graph.microsoft.com"}, {}, f"--resource {AUDIENCE}"),
        (APP, {"tenant_id": TENANT.replace("5", "6")}, "another tenant than auth.tenant_id"),
        (APP, {"tenant_id": "contoso.example"}, None),
        (APP, {"tenant_id": None}, None),
        ({**APP, "roles": []}, {"is_let_in": True}, None),
        ({**APP, "roles": []}, {"is_let_in": None}, None),
        ({**APP, "roles": []}, {"is_let_in": False}, "give the app a role"),
        (PERSON, {"is_let_in": False}, None),
        ({}, {"is_let_in": False}, None),
    ],
)
def test_a_token_that_may_be_the_wrong_one_is_a_warning(
    claims: dict[str, Any], more: dict[str, Any], remedy: str | None
) -> None:
    check = judged(token(claims), **more)
    assert check.grade is (Grade.OK if remedy is None else Grade.WARNING)
    assert (remedy or "") in (check.remedy or "")


@pytest.mark.parametrize(("flow", "minutes", "grade"), [("token", 14, "warning"), ("token", 16, "ok"), ("x", 1, "ok")])
def test_a_token_that_nobody_renews_and_that_ends_soon_is_a_warning(flow: str, minutes: int, grade: str) -> None:
    facts = TokenFacts(source="BULKPAUSE_TOKEN", claims=APP, expires_at=NOW + timedelta(minutes=minutes))
    assert judged(facts, flow=flow).grade == grade


@pytest.mark.parametrize(
    ("is_away", "obstacle", "remedy"),
    [(True, Obstacle.UNREACHABLE, "try again in a minute"), (False, Obstacle.NOT_AUTHORISED, "client_secret")],
)
def test_no_token(is_away: bool, obstacle: Obstacle, remedy: str) -> None:
    check = judged(TokenFacts(flaw="sign-in refused", is_away=is_away), is_let_in=None)
    assert (check.grade, check.said, check.obstacle) == (Grade.FAILED, "sign-in refused", obstacle)
    assert remedy in str(check.remedy)


def test_a_token_that_is_no_jwt_is_taken_as_it_is() -> None:
    check = judged(TokenFacts(source="a file"))
    assert (check.grade, check.said) == (
        Grade.OK,
        "from a file: it cannot be read from outside, does not say how long it lives",
    )


def exchange(reply: Reply, *, elapsed_ms: float = 35.0, **headers: str) -> ExchangeFacts:
    return ExchangeFacts(reply=reply, elapsed_ms=elapsed_ms, headers=headers, correlation_id="c-1")


def served(*exchanges: ExchangeFacts, flow: str = "client_secret", advice: str = "") -> Check:
    return judge_service(exchanges, flow=flow, advice=advice)


HALT = Halt(HaltReason.NOT_AUTHORISED, "the proxy refuses its password")


@pytest.mark.parametrize(
    ("reply", "grade", "obstacle", "said", "remedy"),
    [
        (Reply(Verdict.CONFIRMED, 200, 200), "ok", None, "lets us in (200)", ""),
        (Reply(Verdict.NOT_FOUND, 404, 404), "ok", None, "lets us in (404", ""),
        (Reply(Verdict.REJECTED, 400, 400, message="bad id"), "ok", None, "lets us in, though it does not", ""),
        (Reply(Verdict.REJECTED, 400, 400, message="<html>"), "failed", "unreachable", "answers 400", "a gateway"),
        (Reply(Verdict.REJECTED, 302, 302, message="redirect"), "failed", "unreachable", "answers 302", "base_url"),
        (Reply(Verdict.UNAUTHORISED, 401, 401), "failed", "not_authorised", "answers 401", "register the app"),
        (
            Reply(Verdict.UNAUTHORISED, 401, 401, message="900421: MFA"),
            "failed",
            "not_authorised",
            "a",
            "second factor",
        ),
        (Reply(Verdict.FORBIDDEN, 403, 403), "failed", "not_authorised", "answers 403", "Executive Report Viewer"),
        (Reply(Verdict.THROTTLED, 429, 429, retry_after_s=57.0), "warning", None, "answers 429", "wait for 57 s"),
        (Reply(Verdict.THROTTLED, 429, 429), "warning", None, "answers 429", "wait for a minute"),
        (Reply(Verdict.FAULT, 503, 503), "failed", "unreachable", "answers 503", "some minutes"),
        (Reply(Verdict.UNREADABLE, 200, 200, message="<html>"), "failed", "unreachable", "answers 200", "gateway"),
        (Reply(Verdict.UNANSWERED, error="no reply within 30 s"), "failed", "unreachable", "no reply", "network"),
        (Reply(Verdict.UNANSWERED, error="x", halt=HALT), "failed", "not_authorised", "x", "the proxy refuses"),
    ],
)
def test_an_answer(reply: Reply, grade: str, obstacle: str | None, said: str, remedy: str) -> None:
    check = served(exchange(reply))
    assert (check.grade, check.obstacle) == (grade, obstacle)
    assert check.said.startswith(said)
    assert remedy in (check.remedy or "")


def test_every_verdict_has_a_remedy() -> None:
    for verdict in Verdict:
        served(exchange(Reply(verdict, 418, 418)))


@pytest.mark.parametrize("verdict", [Verdict.FORBIDDEN, Verdict.UNAUTHORISED])
def test_what_else_may_help_against_a_refusal_is_said(verdict: Verdict) -> None:
    refused = exchange(Reply(verdict, 403, 403))
    assert str(served(refused, advice="Type `bulkpause login`").remedy).endswith(". Type `bulkpause login`")


def test_a_person_who_is_kept_signed_in_signs_in_again_by_login() -> None:
    refused = exchange(Reply(Verdict.UNAUTHORISED, 401, 401, message="900421"))
    assert "type `bulkpause login`, with a second factor" in str(served(refused, flow="refresh_token").remedy)
    answer = ExchangeFacts(reply=GOOD, elapsed_ms=1.0, headers={"ismfacompliant": "false"})
    assert "type `bulkpause login`" in str(judge_mfa(token(PERSON), [answer], flow="refresh_token").remedy)


def test_latency_quota_and_the_id_for_support_are_told() -> None:
    first, second = (
        exchange(Reply(Verdict.NOT_FOUND, 404, 404)),
        exchange(Reply(Verdict.NOT_FOUND, 404, 404), elapsed_ms=8.25),
    )
    check = served(first, ExchangeFacts(reply=second.reply, elapsed_ms=8.25, quota=Quota(10, 8), correlation_id="c-2"))
    assert check.details == (
        "35 ms with the connection, 8.2 ms on the same one",
        "8 of 10 requests left in its present window (X-RateLimit)",
        "for Microsoft's support: MS-CorrelationId c-1",
    )


def test_a_second_answer_that_fails_counts_more_than_a_first_that_did_not() -> None:
    good, bad = Reply(Verdict.NOT_FOUND, 404, 404), Reply(Verdict.UNAUTHORISED, 401, 401, message="900421")
    assert served(exchange(good), exchange(bad)).obstacle is Obstacle.NOT_AUTHORISED


@pytest.mark.parametrize(
    ("claims", "is_app"),
    [
        (APP, True),
        (PERSON, False),
        ({**APP, "idtyp": "app", "scp": "x"}, True),
        ({**APP, "idtyp": "user"}, False),
        ({}, False),
    ],
)
def test_an_apps_own_token_is_told_from_a_persons(claims: dict[str, Any], is_app: bool) -> None:
    assert is_apps_own(claims) is is_app


GOOD = Reply(Verdict.NOT_FOUND, 404, 404)


@pytest.mark.parametrize(
    ("claims", "answer", "grade", "said"),
    [
        (APP, None, Grade.OK, "not asked for"),
        (PERSON, "true", Grade.OK, "compliant, the service says"),
        (PERSON, "True ", Grade.OK, "compliant, the service says"),
        (PERSON, "false", Grade.WARNING, "not compliant"),
        (PERSON, None, Grade.OK, "the service does not say; the token was got with MFA"),
        ({**PERSON, "amr": ["pwd"]}, None, Grade.WARNING, "the service does not say, and the token was got without"),
        ({}, None, Grade.OK, "the service does not say, and the token cannot be read"),
        ({}, "false", Grade.WARNING, "not compliant"),
        (PERSON, "perhaps", Grade.OK, "the service does not say"),
    ],
)
def test_mfa(claims: dict[str, Any], answer: str | None, grade: Grade, said: str) -> None:
    headers = {} if answer is None else {"ismfacompliant": answer}
    second = ExchangeFacts(reply=GOOD, elapsed_ms=1.0, headers=headers)
    check = judge_mfa(token(claims), [exchange(GOOD), second], flow="token")
    assert check.grade is grade
    assert check.said.startswith(said)
    assert ("900421" in str(check.remedy)) is (grade is Grade.WARNING)
