"""What a reply means: everything the product knows about HTTP and the envelope, in one pure function.

The shapes and their sources are listed in docs/api.md sections 3, 4 and 6. Keys come in camelCase and PascalCase, even
mixed and padded within one body, so they are matched without case and stripped.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from bulkpause.models import MESSAGE_LIMIT, Operation, Reply, ReportId, Verdict
from bulkpause.retry import retry_after_s

BODY_LIMIT: Final = 1_000_000
"""Bytes of a reply that are read; a real one has under a thousand."""

EXCERPT_LIMIT: Final = 200

_VERDICTS: Final = {
    401: Verdict.UNAUTHORISED,
    403: Verdict.FORBIDDEN,
    404: Verdict.NOT_FOUND,
    408: Verdict.FAULT,
    429: Verdict.THROTTLED,
    500: Verdict.FAULT,
    502: Verdict.FAULT,
    503: Verdict.FAULT,
    504: Verdict.FAULT,
}

_Fields = Mapping[str, Any]


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
    fields = _parse(body)
    if http_status < 300:
        return _judge_success(operation, report_id, http_status, headers, body, fields, now)
    if http_status < 400:
        where = headers.get("Location", "nowhere")
        return Reply(Verdict.REJECTED, http_status, http_status, message=_cut(f"redirect to {where}, not followed"))
    code = _status_code(fields)
    verdict = Verdict.THROTTLED if code == 429 else _VERDICTS.get(http_status, Verdict.REJECTED)
    return Reply(
        verdict,
        http_status,
        http_status if code is None else code,
        message=_message(fields, body),
        retry_after_s=retry_after_s(headers, now=now),
    )


def _judge_success(
    operation: Operation,
    report_id: ReportId,
    http_status: int,
    headers: Mapping[str, str],
    body: bytes | None,
    fields: _Fields | None,
    now: datetime,
) -> Reply:
    if fields is None:
        return Reply(Verdict.UNREADABLE, http_status, http_status, message=f"unreadable reply: {_excerpt(body)}")
    code = _status_code(fields)
    if code is None:
        code = http_status
    elif code >= 400:
        verdict = _VERDICTS.get(code, Verdict.REJECTED)
        asked_s = retry_after_s(headers, now=now)
        return Reply(verdict, http_status, code, message=_message(fields, body), retry_after_s=asked_s)
    report = _report(fields, report_id)
    if report is None:
        said = f"the reply does not name this report: {_excerpt(body)}"
        return Reply(Verdict.CONTRADICTED, http_status, code, message=said)
    report_status = _text(_field(report, "reportStatus"))
    if report_status is not None and report_status.strip().lower() != operation.wanted.lower():
        said = f"the reply says the report is {report_status}, not {operation.wanted}"
        return Reply(Verdict.CONTRADICTED, http_status, code, report_status, _cut(said))
    if not 200 <= code < 300:
        return Reply(
            Verdict.CONTRADICTED, http_status, code, report_status, f"HTTP {http_status} with StatusCode {code}"
        )
    return Reply(Verdict.CONFIRMED, http_status, code, report_status, _text(_field(fields, "message")))


def _parse(body: bytes | None) -> _Fields | None:
    """The body as a JSON object, or None if it is not one."""
    if not body:
        return None
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            parsed = orjson.loads(_decoded(body))
        except (orjson.JSONDecodeError, UnicodeDecodeError, zlib.error):
            return None
    return parsed if isinstance(parsed, dict) else None


def _decoded(body: bytes) -> str:
    """Text of a body that was compressed without saying so, or starts with a byte order mark."""
    if body.startswith(b"\x1f\x8b"):
        body = zlib.decompressobj(wbits=31).decompress(body, BODY_LIMIT)
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16")
    return body.decode("utf-8-sig")


def _field(fields: _Fields, name: str) -> Any:
    """The value under `name` (camelCase) in whatever casing and padding the body has it; None if absent."""
    if name in fields:
        return fields[name]
    wanted = name.lower()
    return next((value for key, value in fields.items() if key.strip().lower() == wanted), None)


def _status_code(fields: _Fields | None) -> int | None:
    value = None if fields is None else _field(fields, "statusCode")
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _report(fields: _Fields, report_id: ReportId) -> _Fields | None:
    """The report object about `report_id`; `value` holds a list of one, but a bare object is understood."""
    value = _field(fields, "value")
    for report in value if isinstance(value, list) else (value,):
        if isinstance(report, dict):
            named = _text(_field(report, "reportId"))
            if named is not None and named.strip().strip("{}").lower() == report_id:
                return report
    return None


def _message(fields: _Fields | None, body: bytes | None) -> str | None:
    """The server's words in any of the error shapes seen: envelope, gateway, Partner Center, Partner API, HTML."""
    if fields is None:
        return _excerpt(body) if body is None or body else None
    error = _field(fields, "error")
    if isinstance(error, dict):
        fields = error
    for name in ("message", "description", "error", "title"):
        text = _text(_field(fields, name))
        if text:
            return text
    return _excerpt(body)


def _text(value: Any) -> str | None:
    return _cut(value) if isinstance(value, str) else None


def _cut(text: str) -> str:
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"


def _excerpt(body: bytes | None) -> str:
    if body is None:
        return f"larger than {BODY_LIMIT:,} bytes"
    if not body:
        return "empty"
    text = " ".join(body[: EXCERPT_LIMIT * 4].decode("utf-8", "replace").split())
    return text if len(text) <= EXCERPT_LIMIT else text[: EXCERPT_LIMIT - 1] + "…"
