"""The forms a list of reports can take on stdout: a table for people, CSV and JSON Lines for programs. Pure."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import orjson

from bulkpause.ids import harmless
from bulkpause.models import Report
from bulkpause.redaction import printable

COLUMNS: Final = ("report_id", "report_status", "name", "query_id", "user", "modified_time")
"""The id first: what reads the list back finds it at once."""

NAME_LIMIT: Final = 100
"""Columns that a name gets where no terminal sets the limit."""

_LEAST_NAME: Final = 16
_ID_WIDTH: Final = 36
_GAPS: Final = 4
_COLOURS: Final = {"Active": "green", "Paused": "yellow"}

Paint = Callable[..., str]


def as_table(reports: Sequence[Report], *, width: int | None, paint: Paint) -> str:
    """Name, status and id in columns, no wider than `width` unless that leaves names no room at all."""
    states = max([len("Status"), *(len(_state(report)) for report in reports)])
    room = NAME_LIMIT if width is None else max(_LEAST_NAME, width - states - _ID_WIDTH - _GAPS)
    names = [_fitted(printable(report.name or ""), room) for report in reports]
    named = max([len("Name"), *map(_cells, names)])
    rows = [paint(f"{'Name':{named}}  {'Status':{states}}  Report id", dim=True)]
    for report, name in zip(reports, names, strict=True):
        state = paint(f"{_state(report):{states}}", fg=_COLOURS.get(report.report_status or ""))
        rows.append(f"{name}{' ' * (named - _cells(name))}  {state}  {report.report_id}")
    return "\n".join(rows)


def as_csv(reports: Sequence[Report]) -> str:
    """CSV with a header, which no spreadsheet takes for formulas and `pause -` reads back."""
    stream = io.StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows([printable(harmless(cell or "")) for cell in _fields(report)] for report in reports)
    return stream.getvalue().rstrip("\n")


def as_json_lines(reports: Sequence[Report]) -> str:
    """One JSON object a line, its text as the service sent it."""
    return "\n".join(map(_json_line, reports))


def _json_line(report: Report) -> str:
    fields = dict(zip(COLUMNS, _fields(report), strict=True))
    line = orjson.dumps(fields).decode()
    return line if line.isprintable() else json.dumps(fields, separators=(",", ":"))  # which escapes what moves cursors


def _fields(report: Report) -> Iterator[str | None]:
    return (getattr(report, name) for name in COLUMNS)


def _state(report: Report) -> str:
    return printable(report.report_status or "-")[:_LEAST_NAME]


def _fitted(text: str, room: int) -> str:
    """`text` in at most `room` columns, its end cut off with a mark."""
    if _cells(text) <= room:
        return text
    while _cells(text) >= room:
        text = text[:-1]
    return f"{text}…"


def _cells(text: str) -> int:
    """How many columns a terminal gives `text`: two to wide letters, none to accents that join the letter before."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )
