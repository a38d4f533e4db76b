"""What stands in a reply's body: the JSON object, its fields whatever their casing, the server's words. Pure.

The shapes and their sources are listed in docs/api.md sections 3, 4 and 6. Keys come in camelCase and PascalCase, even
mixed and padded within one body, so they are matched without case and stripped.
"""

from __future__ import annotations

import contextlib
import re
import zlib
from collections.abc import Mapping
from typing import Any, Final

import orjson

from bulkpause.models import MESSAGE_LIMIT
from bulkpause.redaction import without_shapes

BODY_LIMIT: Final = 1_000_000
"""Bytes of a reply about one report that are read; a real one has under a thousand."""

EXCERPT_LIMIT: Final = 200

_CODE: Final = re.compile(r"\s*[0-9]{3}\s*")

Fields = Mapping[str, Any]
"""A JSON object as it came."""


def parse(body: bytes | None, *, limit: int = BODY_LIMIT) -> Fields | None:
    """The body as a JSON object, or None if it is not one; `limit` is how many bytes a compressed one may unfold to."""
    if not body:
        return None
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            parsed = orjson.loads(_decoded(body, limit))
        except orjson.JSONDecodeError:
            return None
    return parsed if isinstance(parsed, dict) else None


def field(fields: Fields, name: str) -> Any:
    """The value under `name` (camelCase) in whatever casing and padding the body has it; None if absent."""
    if name in fields:
        return fields[name]
    wanted = name.lower()
    return next((value for key, value in fields.items() if key.strip().lower() == wanted), None)


def status_code(fields: Fields | None) -> int | None:
    """The envelope's StatusCode, text or number; None if there is none, 0 if it is no three-digit code."""
    value = None if fields is None else field(fields, "statusCode")
    if value is None:
        return None
    if isinstance(value, str) and _CODE.fullmatch(value):
        value = int(value)
    return value if isinstance(value, int) and 100 <= value <= 999 else 0


def message(fields: Fields | None, body: bytes | None) -> str | None:
    """The server's words in any of the error shapes seen: envelope, gateway, Partner Center, Partner API, HTML."""
    if fields is None:
        return excerpt(body) if body is None or body else None
    error = field(fields, "error")
    if isinstance(error, dict):
        fields = error
    for name in ("message", "description", "error_description", "error", "title"):
        if said := text(field(fields, name)):
            code = field(fields, "code")  # the one word that tells, say, a missing second factor (900421)
            return plain(f"{code}: {said}") if isinstance(code, str | int) and str(code) not in said else said
    return excerpt(body)


def text(value: Any) -> str | None:
    """`value` made plain if it is text."""
    return plain(value) if isinstance(value, str) else None


def plain(words: str, *, limit: int = MESSAGE_LIMIT) -> str:
    """One line of printable text without secrets, at most `limit` characters."""
    words = words[: 4 * limit].strip()
    if not words.isprintable():
        words = " ".join("".join(character if character.isprintable() else " " for character in words).split())
    words = without_shapes(words)
    return words if len(words) <= limit else words[: limit - 1] + "…"


def excerpt(body: bytes | None) -> str:
    """The beginning of a body that cannot be read, for a message; None stands for one over the limit."""
    if body is None:
        return f"larger than {BODY_LIMIT:,} bytes"
    if not body:
        return "empty"
    return plain(_decoded(body[: 4 * EXCERPT_LIMIT], BODY_LIMIT), limit=EXCERPT_LIMIT)


def _decoded(body: bytes, limit: int) -> str:
    """Text of a body, which may be compressed without saying so, start with a byte order mark, or hold stray bytes."""
    if body.startswith(b"\x1f\x8b"):
        with contextlib.suppress(zlib.error):
            body = zlib.decompressobj(wbits=31).decompress(body, limit)
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", "replace")
    return body.decode("utf-8-sig", "replace")
