"""PURE: which format and which delimiter the first line speaks of."""

from __future__ import annotations

import re
from enum import StrEnum

from bulkpause.errors import SourceError
from bulkpause.ids import parse_report_id
from bulkpause.sources.columns import looks_like_name, matching_names
from bulkpause.sources.tables import DELIMITERS, split_line
from bulkpause.sources.text import Head

_JSON_OBJECT = re.compile(r'\{\s*["}]')
_JSON_DOCUMENT = re.compile(r'\{\s*$|\[\s*(?:[\[{"]|$)')


class Format(StrEnum):
    """How the ids are written down."""

    CSV = "csv"
    LINES = "lines"
    JSONL = "jsonl"


def sniff(head: Head, *, column: str | None, name: str) -> Format:
    """The format of a text from its head. Raises SourceError for a JSON document that spans lines."""
    line = head.line.strip()
    if _JSON_OBJECT.match(line):
        return Format.JSONL
    if _JSON_DOCUMENT.match(line):
        raise SourceError(f"{name}:{head.row}: one JSON document, not JSON Lines. Split it: jq -c '.[]' < {name}")
    if head.delimiter or column is not None or '"' in line:
        return Format.CSV
    cells = split_line(line, delimiter_of(line, column=None))
    is_list = len(cells) == 1 and not matching_names(cells, column=None) and not looks_like_name(line)
    return Format.LINES if is_list else Format.CSV


def delimiter_of(line: str, *, column: str | None) -> str:
    """The delimiter that brings an id or its column to light, else the one that makes the most fields."""

    def score(delimiter: str) -> tuple[bool, int]:
        cells = split_line(line, delimiter)
        has_id = bool(matching_names(cells, column=column)) or any(map(parse_report_id, cells))
        return has_id, len(cells)

    return max(DELIMITERS, key=score)
