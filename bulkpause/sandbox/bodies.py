"""The bodies the service answers with: the envelope in its casings and the error shapes of api.md section 6. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Final, assert_never

import orjson

from bulkpause.sandbox.faults import Shape

JSON: Final = "application/json; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
WEB_PAGE: Final = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Please sign in</h1></body></html>"


class Casing(StrEnum):
    """How the envelope spells its keys; mixed is the worst published sample (api.md section 3)."""

    CAMEL = "camel"
    PASCAL = "pascal"
    MIXED = "mixed"


def envelope(
    items: Iterable[Mapping[str, object]],
    *,
    casing: Casing,
    status_code: int | str = 200,
    message: str | None = None,
    next_link: str | None = None,
    total: int | None = None,
) -> bytes:
    """The success and error body of every Insights call."""
    value = list(items)
    match casing:
        case Casing.CAMEL:
            pass
        case Casing.PASCAL:
            value = [_pascal(item) for item in value]
        case Casing.MIXED:
            value = [{**item, " RecurrenceCount": item.get("recurrenceCount")} for item in value]
        case _:
            assert_never(casing)
    body = {
        "value": value,
        "nextLink": next_link,
        "totalCount": len(value) if total is None else total,
        "message": message,
        "statusCode": status_code,
        "dataRedacted": False,
    }
    return orjson.dumps(body if casing is Casing.CAMEL else _pascal(body))


def _pascal(item: Mapping[str, object]) -> dict[str, object]:
    return {key[:1].upper() + key[1:]: value for key, value in item.items()}


def error_body(shape: Shape, status: int, *, message: str, casing: Casing) -> tuple[bytes, str]:
    """An error in the shape asked for, with its content type."""
    match shape:
        case Shape.ENVELOPE:
            return envelope((), casing=casing, status_code=status, message=message), JSON
        case Shape.GATEWAY:
            return orjson.dumps({"statusCode": status, "message": message}), JSON
        case Shape.PARTNER:
            payload = {"code": status * 10 + 1, "description": message, "data": [], "source": "PartnerFD"}
            return orjson.dumps(payload), JSON
        case Shape.API:
            error = {"code": _phrase(status).replace(" ", ""), "message": message, "target": None, "innerError": None}
            return orjson.dumps({"error": error}), JSON
        case Shape.ENTRA:
            text = f"AADSTS90033: A transient error has occurred. Please try again. ({message})"
            return orjson.dumps({"error": "temporarily_unavailable", "error_description": text}), JSON
        case Shape.HTML:
            page = f"<html><head><title>{status} {_phrase(status)}</title></head><body>{message}</body></html>"
            return page.encode(), HTML
        case Shape.EMPTY:
            return b"", JSON
        case _:
            assert_never(shape)


_MESSAGES: Final = {
    400: "Invalid report parameters",
    401: "Unauthorized",
    403: "User does not have permission to access this report.",
    404: "No item found with given filters.",
    408: "The request timed out.",
    429: "Rate limit is exceeded. Try again in a moment.",
    500: "Internal error encountered while processing the report.",
    503: "Service unavailable",
}


def message_for(status: int, *, retry_after_s: float | None = None) -> str:
    """The text that goes with a status (api.md sections 4 and 6)."""
    if status == HTTPStatus.TOO_MANY_REQUESTS and retry_after_s is not None:
        return f"Rate limit is exceeded. Try again in {retry_after_s:g} seconds."
    return _MESSAGES.get(status, _phrase(status))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"
