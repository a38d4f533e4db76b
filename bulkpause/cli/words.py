"""What the verbs print alike: counts in words, targets, documents."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, cast

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
    """One document on stdout. Secrets are struck out of its texts alone: it stays a document, and keeps its shape."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z
    text = orjson.dumps(document, option=options).decode()
    clean = getattr(sys.stdout, "clean", None)
    if clean is None or clean(text) == text:
        print_text(text)
        return
    text = orjson.dumps(_struck(orjson.loads(text), clean), option=options).decode()
    cast("Any", sys.stdout).write_struck(f"{text}\n")  # what has `clean` has this
    sys.stdout.flush()


def _struck(value: Any, clean: Callable[[str], str]) -> Any:
    match value:
        case str():
            return clean(value)
        case list():
            return [_struck(item, clean) for item in value]
        case dict():
            return {key: _struck(item, clean) for key, item in value.items()}
        case _:
            return value


def print_text(text: str) -> None:
    """The result, on stdout."""
    print(text, flush=True)  # noqa: T201 - this is the result
