"""PURE: which column, or which key of an object, holds the report id."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bulkpause.errors import SourceError
from bulkpause.ids import escaped, parse_report_id

_KNOWN = frozenset({"reportid", "id"})
_SHOWN = 12
_WORDS = re.compile(r"[^\W\d][\w .()/-]{0,63}")
_HEX_RUN = re.compile(r"[0-9a-fA-F]{8}")


@dataclass(frozen=True, slots=True)
class Column:
    """Where the id stands in a row, and whether the row that told so is a header or already data."""

    index: int
    is_named: bool


def matching_names(names: Sequence[str], *, column: str | None) -> list[int]:
    """Indexes of the names that mean the report id, or `column` if given; case, spaces, `_` and `-` are ignored."""
    if column is None:
        return [index for index, name in enumerate(names) if _plain(name) in _KNOWN]
    exact = [index for index, name in enumerate(names) if name.strip() == column]
    return exact or [index for index, name in enumerate(names) if _plain(name) == _plain(column)]


def choose_column(cells: Sequence[str], *, column: str | None, place: str) -> Column:
    """Find the id column from a table's first row; `place` (`reports.csv:1`) starts every complaint.

    A table without a header is read when its first row holds exactly one id: that column, that row included.
    Raises SourceError when no column or more than one could hold the id.
    """
    named = matching_names(cells, column=column)
    if len(named) == 1:
        return Column(named[0], is_named=True)
    if named:
        raise SourceError(
            f"{place}: {len(named)} columns could hold the report id: {_listed(cells, named)}. "
            "Choose one with --column NAME."
        )
    if column is not None:
        raise SourceError(f"{place}: no column is named {_quoted(column)}. Columns found: {_listed(cells)}.")
    ids = [index for index, cell in enumerate(cells) if parse_report_id(cell)]
    if len(ids) == 1 or (len(cells) == 1 and not looks_like_name(cells[0])):
        return Column(ids[0] if ids else 0, is_named=False)
    if ids:
        raise SourceError(
            f"{place}: no header, and {len(ids)} columns hold ids: {_listed(cells, ids)}. "
            "Put a line of column names first, with ReportId over the right one."
        )
    raise SourceError(
        f"{place}: no column is named like a report id. Columns found: {_listed(cells)}. Choose one with --column NAME"
        + (", or read a plain list with --format lines." if len(cells) == 1 else ".")
    )


def looks_like_name(cell: str) -> bool:
    """Whether a lone first cell reads as a column's name rather than as a mangled id."""
    return _WORDS.fullmatch(cell.strip()) is not None and not _HEX_RUN.search(cell)


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name).casefold()


def _listed(cells: Sequence[str], indexes: Sequence[int] | None = None) -> str:
    chosen = range(len(cells)) if indexes is None else indexes
    shown = ", ".join(f"{_quoted(cells[index])} ({index + 1})" for index in chosen[:_SHOWN])
    return shown + (f" and {len(chosen) - _SHOWN} more" if len(chosen) > _SHOWN else "")


def _quoted(name: str) -> str:
    return f'"{escaped(name.strip(), limit=40)}"'
