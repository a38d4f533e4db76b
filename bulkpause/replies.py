"""What a reply means: everything the product knows about HTTP and the envelope, in one pure function.

The shapes and their sources are listed in docs/api.md sections 3, 4 and 6. Keys come in camelCase and PascalCase, even
mixed and padded within one body, so they are matched without case and stripped.
"""

from __future__ import annotations

import contextlib
import re
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
    500: Verdict.FAULT,
    502: Verdict.FAULT,
    503: Verdict.FAULT,
    504: Verdict.FAULT,
}

_CODE: Final = re.compile(r"\s*[0-9]{3}\s*")

_SECRET: Final = re.compile(r"([Bb]earer |sig=|eyJ)[^\s&\"'<>]+")
"""A token or a SAS signature that an error page echoes."""

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
    code = _status_code(fields)
    if http_status < 300 and (code is None or code < 400):
        return _judge_success(operation, report_id, http_status, code, body, fields)
    if 300 <= http_status < 400:
        where = headers.get("Location", "nowhere")
        return Reply(Verdict.REJECTED, http_status, http_status, message=_plain(f"redirect to {where}, not followed"))
    verdict, code = _judge_failure(http_status, code)
    asked_s = retry_after_s(headers, now=now)
    return Reply(verdict, http_status, code, message=_message(fields, body), retry_after_s=asked_s)


def _judge_success(
    operation: Operation,
    report_id: ReportId,
    http_status: int,
    said: int | None,
    body: bytes | None,
    fields: _Fields | None,
) -> Reply:
    code = said or http_status
    if fields is None:
        return Reply(Verdict.UNREADABLE, http_status, code, message=f"unreadable reply: {_excerpt(body)}")
    report = _report(fields, report_id)
    if report is None:
        flaw = f"the reply does not name this report: {_excerpt(body)}"
        return Reply(Verdict.CONTRADICTED, http_status, code, message=flaw)
    wanted, state = operation.wanted, _field(report, "reportStatus")
    report_status = state if state is None or state == wanted else _text(state) or type(state).__name__
    if report_status is not None and report_status.lower() != wanted.lower():
        flaw = f"the reply says the report is {report_status}, not {wanted}"
        return Reply(Verdict.CONTRADICTED, http_status, code, report_status, _plain(flaw))
    if said is not None and not 200 <= said < 300:
        flaw = f"HTTP {http_status} with StatusCode {said or 'unreadable'}"
        return Reply(Verdict.CONTRADICTED, http_status, code, report_status, flaw)
    return Reply(Verdict.CONFIRMED, http_status, code, report_status, _text(_field(fields, "message")))


def _judge_failure(http_status: int, said: int | None) -> tuple[Verdict, int]:
    """The HTTP code where it has a meaning of its own, else the envelope's; either may tell of throttling."""
    code = said if said is not None and said >= 400 else http_status
    if 429 in (http_status, code):
        return Verdict.THROTTLED, 429
    return _VERDICTS.get(http_status) or _VERDICTS.get(code, Verdict.REJECTED), code


def _parse(body: bytes | None) -> _Fields | None:
    """The body as a JSON object, or None if it is not one."""
    if not body:
        return None
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            parsed = orjson.loads(_decoded(body))
        except orjson.JSONDecodeError:
            return None
    return parsed if isinstance(parsed, dict) else None


def _decoded(body: bytes) -> str:
    """Text of a body, which may be compressed without saying so, start with a byte order mark, or hold stray bytes."""
    if body.startswith(b"\x1f\x8b"):
        with contextlib.suppress(zlib.error):
            body = zlib.decompressobj(wbits=31).decompress(body, BODY_LIMIT)
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", "replace")
    return body.decode("utf-8-sig", "replace")


def _field(fields: _Fields, name: str) -> Any:
    """The value under `name` (camelCase) in whatever casing and padding the body has it; None if absent."""
    if name in fields:
        return fields[name]
    wanted = name.lower()
    return next((value for key, value in fields.items() if key.strip().lower() == wanted), None)


def _status_code(fields: _Fields | None) -> int | None:
    """The envelope's StatusCode, text or number; None if there is none, 0 if it is no three-digit code."""
    value = None if fields is None else _field(fields, "statusCode")
    if value is None:
        return None
    if isinstance(value, str) and _CODE.fullmatch(value):
        value = int(value)
    return value if isinstance(value, int) and 100 <= value <= 999 else 0


def _report(fields: _Fields, report_id: ReportId) -> _Fields | None:
    """The report object about `report_id`; `value` holds a list of one, but a bare object is understood."""
    value = _field(fields, "value")
    for report in value if isinstance(value, list) else (value,):
        if isinstance(report, dict):
            named = _field(report, "reportId")
            if isinstance(named, str) and named.strip().strip("{}").lower() == report_id:
                return report
    return None


def _message(fields: _Fields | None, body: bytes | None) -> str | None:
    """The server's words in any of the error shapes seen: envelope, gateway, Partner Center, Partner API, HTML."""
    if fields is None:
        return _excerpt(body) if body is None or body else None
    error = _field(fields, "error")
    if isinstance(error, dict):
        fields = error
    for name in ("message", "description", "error_description", "error", "title"):
        if text := _text(_field(fields, name)):
            code = _field(fields, "code")  # the one word that tells, say, a missing second factor (900421)
            return _plain(f"{code}: {text}") if isinstance(code, str | int) and str(code) not in text else text
    return _excerpt(body)


def _text(value: Any) -> str | None:
    return _plain(value) if isinstance(value, str) else None


def _plain(text: str, *, limit: int = MESSAGE_LIMIT) -> str:
    """One line of printable text without secrets, at most `limit` characters."""
    text = text[: 4 * limit].strip()
    if not text.isprintable():
        text = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    if _SECRET.search(text):  # `sub` alone costs four times as much where there is none
        text = _SECRET.sub(r"\1****", text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _excerpt(body: bytes | None) -> str:
    if body is None:
        return f"larger than {BODY_LIMIT:,} bytes"
    if not body:
        return "empty"
    return _plain(_decoded(body[: 4 * EXCERPT_LIMIT]), limit=EXCERPT_LIMIT)
