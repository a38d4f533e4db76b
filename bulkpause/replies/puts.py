"""What a reply means: everything the product knows about HTTP and the envelope, in one pure function.

The shapes and their sources are listed in docs/api.md sections 3, 4 and 6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from bulkpause.models import Halt, HaltReason, Operation, Quota, Reply, ReportId, Verdict
from bulkpause.replies.challenge import challenged_claims
from bulkpause.replies.envelope import Fields, excerpt, field, message, parse, plain, status_code, text
from bulkpause.retry import retry_after_s

_COUNT: Final = re.compile(r"[1-9]\d{0,8}|0", re.ASCII)

_NO_MFA_CODE: Final = "900421"
_NO_MFA: Final = re.compile(rf"(?<!\w){_NO_MFA_CODE}(?!\w)")

NO_MFA: Final = Halt(
    HaltReason.NOT_AUTHORISED,
    "Partner Center wants MFA, and this token shows none (900421): a person has to sign in with MFA, type "
    "`bulkpause login`; an app alone needs none where its reports allow it",
)
"""Every other attempt would be refused the same (docs/api.md section 7)."""

_VERDICTS: Final = {
    401: Verdict.UNAUTHORISED,
    403: Verdict.FORBIDDEN,
    404: Verdict.NOT_FOUND,
    408: Verdict.FAULT,
    500: Verdict.FAULT,
    502: Verdict.FAULT,
    503: Verdict.FAULT,
    504: Verdict.FAULT,
}


def judge(
    operation: Operation,
    report_id: ReportId,
    *,
    http_status: int,
    headers: Mapping[str, str],
    body: bytes | None,
    now: datetime,
) -> Reply:
    """The meaning of one reply to `operation` on `report_id`.

    `body` is None when it was larger than BODY_LIMIT. HTTP code, envelope StatusCode and ReportStatus are judged
    together: a 200 counts only if its envelope agrees and it speaks of this report in the wanted state.
    """
    fields = parse(body)
    refused = refusal(http_status=http_status, headers=headers, fields=fields, body=body, now=now)
    reply = refused or _judge_success(operation, report_id, http_status, body, fields)
    told = quota(headers)
    return reply if told is None else reply._replace(quota=told)


def quota(headers: Mapping[str, str]) -> Quota | None:
    """What the X-RateLimit headers say; None if they say nothing, or nonsense (docs/api.md section 6)."""
    remaining = headers.get("X-RateLimit-Remaining")
    if remaining is None:
        return None
    limit = headers.get("X-RateLimit-Limit", "")
    if not (_COUNT.fullmatch(limit) and _COUNT.fullmatch(remaining)) or not int(remaining) <= int(limit) > 0:
        return None
    return Quota(int(limit), int(remaining))


def refusal(
    *, http_status: int, headers: Mapping[str, str], fields: Fields | None, body: bytes | None, now: datetime
) -> Reply | None:
    """The meaning of a reply that is no success, by its HTTP code or its envelope; None if neither says so.

    `fields` is what `body` holds as JSON. A redirect is one: nobody follows it.
    """
    code = status_code(fields)
    if http_status < 300 and (code is None or code < 400):
        return None
    if 300 <= http_status < 400:
        where = headers.get("Location", "nowhere")
        return Reply(Verdict.REJECTED, http_status, http_status, message=plain(f"redirect to {where}, not followed"))
    verdict, code = _judge_failure(http_status, code)
    asked_s = retry_after_s(headers, now=now)
    reply = Reply(verdict, http_status, code, message=message(fields, body), retry_after_s=asked_s)
    return _about_the_token(reply, headers, fields) if http_status in {401, 403} else reply


def _about_the_token(reply: Reply, headers: Mapping[str, str], fields: Fields | None) -> Reply:
    """The refusal with what it says of the token: a challenge that another one may meet, or that none will do."""
    if reply.verdict is Verdict.UNAUTHORISED and _says_no_mfa(fields, reply.message):
        return reply._replace(halt=NO_MFA)
    claims = challenged_claims(reply.http_status or 0, headers)
    return reply if claims is None else reply._replace(verdict=Verdict.UNAUTHORISED, claims=claims)


def _says_no_mfa(fields: Fields | None, said: str | None) -> bool:
    """Whether Partner Center's code 900421 stands in the body, as a code or in its words."""
    if fields is not None:
        error = field(fields, "error")
        for part in (fields, error if isinstance(error, dict) else {}):
            if str(field(part, "code")) == _NO_MFA_CODE:
                return True
    return _NO_MFA.search(said or "") is not None


def _judge_success(
    operation: Operation,
    report_id: ReportId,
    http_status: int,
    body: bytes | None,
    fields: Fields | None,
) -> Reply:
    said = status_code(fields)
    code = said or http_status
    if fields is None:
        return Reply(Verdict.UNREADABLE, http_status, code, message=f"unreadable reply: {excerpt(body)}")
    report = _report(fields, report_id)
    if report is None:
        flaw = f"the reply does not name this report: {excerpt(body)}"
        return Reply(Verdict.CONTRADICTED, http_status, code, message=flaw)
    wanted, state = operation.wanted, field(report, "reportStatus")
    report_status = state if state is None or state == wanted else text(state) or type(state).__name__
    if report_status is not None and report_status.lower() != wanted.lower():
        flaw = f"the reply says the report is {report_status}, not {wanted}"
        return Reply(Verdict.CONTRADICTED, http_status, code, report_status, plain(flaw))
    if said is not None and not 200 <= said < 300:
        flaw = f"HTTP {http_status} with StatusCode {said or 'unreadable'}"
        return Reply(Verdict.CONTRADICTED, http_status, code, report_status, flaw)
    modified_time = text(field(report, "modifiedTime"))
    message = text(field(fields, "message"))
    return Reply(Verdict.CONFIRMED, http_status, code, report_status, message, modified_time=modified_time)


def _judge_failure(http_status: int, said: int | None) -> tuple[Verdict, int]:
    """The HTTP code where it has a meaning of its own, else the envelope's; either may tell of throttling."""
    code = said if said is not None and said >= 400 else http_status
    if 429 in (http_status, code):
        return Verdict.THROTTLED, 429
    return _VERDICTS.get(http_status) or _VERDICTS.get(code, Verdict.REJECTED), code


def _report(fields: Fields, report_id: ReportId) -> Fields | None:
    """The report object about `report_id`; `value` holds a list of one, but a bare object is understood."""
    value = field(fields, "value")
    for report in value if isinstance(value, list) else (value,):
        if isinstance(report, dict):
            named = field(report, "reportId")
            if isinstance(named, str) and named.strip().strip("{}").lower() == report_id:
                return report
    return None
