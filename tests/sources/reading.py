"""Sources made of bytes, and what came out of them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from bulkpause.errors import SourceError
from bulkpause.models import Entry, Reject, SourceCounts
from bulkpause.sources import Format, open_source


def uid(number: int) -> str:
    """A report id that is easy to tell from another."""
    return f"{number:08x}-d9cb-469f-a165-70867728950e"


A, B, C = uid(0xA), uid(0xB), uid(0xC)


class Dribble(io.BytesIO):
    """A stand-in for stdin that gives one piece a read, however much is asked for."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        super().__init__()
        self._pieces = [piece for piece in pieces if piece]

    def read1(self, size: int | None = -1, /) -> bytes:
        """The next piece, empty at the end."""
        return self._pieces.pop(0) if self._pieces else b""


@dataclass
class Read:
    """All that one source gave."""

    batches: list[list[Entry | Reject]] = field(default_factory=list)
    counts: SourceCounts = field(default_factory=SourceCounts)
    error: str = ""

    @property
    def items(self) -> list[Entry | Reject]:
        """Entries and rejects in order."""
        return [item for batch in self.batches for item in batch]

    @property
    def ids(self) -> list[tuple[str, int]]:
        """The entries: (id, row)."""
        return [(item.report_id, item.row) for item in self.items if isinstance(item, Entry)]

    @property
    def rejects(self) -> list[tuple[int, str, str]]:
        """The rejects: (row, text, reason)."""
        return [(item.row, item.text, item.reason) for item in self.items if isinstance(item, Reject)]


def read(
    data: bytes | str, *, form: Format | None = None, column: str | None = None, pieces: Iterable[bytes] = ()
) -> Read:
    """Read `data` (or `pieces`, one a read) as standard input; an error lands in the answer."""
    raw = data.encode() if isinstance(data, str) else data
    result = Read()
    with open_source("-", form=form, column=column, stdin=Dribble(pieces or [raw])) as source:
        try:
            result.batches.extend(source)
        except SourceError as error:
            result.error = str(error)
        result.counts = source.counts
    return result


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """`data` in pieces, cut at `places`."""
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]
