"""Bodies as the service may send them: envelopes in every casing, and JSON of any shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from hypothesis import strategies as st

from bulkpause.models import ReportId

NOW = datetime(2026, 3, 1, tzinfo=UTC)
REPORT = ReportId("0b9c7a52-8a5e-4f9b-9c1e-3d2f1a0b4c5d")
OTHER = "11111111-2222-4333-8444-555555555555"
JSON = "application/json; charset=utf-8"


HTML = b"<!DOCTYPE html>\n<html><body>\n  Please   sign in\n</body></html>"


def camel(key: str) -> str:
    return key


def pascal(key: str) -> str:
    return key[0].upper() + key[1:]


def padded(key: str) -> str:
    return f" {pascal(key)}\t"


def mixed(key: str) -> str:
    return pascal(key) if len(key) % 2 else f" {key.upper()}"


Casing = Callable[[str], str]

CASINGS: list[Casing] = [camel, pascal, padded, mixed, str.upper, str.lower]


def report(**changes: Any) -> dict[str, Any]:
    return {"reportId": REPORT, "reportName": "Über", "reportStatus": "Paused", "recurrenceCount": None, **changes}


def envelope(*reports: Mapping[str, Any], casing: Casing = camel, **changes: Any) -> bytes:
    """The envelope of api.md section 3; a change to `...` leaves the key out."""
    items = [{casing(key): value for key, value in item.items() if value is not ...} for item in reports]
    body = {"value": items, "nextLink": None, "totalCount": len(items), "message": None, "statusCode": 200, **changes}
    return orjson.dumps({casing(key): value for key, value in body.items() if value is not ...})


WORDS = st.sampled_from(["value", "reportId", "reportStatus", "statusCode", "message", "error", "code", "description"])
VALUES = st.sampled_from([REPORT, OTHER, "Paused", "Active", "200", 200, 404, 429, True, None, 10**18, "x" * 2000])
PAYLOADS = st.recursive(
    VALUES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.builds(
            lambda fields, casing: {casing(key): value for key, value in fields.items()},
            st.dictionaries(WORDS, inner),
            st.sampled_from(CASINGS),
        )
    ),
)
