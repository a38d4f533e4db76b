"""What the verbs print alike: counts in words, targets, documents."""

from __future__ import annotations

from typing import Any

import orjson

from bulkpause.models import SourceCounts
from bulkpause.settings import Settings


def target(settings: Settings, *, is_sandbox: bool) -> str:
    """Where requests go."""
    return "the embedded sandbox" if is_sandbox else settings.api.base_url


def counted(counts: SourceCounts) -> str:
    """What became of the rows of a source."""
    return f"{counts.accepted:,} accepted, {counts.duplicate:,} duplicate, {counts.invalid:,} invalid"


def many(count: int, noun: str) -> str:
    """`1 report`, `2 reports`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def print_json(document: Any) -> None:
    """One document on stdout."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z
    print_text(orjson.dumps(document, option=options).decode())


def print_text(text: str) -> None:
    """The result, on stdout."""
    print(text, flush=True)  # noqa: T201 - this is the result
