"""What one page of the tenant's list of reports means: everything the product knows about GET ScheduledReport. Pure.

The endpoint, its filters and its nextLink are described in docs/api.md section 2, the fields of a report in section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from bulkpause.ids import parse_report_id
from bulkpause.models import Page, Reply, Report, Verdict
from bulkpause.replies.envelope import Fields, excerpt, field, parse, plain, status_code, text
from bulkpause.replies.puts import refusal

LIST_LIMIT: Final = 512 << 20
"""Bytes of a page that are read, enough for most of a million reports; the API may never page at all."""

NO_QUERY: Final[Mapping[str, str]] = MappingProxyType({})
"""Ask for every report."""

_STATES: Final = {state.lower(): state for state in ("Active", "Paused", "Inactive")}

_NO_SUCH_PATH: Final = "resource not found"
"""What Azure API Management says of a path that no API has; the API itself says that no item was found."""


def judge_page(*, http_status: int, headers: Mapping[str, str], body: bytes | None, now: datetime) -> Page:
    """The meaning of one reply to GET ScheduledReport; `body` is None when it was larger than LIST_LIMIT.

    CONFIRMED comes with the reports of the page, NOT_FOUND means that no report passes the filter, and any other
    verdict is a failure, whose message says why. An HTTP or envelope code of 400 or more is never a page.
    """
    fields = parse(body, limit=LIST_LIMIT)
    refused = refusal(http_status=http_status, headers=headers, fields=fields, body=body, now=now)
    if refused is None:
        return _judge_success(http_status, body, fields)
    if refused.verdict is Verdict.NOT_FOUND and not _says_none(fields, refused):
        refused = refused._replace(
            verdict=Verdict.REJECTED, message=f"{refused.message or 'an empty page'}; is api.base_url right?"
        )
    return Page(refused)


def _says_none(fields: Fields | None, reply: Reply) -> bool:
    """Whether a 404 comes from the API, and not from whatever answers where there is no API."""
    return fields is not None and (reply.message or "").strip(" .").lower() != _NO_SUCH_PATH


def _judge_success(http_status: int, body: bytes | None, fields: Fields | None) -> Page:
    if body is None:
        return Page(Reply(Verdict.REJECTED, http_status, http_status, message=f"larger than {LIST_LIMIT >> 20} MiB"))
    said = status_code(fields)
    code = said or http_status
    value = None if fields is None else field(fields, "value")
    items = [value] if isinstance(value, dict) else value
    if fields is None or not isinstance(items, list):
        return Page(Reply(Verdict.UNREADABLE, http_status, code, message=f"no list of reports: {excerpt(body)}"))
    if said is not None and not 200 <= said < 300:
        flaw = f"HTTP {http_status} with StatusCode {said or 'unreadable'}"
        return Page(Reply(Verdict.UNREADABLE, http_status, code, message=flaw))
    link = field(fields, "nextLink")
    if link is not None and not isinstance(link, str):
        flaw = f"a nextLink that is no text but {type(link).__name__}"
        return Page(Reply(Verdict.UNREADABLE, http_status, code, message=flaw))
    reports = tuple(filter(None, map(_read_report, items)))
    return Page(
        Reply(Verdict.CONFIRMED, http_status, code, message=text(field(fields, "message"))),
        reports,
        next_link=(link or "").strip() or None,
        unreadable=len(items) - len(reports),
    )


def _read_report(item: Any) -> Report | None:
    """One item of `value`; None if it names no report."""
    if not isinstance(item, dict):
        return None
    fields = {key.strip().lower(): value for key, value in item.items()}
    report_id = parse_report_id(_words(fields.get("reportid")) or "")
    if report_id is None:
        return None
    state = _words(fields.get("reportstatus"))
    return Report(
        report_id,
        report_status=None if state is None else _STATES.get(state.strip().lower(), state),
        name=_words(fields.get("reportname")),
        query_id=_words(fields.get("queryid")),
        user=_words(fields.get("user")),
        modified_time=_words(fields.get("modifiedtime")),
    )


def _words(value: Any) -> str | None:
    """Text on one line, without what is no text and never longer than a message; a user may come as a number."""
    return plain(str(value)) if isinstance(value, str | int) else None
