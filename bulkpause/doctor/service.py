"""PURE: what the token, the service's answer and its word on MFA are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from bulkpause.doctor.checks import Check, Grade, Name, Obstacle
from bulkpause.doctor.facts import ExchangeFacts, TokenFacts
from bulkpause.doctor.words import said_list, said_ms, said_span
from bulkpause.models import HaltReason, Reply, Verdict

SHORT_LIFE_S: Final = 900.0
"""A token that nobody renews, and that ends sooner, may end before the run does."""

PARTNER_CENTER_APPS: Final = frozenset({"fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd", "4990cffe-04e8-4e8b-808a-1175604b879f"})
"""What the audience of a token for Partner Center may be called besides its URL (docs/api.md section 7)."""

MFA_REQUIRED: Final = "900421"

WELCOME: Final = frozenset({Verdict.CONFIRMED, Verdict.NOT_FOUND})
BAD_REQUEST: Final = 400

_PERSON_CLAIMS: Final = ("upn", "preferred_username", "unique_name")
_APP_CLAIMS: Final = ("appid", "azp")


def lets_in(reply: Reply) -> bool:
    """Whether the answer proves that the API takes the token: it has been looked at, if only to find nothing.

    A 400 may also be a gateway's that wants, say, a client certificate; those come as a web page.
    """
    is_page = (reply.message or "").lstrip().startswith("<")
    is_dislike = reply.verdict is Verdict.REJECTED and reply.http_status == BAD_REQUEST and not is_page
    return reply.verdict in WELCOME or is_dislike


def is_apps_own(claims: Mapping[str, Any]) -> bool:
    """Whether the token is an app's alone, with no person in it; False for a token that does not tell."""
    if not claims:
        return False
    if "idtyp" in claims:
        return bool(claims["idtyp"] == "app")
    return "scp" not in claims and not any(name in claims for name in _PERSON_CLAIMS)


def has_mfa(claims: Mapping[str, Any]) -> bool:
    """Whether the token says that its person has proven more than a password."""
    methods = claims.get("amr")
    return isinstance(methods, list) and "mfa" in methods


def judge_token(
    token: TokenFacts,
    *,
    flow: str,
    audiences: frozenset[str],
    tenant_id: str | None,
    is_let_in: bool | None,
    now: datetime,
) -> Check:
    """Whether there is a token, for whom and for what; `is_let_in`: whether the API took it, None if it did not say."""
    claims = token.claims
    left_s = None if token.expires_at is None else (token.expires_at - now).total_seconds()
    roles, scopes = _texts(claims.get("roles")), _texts(claims.get("scp"))
    known: dict[str, object] = {
        "flow": flow,
        "source": token.source,
        "elapsed_ms": round(token.elapsed_ms, 1),
        "tenant_id": _text(claims, "tid"),
        "client_id": _text(claims, *_APP_CLAIMS),
        "person": _text(claims, *_PERSON_CLAIMS),
        "roles": roles,
        "scopes": scopes,
        "audience": _text(claims, "aud"),
        "life_left_s": None if left_s is None else round(left_s),
        "mfa": has_mfa(claims),
    }
    if token.flaw is not None:
        return Check(
            name=Name.TOKEN,
            grade=Grade.FAILED,
            said=token.flaw,
            remedy="try again in a minute; if it stays so: network, proxy, or the sign-in service is down"
            if token.is_away
            else f"do what the message says of sign-in by {flow}; docs/sign-in.md has every other way to sign in",
            facts=known,
            obstacle=Obstacle.UNREACHABLE if token.is_away else Obstacle.NOT_AUTHORISED,
        )
    said, details = _said_token(token, known, left_s=left_s)
    remedy = _token_remedy(known, audiences=audiences, tenant_id=tenant_id, is_let_in=is_let_in, left_s=left_s)
    grade = Grade.OK if remedy is None else Grade.WARNING
    return Check(name=Name.TOKEN, grade=grade, said=said, details=details, remedy=remedy, facts=known)


def _said_token(token: TokenFacts, known: Mapping[str, object], *, left_s: float | None) -> tuple[str, tuple[str, ...]]:
    life = "does not say how long it lives" if left_s is None else f"{said_span(left_s)} left"
    if not token.claims:
        return f"from {token.source}: it cannot be read from outside, {life}", ()
    who = f"app {known['client_id'] or 'without a name'}"
    if known["person"] is not None:
        who = f"{known['person']}, by {who}"
    roles, scopes = _texts(known["roles"]), _texts(known["scopes"])
    rights = [f"role {said_list(roles)}"] if roles else []
    rights += [f"scope {said_list(scopes)}"] if scopes else []
    details = (
        f"tenant {known['tenant_id'] or 'not named'}, for {known['audience'] or 'nobody in particular'}",
        f"{', '.join(rights) or 'names neither a role nor a scope'}{', with MFA' if known['mfa'] else ''}",
    )
    return f"{who}, from {token.source} in {said_ms(token.elapsed_ms)}, {life}", details


def _token_remedy(
    known: Mapping[str, object],
    *,
    audiences: frozenset[str],
    tenant_id: str | None,
    is_let_in: bool | None,
    left_s: float | None,
) -> str | None:
    """What to do about a token that may not be the right one; None if it seems to be."""
    audience = str(known["audience"] or "").rstrip("/")
    if audience and audience.lower() not in audiences | PARTNER_CENTER_APPS:
        wanted = min(audiences, default="the API")
        return f"it is for {audience}, not for {wanted}: ask for a token with --resource {wanted}, or see auth.scope"
    its_tenant = known["tenant_id"]
    is_uuid = tenant_id is not None and tenant_id.count("-") == 4  # noqa: PLR2004 - not a domain's name
    if its_tenant is not None and tenant_id is not None and is_uuid and str(its_tenant).lower() != tenant_id.lower():
        return f"it is of another tenant than auth.tenant_id {tenant_id}: one of the two is wrong"
    if known["audience"] is not None and not known["roles"] and not known["scopes"] and is_let_in is False:
        return (
            "give the app a role: in Partner Center, User management, Microsoft Entra applications; or have an "
            "administrator consent to its permissions"
        )
    if known["flow"] == "token" and left_s is not None and left_s < SHORT_LIFE_S:
        return "a run that takes longer needs a new one: keep auth.token_file fresh, or use auth.token_command"
    return None


def judge_service(exchanges: Sequence[ExchangeFacts], *, flow: str, advice: str = "") -> Check:
    """Whether the API answers, lets us in, and how fast; `advice` is what else may help if it refuses the token."""
    first = exchanges[0]
    exchange = next((one for one in exchanges if not lets_in(one.reply)), first)
    reply = exchange.reply
    quota = next((one.quota for one in reversed(exchanges) if one.quota is not None), None)
    known: dict[str, object] = {
        "verdict": reply.verdict.value,
        "http_status": reply.http_status,
        "status_code": reply.status_code,
        "message": reply.message or reply.error,
        "first_ms": round(first.elapsed_ms, 1),
        "next_ms": round(exchanges[1].elapsed_ms, 1) if len(exchanges) > 1 else None,
        "rate_limit": None if quota is None else quota.limit,
        "rate_remaining": None if quota is None else quota.remaining,
        "retry_after_s": reply.retry_after_s,
        "correlation_id": exchange.correlation_id,
        "headers": dict(exchange.headers),
    }
    latency = f"{said_ms(first.elapsed_ms)} with the connection"
    if len(exchanges) > 1:
        latency += f", {said_ms(exchanges[1].elapsed_ms)} on the same one"
    details = [latency] if reply.http_status is not None else []
    if quota is not None:
        details.append(f"{quota.remaining:,} of {quota.limit:,} requests left in its present window (X-RateLimit)")
    if exchange.correlation_id is not None:
        details.append(f"for Microsoft's support: MS-CorrelationId {exchange.correlation_id}")
    said, grade, remedy, obstacle = _judge_reply(reply, flow=flow, advice=advice)
    return Check(
        name=Name.SERVICE,
        grade=grade,
        said=said,
        details=tuple(details),
        remedy=remedy,
        facts=known,
        obstacle=obstacle,
    )


_TROUBLE: Final[Mapping[Verdict, str]] = {
    Verdict.FAULT: "the service's own trouble: try again in some minutes; a run would wait and ask again by itself",
    Verdict.UNREADABLE: "is api.base_url right? If it is, a proxy or gateway answers in the service's place",
    Verdict.CONTRADICTED: "is api.base_url right? If it is, a proxy or gateway answers in the service's place",
    Verdict.REJECTED: "is api.base_url right, with its path (/insights/v1/mpn or /insights/v1.1/cmp)? See api.family",
    Verdict.UNANSWERED: "try again; if it stays so: network, proxy, or the service is down",
}
"""What to do about an answer that is none."""


def _judge_reply(reply: Reply, *, flow: str, advice: str) -> tuple[str, Grade, str | None, Obstacle | None]:
    """What is said of a reply, how it is graded, what to do about it, and what it stands in the way by."""
    words = reply.message or reply.error or ""
    said = f"answers {reply.http_status}{f': {words}' if words else ''}" if reply.http_status else words
    if lets_in(reply):
        return _welcome(reply, said), Grade.OK, None, None
    if reply.halt is not None:
        is_refused = reply.halt.reason is HaltReason.NOT_AUTHORISED
        obstacle = Obstacle.NOT_AUTHORISED if is_refused else Obstacle.UNREACHABLE
        return said or reply.halt.message, Grade.FAILED, reply.halt.message, obstacle
    match reply.verdict:
        case Verdict.UNAUTHORISED:
            remedy = _refused_remedy(words, flow=flow, advice=advice)
            return said, Grade.FAILED, remedy, Obstacle.NOT_AUTHORISED
        case Verdict.FORBIDDEN:
            remedy = (
                "ask an administrator of the partner tenant for a role that may see Insights reports "
                f"(Executive Report Viewer){_besides(advice)}"
            )
            return said, Grade.FAILED, remedy, Obstacle.NOT_AUTHORISED
        case Verdict.THROTTLED:
            wait = "a minute" if reply.retry_after_s is None else said_span(reply.retry_after_s)
            remedy = f"wait for {wait} and look again; who else uses this tenant's quota? A run goes slower by itself"
            return said, Grade.WARNING, remedy, None
        case Verdict.REJECTED if reply.http_status == BAD_REQUEST:
            remedy = "what answers is no API but a gateway before it: do what it says, and see api.base_url"
            return said, Grade.FAILED, remedy, Obstacle.UNREACHABLE
        case _:
            return said, Grade.FAILED, _TROUBLE[reply.verdict], Obstacle.UNREACHABLE


def _welcome(reply: Reply, said: str) -> str:
    match reply.verdict:
        case Verdict.CONFIRMED:
            return f"lets us in ({reply.http_status})"
        case Verdict.NOT_FOUND:
            return "lets us in (404: there is no such report, as it should be)"
        case _:
            return f"lets us in, though it does not like the question: {said}"


def _refused_remedy(words: str, *, flow: str, advice: str) -> str:
    if MFA_REQUIRED in words:
        again = "type `bulkpause login`" if flow == "refresh_token" else "have the person sign in again"
        return f"the service wants a person with MFA (900421): {again}, with a second factor"
    if flow == "token":
        return (
            "get a new token for this tenant and https://api.partnercenter.microsoft.com; is its app registered there?"
        )
    return (
        "register the app in Partner Center (User management, Microsoft Entra applications) with a role for Insights "
        f"reports, and check tenant and app{_besides(advice)}"
    )


def _besides(advice: str) -> str:
    return f". {advice}" if advice else ""


def judge_mfa(token: TokenFacts, exchanges: Sequence[ExchangeFacts], *, flow: str) -> Check:
    """Whether the service takes the person's sign-in for one with MFA: it says so if it is asked to."""
    if is_apps_own(token.claims):
        said = "not asked for: the token is an app's own, and MFA is for persons"
        return Check(
            name=Name.MFA, grade=Grade.OK, said=said, facts={"asked": False, "compliant": None, "in_claims": False}
        )
    answer = next((one.headers["ismfacompliant"] for one in exchanges if "ismfacompliant" in one.headers), None)
    is_compliant = {"true": True, "false": False}.get((answer or "").strip().lower())
    known: dict[str, object] = {
        "asked": len(exchanges) > 1,
        "compliant": is_compliant,
        "in_claims": has_mfa(token.claims),
    }
    again = "type `bulkpause login` and sign in" if flow == "refresh_token" else "have the person sign in again"
    remedy = f"{again} with a second factor: Microsoft refuses calls without one by 401 (900421) where it enforces that"
    if is_compliant is True:
        return Check(name=Name.MFA, grade=Grade.OK, said="compliant, the service says", facts=known)
    if is_compliant is False:
        said = "not compliant, the service says"
        return Check(name=Name.MFA, grade=Grade.WARNING, said=said, remedy=remedy, facts=known)
    if has_mfa(token.claims):
        said = "the service does not say; the token was got with MFA"
        return Check(name=Name.MFA, grade=Grade.OK, said=said, facts=known)
    if not token.claims:
        said = "the service does not say, and the token cannot be read from outside"
        return Check(name=Name.MFA, grade=Grade.OK, said=said, facts=known)
    said = "the service does not say, and the token was got without MFA"
    return Check(name=Name.MFA, grade=Grade.WARNING, said=said, remedy=remedy, facts=known)


def _text(claims: Mapping[str, Any], *names: str) -> str | None:
    return next((value for name in names if isinstance(value := claims.get(name), str) and value), None)


def _texts(value: object) -> list[str]:
    """The words of a claim, which is a list (roles) or a text with blanks between (scp)."""
    if isinstance(value, str):
        return value.split()
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []
