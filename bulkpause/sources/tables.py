"""CSV: one column's cells out of delimited text that comes in pieces of any size.

Not the standard csv module: it loses the rows behind an unclosed quote in silence, cannot stop in the middle of a
record, limits fields by a process-wide number, and holds the interpreter lock for a whole line however long.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import assert_never

from bulkpause.errors import SourceError
from bulkpause.ids import ID_PATTERN
from bulkpause.models import ReportId
from bulkpause.sources.columns import Column
from bulkpause.sources.intake import Cell, Intake

DELIMITERS = (",", ";", "\t", "|")
RECORD_LIMIT = 16 * 1024 * 1024
"""Characters in which a record must end, so that a quote nobody closes cannot swallow a file or the memory."""
_CELL_LIMIT = 1000  # longer than any padded id, so that cutting a cell here never changes its verdict


class _At(Enum):
    RECORD = auto()
    """At the first character of a record."""
    FIELD = auto()
    """At the first character of a later field."""
    PLAIN = auto()
    """In a field without quotes, or behind the closing quote of one."""
    QUOTED = auto()
    QUOTE = auto()
    """Behind a quote inside a quoted field: it closes the field unless another quote follows."""


@dataclass(slots=True)
class _Record:
    """A record of which not all has come yet."""

    row: int
    kept: list[str] = field(default_factory=list)
    """Fields that ended: of the first record all, of the others the one in the id column."""
    index: int = 0
    """Of the field that is being read."""
    cell: str = ""
    opened: int = 0
    """The line of that field's opening quote; 0 when it has none."""
    length: int = 0
    has_content: bool = False


class Table:
    """Feeds an intake with the cells of the id column; the first record goes to `choose`, which finds that column.

    A record that is whole within a piece is taken by one match of a regular expression; the rest, such as a field that
    runs on into the next piece, by a small state machine that agrees with it (a property in the tests).
    """

    def __init__(
        self, intake: Intake, *, name: str, delimiter: str, row: int, choose: Callable[[Sequence[str], int], Column]
    ) -> None:
        self._intake = intake
        self._name = name
        self._delimiter = delimiter
        self._choose = choose
        self._column: int | None = None
        self._whole: re.Pattern[str] | None = None
        self._simple: re.Pattern[str] | None = None
        self._unquoted_part = re.compile(rf"[^{re.escape(delimiter)}\n]*+")
        self._at = _At.RECORD
        self._line = row
        self._record = _Record(row)

    def feed(self, text: str) -> None:
        """Judge the records that end in `text`. Raises SourceError when the table cannot be read on."""
        position = 0
        if self._at is not _At.RECORD or self._column is None:
            position = self._go_on(text, position)
            self._intake.judge(self._ended_cell())
        if self._at is _At.RECORD and self._simple:
            end = text.rfind("\n") + 1
            rows = self._simple.findall(text, position, end)
            if len(rows) == text.count("\n", position, end):  # every line is a record with an id, as none matches twice
                self._intake.accept(
                    [ReportId(row[1].lower()) for row in rows], range(self._line, self._line + len(rows))
                )
                self._line += len(rows)
                position = end
        self._intake.judge(self._cells(text, position))

    def close(self) -> None:
        """Say that the text has ended. Raises SourceError if a quote is still open."""
        if self._at is _At.QUOTED:
            raise self._unclosed()

    def _cells(self, text: str, position: int) -> Iterator[Cell]:
        while position < len(text):
            whole = self._whole.match(text, position) if self._whole and self._at is _At.RECORD else None
            if whole:
                position = whole.end()
                cell = whole[1] or ""
                if (cell and not cell.isspace()) or whole[0].strip(f" \t\n{self._delimiter}"):
                    yield _unquoted(cell)[:_CELL_LIMIT], self._line, ""
                self._line += whole[0].count("\n")
            else:
                position = self._go_on(text, position)
                yield from self._ended_cell()

    def _go_on(self, text: str, position: int) -> int:
        """Read one record, or what has come of it; return where it ends."""
        if self._at is _At.RECORD:
            self._record = _Record(self._line)
        while position < len(text):
            position = self._step(text, position)
            if self._at is _At.RECORD:
                break
        return position

    def _step(self, text: str, position: int) -> int:
        """Read one part of a field; return where the next part begins."""
        match self._at:
            case _At.RECORD | _At.FIELD:
                is_quoted = text[position] == '"'
                self._at = _At.QUOTED if is_quoted else _At.PLAIN
                self._record.opened = self._line if is_quoted else 0
                self._record.has_content |= is_quoted
                return position + is_quoted
            case _At.QUOTED:
                end = text.find('"', position)
                self._keep(text[position:] if end < 0 else text[position:end])
                if end < 0:
                    return len(text)
                self._at = _At.QUOTE
                return end + 1
            case _At.QUOTE:
                is_doubled = text[position] == '"'
                self._at = _At.QUOTED if is_doubled else _At.PLAIN
                self._keep('"' if is_doubled else "")
                return position + is_doubled
            case _At.PLAIN:
                part = self._unquoted_part.match(text, position)
                end = part.end() if part else position
                self._keep(text[position:end])
                if text[position:end].strip(" \t"):
                    self._record.has_content = True
                    if 0 < self._record.opened < self._line:  # what closed a stray quote above was an opening one
                        raise self._unclosed()
                if end == len(text):
                    return end
                self._end_field(delimiter=text[end])
                return end + 1
        assert_never(self._at)

    def _keep(self, part: str) -> None:
        record = self._record
        self._line += part.count("\n")
        record.length += len(part)
        if self._column in (None, record.index):
            record.cell = (record.cell + part)[:_CELL_LIMIT]
        if record.length > RECORD_LIMIT:
            if self._at is _At.QUOTED:
                raise self._unclosed()
            raise SourceError(f"{self._name}:{record.row}: no end of the record within 16 MiB. Is this a CSV file?")

    def _end_field(self, *, delimiter: str) -> None:
        record = self._record
        if self._column in (None, record.index):
            record.kept.append(record.cell)
        record.cell = ""
        record.index += 1
        record.length += 1
        self._at = _At.FIELD
        if delimiter == "\n":
            self._line += 1
            self._at = _At.RECORD

    def _ended_cell(self) -> Iterator[Cell]:
        """The cell of the record just read, if it has ended and is data."""
        record = self._record
        cells, is_data = record.kept, record.has_content and self._at is _At.RECORD
        if is_data and self._column is None:
            column = self._choose(cells, record.row)
            self._column = column.index
            self._whole = _whole_record(self._delimiter, column.index)
            self._simple = _simple_record(self._delimiter, column.index)
            is_data = not column.is_named
            cells = cells[column.index :]
        if is_data:
            yield cells[0] if cells else "", record.row, ""

    def _unclosed(self) -> SourceError:
        return SourceError(
            f"{self._name}:{self._record.opened}: a quote opens here and is not closed. Close or remove it; "
            "a plain list of ids can be read with --format lines."
        )


def split_line(line: str, delimiter: str) -> list[str]:
    """The fields of one line, quotes respected as far as they close; for a first look, not for data."""
    escape = re.escape(delimiter)
    fields = re.findall(rf'{escape}((?:"[^"]*+(?:""[^"]*+)*+")?+[^{escape}]*+)', delimiter + line)
    return [_unquoted(one) for one in fields]


def _whole_record(delimiter: str, column: int) -> re.Pattern[str]:
    """One whole record with the raw field `column` as group 1, or no group when the record is shorter."""
    escape = re.escape(delimiter)
    one = rf'(?:"[^"]*+(?:""[^"]*+)*+"(?=[{escape}\n])|(?!")[^{escape}\n]*+)'
    return re.compile(rf"(?:(?:{one}{escape}){{{column}}}({one})|{one})(?:{escape}{one})*+\n")


def _simple_record(delimiter: str, column: int) -> re.Pattern[str]:
    """One record on one line with a report id as group 2 in field `column`, for a sweep over many lines."""
    escape = re.escape(delimiter)
    one = rf'(?:"[^"\n]*+(?:""[^"\n]*+)*+"(?=[{escape}\n])|(?!")[^{escape}\n]*+)'
    any_case = ID_PATTERN.replace("a-f", "a-fA-F")
    return re.compile(
        rf'^(?:{one}{escape}){{{column}}}("?) *+({any_case}) *+\1(?=[{escape}\n])(?:{escape}{one})*+$', re.MULTILINE
    )


def _unquoted(text: str) -> str:
    return text[1:-1].replace('""', '"') if text[:1] == '"' == text[-1:] else text
