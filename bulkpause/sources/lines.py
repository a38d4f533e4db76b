"""One id a line, and JSON Lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

import orjson

from bulkpause.ids import ID_PATTERN
from bulkpause.models import ReportId
from bulkpause.sources.columns import matching_names
from bulkpause.sources.intake import Cell, Intake

LINE_LIMIT = 1024 * 1024
"""Characters of a line; a longer one is an invalid row."""
_TOO_LONG = "longer than 1 MiB"
_IDS_ALONE = re.compile(rf"^[ \t]*+({ID_PATTERN})[ \t]*+$", re.MULTILINE)
_REMARK = re.compile(r"[ \t]#.*")


class WholeLines:
    """Cuts text that comes in pieces into blocks of whole lines, holding at most a line's limit back."""

    def __init__(self, *, row: int) -> None:
        self._row = row
        self._rest = ""

    def take(self, text: str) -> tuple[list[str], int]:
        """The lines that end in `text`, without their ends, and the number of the first."""
        ended, newline, rest = text.rpartition("\n")
        if not newline:
            self._rest = (self._rest + rest)[: LINE_LIMIT + 1]
            return [], self._row
        lines, row = (self._rest + ended).split("\n"), self._row
        self._rest = rest
        self._row += len(lines)
        return lines, row


class PlainLines:
    """One id a line; blank lines and `#` remarks are passed over."""

    def __init__(self, intake: Intake, *, row: int) -> None:
        self._intake = intake
        self._whole = WholeLines(row=row)

    def feed(self, text: str) -> None:
        """Judge the lines that end in `text`."""
        lines, row = self._whole.take(text)
        block = "\n".join(lines).lower()
        report_ids = _IDS_ALONE.findall(block) if block.isascii() else []
        if len(report_ids) == len(lines):  # each line holds one id and nothing else, as no line can match twice
            self._intake.accept(cast("list[ReportId]", report_ids), range(row, row + len(lines)))
        else:
            self._intake.judge(_plain_cells(lines, row))

    def close(self) -> None:
        """Nothing: a text always ends its last line."""


class JsonLines:
    """One JSON object a line with the id under its key, or one JSON string a line."""

    def __init__(self, intake: Intake, *, row: int, column: str | None) -> None:
        self._intake = intake
        self._whole = WholeLines(row=row)
        self._column = column
        self._keys: list[str] = []
        self._named: list[int] = []

    def feed(self, text: str) -> None:
        """Judge the lines that end in `text`."""
        lines, row = self._whole.take(text)
        self._intake.judge(self._cell(line, number) for number, line in enumerate(lines, row) if not _is_idle(line))

    def close(self) -> None:
        """Nothing: a text always ends its last line."""

    def _cell(self, line: str, row: int) -> Cell:
        if len(line) > LINE_LIMIT:
            return line, row, _TOO_LONG
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            return line, row, "not JSON"
        if isinstance(value, dict):
            keys = list(value)
            if keys != self._keys:  # lines of one file mostly share their keys
                self._keys, self._named = keys, matching_names(keys, column=self._column)
            if not self._named:
                return line, row, "no key is named like a report id"
            if len(self._named) > 1:
                return line, row, "several keys could hold the report id"
            value = value[keys[self._named[0]]]
        return (value, row, "") if isinstance(value, str) else (line, row, "the report id is not a string")


def _plain_cells(lines: list[str], first_row: int) -> Iterator[Cell]:
    for row, line in enumerate(lines, first_row):
        if not _is_idle(line):
            yield _REMARK.sub("", line), row, _TOO_LONG if len(line) > LINE_LIMIT else ""


def _is_idle(line: str) -> bool:
    return not line or line.isspace() or line.lstrip()[0] == "#"
