"""What a fault makes of an exchange: bodies in odd clothes, errors, lies and lost connections. Pure."""

from __future__ import annotations

import base64
import gzip
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import orjson

from bulkpause.models import Operation, ReportId
from bulkpause.sandbox.bodies import HTML, JSON, WEB_PAGE, Casing, envelope, error_body, message_for
from bulkpause.sandbox.exchange import Answer, Ending, Request, http_date
from bulkpause.sandbox.faults import Kind, Shape, Step, Target
from bulkpause.sandbox.reports import Report, to_item

_NO_MFA: Final = orjson.dumps(
    {
        "code": 900421,
        "description": "The request is not authorized: it was not authenticated with multi-factor authentication.",
        "data": [],
        "source": "PartnerFD",
    }
)
HUGE_BYTES: Final = 1_200_000
CARRIED_OUT: Final = frozenset(
    {
        Kind.LOST,
        Kind.CLOSE,
        Kind.SLOW,
        Kind.EMPTY,
        Kind.CUT,
        Kind.TORN,
        Kind.HUGE,
        Kind.GZIP,
        Kind.BOM,
        Kind.WRONG_TYPE,
        Kind.TEXT_CODE,
        Kind.NEXT_FOREIGN,
        Kind.NEXT_LOOP,
    }
)
"""The kinds that do what was asked and spoil only the reply."""
_ENDINGS: Final = {
    Kind.DROP: Ending.DROP,
    Kind.RESET: Ending.RESET,
    Kind.HANG: Ending.HANG,
    Kind.LOST: Ending.LOST,
    Kind.CLOSE: Ending.CLOSE,
    Kind.TORN: Ending.TORN,
}


def spoil(answer: Answer, step: Step, request: Request) -> Answer:
    """A good answer as the fault lets it out."""
    body = answer.body
    match step.kind:
        case Kind.SLOW:
            return replace(answer, delay_s=answer.delay_s + float(step.detail or 0))
        case Kind.EMPTY:
            return replace(answer, body=b"")
        case Kind.CUT:
            return replace(answer, body=body[: len(body) // 2])
        case Kind.GZIP:
            return replace(answer, body=gzip.compress(body), headers={**answer.headers, "Content-Encoding": "gzip"})
        case Kind.BOM:
            return replace(answer, body=b"\xef\xbb\xbf" + body)
        case Kind.WRONG_TYPE:
            return replace(answer, headers={**answer.headers, "Content-Type": "text/plain"})
        case Kind.HUGE | Kind.TEXT_CODE | Kind.NEXT_FOREIGN | Kind.NEXT_LOOP:
            return replace(answer, body=_with_field(body, *_planted(answer, step, request)))
        case _:
            return replace(answer, ending=_ENDINGS[step.kind])


def _planted(answer: Answer, step: Step, request: Request) -> tuple[str, str]:
    """The field of the envelope that the fault changes, in lower case, and what it says then."""
    match step.kind:
        case Kind.HUGE:
            return "message", "x" * HUGE_BYTES
        case Kind.TEXT_CODE:
            return "statuscode", str(answer.status)
        case Kind.NEXT_FOREIGN:
            return "nextlink", _elsewhere(step, request)
        case _:
            return "nextlink", request.target


def challenge(step: Step, claims: str, *, casing: Casing) -> Answer:
    """A refusal that says what the next token must prove."""
    encoded = base64.b64encode(claims.encode()).decode()
    told = f'Bearer realm="", error="insufficient_claims", claims="{encoded}"'
    return failure(int(step.detail or 401), casing=casing, headers={"WWW-Authenticate": told})


def stand_in(step: Step, request: Request, *, target: Target, casing: Casing) -> Answer:
    """The answer instead of a good one, for kinds that do nothing of what was asked, lies about a report apart."""
    match step.kind:
        case Kind.STATUS:
            moved = step.status < 400  # noqa: PLR2004
            return failure(
                step.status,
                casing=casing,
                shape=step.shape
                or (Shape.ENTRA if target in {Target.TOKEN, Target.DISCOVERY, Target.DEVICE_CODE} else None),
                headers={"Location": _elsewhere(step, request)} if moved else _retry_after(step, at=request.at),
                retry_after_s=_plain_seconds(step),
            )
        case Kind.REVOKE:
            return failure(401, casing=casing)
        case Kind.ECHO:
            status, _, signature = (step.detail or "500").partition("=")
            authorization = request.headers.get("Authorization", "")
            message = _indiscreet(authorization, signature, request.body.decode(errors="replace"))
            if target in {Target.TOKEN, Target.DISCOVERY}:
                said = {"error": "invalid_client", "error_description": f"AADSTS7000215: {message}"}
                return Answer(status=int(status), body=orjson.dumps(said), headers={"Content-Type": JSON})
            return failure(
                int(status),
                casing=casing,
                message=message,
                headers={"X-Echo": authorization, "MS-CorrelationId": authorization},
            )
        case Kind.MFA:
            return Answer(status=401, body=_NO_MFA, headers={"Content-Type": JSON})
        case Kind.HTML:
            return Answer(body=WEB_PAGE, headers={"Content-Type": HTML})
        case _:
            return Answer(ending=_ENDINGS[step.kind])


def _indiscreet(authorization: str, signature: str, body: str) -> str:
    """What a service should not say: the token with and without its scheme, a link that needs no other, the form."""
    token = authorization.partition(" ")[2]
    link = f"https://blob.example/export?sv=2024&sig={signature}&se=2026"
    return f"Rejected {token[:60]} in Authorization: {authorization}; see {link} or {body}; once more: {token}"


def lie(step: Step, report: Report, operation: Operation, *, casing: Casing) -> Answer:
    """HTTP 200 about something that was not done."""
    headers = {"Content-Type": JSON}
    match step.kind:
        case Kind.LIE_STATUS:
            code = int(float(step.detail or 500))
            return Answer(
                body=envelope((), casing=casing, status_code=code, message=message_for(code)), headers=headers
            )
        case Kind.LIE_OTHER:
            told = replace(report, report_id=_neighbour(report.report_id), report_status=operation.wanted)
        case Kind.LIE_DONE:
            told = replace(report, report_status=operation.wanted)
        case _:
            told = replace(report, report_status=operation.reverse.wanted)
    return Answer(body=envelope([to_item(told)], casing=casing), headers=headers)


def failure(
    status: int,
    *,
    casing: Casing,
    shape: Shape | None = None,
    message: str | None = None,
    headers: dict[str, str] | None = None,
    retry_after_s: float | None = None,
) -> Answer:
    """An error reply; the gateway speaks for itself with 401, 411 and 429, the service in its envelope otherwise."""
    body, content_type = error_body(
        shape or (Shape.GATEWAY if status in {401, 411, 429} else Shape.ENVELOPE),
        status,
        message=message or message_for(status, retry_after_s=retry_after_s),
        casing=casing,
    )
    return Answer(status=status, body=body, headers={"Content-Type": content_type, **(headers or {})})


def _neighbour(report_id: ReportId) -> ReportId:
    return ReportId(str(UUID(int=UUID(report_id).int ^ 1)))


def _elsewhere(step: Step, request: Request) -> str:
    return step.detail or f"https://elsewhere.invalid{request.target}"


def _retry_after(step: Step, *, at: datetime) -> dict[str, str]:
    detail = step.detail or ("1" if step.status == 429 else "none")  # noqa: PLR2004
    form, _, value = detail.partition("=")
    match form:
        case "none":
            return {}
        case "raw":
            return {"Retry-After": value}
        case "date":
            return {"Retry-After": http_date(at + timedelta(seconds=float(value)))}
        case "ms":
            return {"retry-after-ms": value}
        case "x-ms":
            return {"x-ms-retry-after-ms": value}
        case _:
            return {"Retry-After": detail}


def _plain_seconds(step: Step) -> float | None:
    return float(step.detail) if step.detail and step.detail.replace(".", "", 1).isdecimal() else None


def _with_field(body: bytes, name: str, value: str) -> bytes:
    payload = orjson.loads(body)
    return orjson.dumps({key: value if key.lower() == name else old for key, old in payload.items()})
