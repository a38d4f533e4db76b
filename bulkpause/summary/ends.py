"""How every row has ended so far, at eight bytes a row. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple

from bulkpause.models import Status

FailureKey = tuple[Status, int | None, str]
"""Status, StatusCode and reason without what varies: outcomes alike in these are one group."""


class End(NamedTuple):
    """How a row ended, as far as the totals go."""

    status: Status
    status_code: int | None
    failure: FailureKey | None = None
    """Its key among the failures."""
    example: str | None = None
    """Its text there, if it is one of the examples."""
    interrupted: bool = False
    was_unlisted: bool = False
    """Whether it was sent a request although the tenant's list did not have it."""


class Ends:
    """The latest end of every row, and the ledger line that says so. Rows are the lines of the source, from 1."""

    __slots__ = ("_counts", "_kind_of_row", "_kinds", "_numbers", "_seq_of_row")

    def __init__(self) -> None:
        self._kinds: list[End | None] = [None]
        self._counts = [0]
        self._numbers: dict[End, int] = {}
        self._kind_of_row = array("I")
        self._seq_of_row = array("I")

    def __iter__(self) -> Iterator[tuple[End, int]]:
        """Each way in which rows have ended, and how many."""
        for end, count in zip(self._kinds, self._counts, strict=True):
            if end is not None and count:
                yield end, count

    def get(self, row: int) -> End | None:
        """How the row has ended; None if it has not."""
        return self._kinds[self._kind_of_row[row]] if row < len(self._kind_of_row) else None

    def kinds(self, first: int, last: int) -> set[End | None]:
        """The ways in which the rows from `first` to `last` have ended; with None if one has not."""
        found = {self._kinds[number] for number in set(self._kind_of_row[first : last + 1])}
        return found if last < len(self._kind_of_row) else {None, *found}

    def seq(self, row: int) -> int:
        """The `seq` of the line that holds the latest outcome of the row, 0 if there is none."""
        return self._seq_of_row[row] if row < len(self._seq_of_row) else 0

    def put(self, row: int, end: End, *, seq: int) -> None:
        """The row has ended so."""
        number = self._numbers.get(end)
        if number is None:
            number = self._numbers[end] = len(self._kinds)
            self._kinds.append(end)
            self._counts.append(0)
        missing = row + 1 - len(self._kind_of_row)
        if missing > 0:
            for column in (self._kind_of_row, self._seq_of_row):
                column.frombytes(bytes(column.itemsize * max(missing, len(column) // 8)))
        self._counts[self._kind_of_row[row]] -= 1
        self._counts[number] += 1
        self._kind_of_row[row] = number
        self._seq_of_row[row] = seq
