"""What is a report id, and how text that is not one is shown: pure, and the only maker of `ReportId`."""

from __future__ import annotations

import re
import unicodedata

from bulkpause.models import ReportId

ID_PATTERN = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
"""A canonical report id as a regular expression, for readers that take many lines in one sweep."""

_PADDING = "[ \t\N{NO-BREAK SPACE}]{0,256}+"
_REPORT_ID = re.compile(rf"{_PADDING}(\{{)?({ID_PATTERN.replace('a-f', 'a-fA-F')})(?(1)\}}){_PADDING}")
_32_HEX = re.compile(r"[0-9a-fA-F]{32}")


def parse_report_id(text: str) -> ReportId | None:
    """The canonical id in `text`, which may be padded, upper case or in braces; None for anything else.

    A compiled pattern, because `uuid.UUID` also takes ids without dashes, `urn:uuid:` and stray braces.
    """
    found = _REPORT_ID.fullmatch(text)
    return ReportId(found[2].lower()) if found else None


def why_refused(text: str) -> str:
    """Why `parse_report_id` takes no id from `text`, in a few words without a colon."""
    core = text.strip(" \t\N{NO-BREAK SPACE}")
    if not core:
        return "empty"
    for character in core[:1000]:
        if flaw := _flaw(character):
            return flaw
    if core[0] in "=+-@":
        return "a spreadsheet formula"
    if _32_HEX.fullmatch(core.strip("{}")):
        return "32 hex digits without dashes"
    if foreign := re.search(r"[^0-9A-Za-z{}-]", core):
        return f"holds {foreign[0]!r}, which no report id has"
    return "not a UUID of 8-4-4-4-12 hex digits"


def escaped(text: str, *, limit: int = 80) -> str:
    r"""`text` in printable ASCII, at most `limit` characters; all else shows as \n, \xNN or \uNNNN."""
    shown = text[: limit + 1].encode("unicode_escape").replace(b"\\udc", b"\\x").decode("ascii")
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def _flaw(character: str) -> str | None:
    if character == "\0":
        return "holds a NUL byte"
    if character in "\r\n":
        return "holds a line break"
    if character.isascii() and character.isprintable():
        return None
    code = f"U+{ord(character):04X}"
    match unicodedata.category(character):
        case "Cc" | "Cf":
            return f"holds an invisible character, {code}"
        case "Cs":
            return "holds a byte that is not UTF-8"
        case "Pd":
            return f"holds a dash that is not '-', {code}"
        case _:
            return f"holds {code}, which no report id has"


def harmless(text: str | None) -> str:
    """`text` on one line, and such that no spreadsheet takes it for a formula."""
    text = " ".join((text or "").split())
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
