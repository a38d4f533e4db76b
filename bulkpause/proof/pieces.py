"""A broken chain as the pieces it fell into, and which of them still stand where they were written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from bulkpause.chain import GENESIS

LOOKBACK: Final = 64
"""How many pieces back the one before is looked for."""


@dataclass(slots=True)
class Piece:
    """Lines that follow one another both in the file and in the chain; of what is no line of ours, one."""

    line: int
    """Where it starts in the file."""
    count: int
    seq: int | None
    """Of its first line; None: no line of ours."""
    prev: str | None
    """The digest that its first line names."""
    before: str | None
    """The digest of the line that stands before it; None: too long a line to know."""
    last: str
    """The digest of its last line."""
    is_closing: bool = False
    """Whether it ends the ledger with a line that vouches for itself."""

    @property
    def last_line(self) -> int:
        """Where it ends in the file."""
        return self.line + self.count - 1

    @property
    def last_seq(self) -> int:
        """Of its last line, by its first."""
        return (self.seq or 0) + self.count - 1

    def was_behind(self, other: Piece) -> bool:
        """Whether it was written behind `other`, be it with foreign lines in between."""
        return self.before is None or self.prev in (other.last, self.before)

    def split(self, line: int, last: str) -> Piece:
        """Keep what is up to `line`, whose digest is `last`, and return the rest."""
        kept = line - self.line + 1
        rest = Piece(line + 1, self.count - kept, (self.seq or 0) + kept, last, last, self.last, self.is_closing)
        self.count, self.last, self.is_closing = kept, last, False
        return rest


class Gap(NamedTuple):
    """What is between one piece that stands in its place and the next, or the end of the file."""

    left: Piece
    strays: list[Piece]
    """The pieces in between that do not belong there."""
    right: Piece | None

    @property
    def missing(self) -> range:
        """The `seq` of the lines that should be there."""
        return range(self.left.last_seq + 1, self.left.last_seq + 1 if self.right is None else self.right.seq or 0)


def gaps(pieces: Sequence[Piece]) -> Iterator[Gap]:
    """What is between the pieces that stand in their places, from the start of the file to its end."""
    left, strays = Piece(0, 1, 0, None, None, GENESIS), list[Piece]()
    in_place = set(map(id, _in_place(left, pieces)))
    for piece in pieces:
        if id(piece) in in_place:
            yield Gap(left, strays, piece)
            left, strays = piece, []
        else:
            strays.append(piece)
    yield Gap(left, strays, None)


def _in_place(start: Piece, pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces of the longest ascending chain: the fewest lines have to be explained then.

    Among equals, those that name the digest of the one before, that stand at the distance their `seq` says, and that
    close the ledger count more.
    """
    ours = [start, *(piece for piece in pieces if piece.seq is not None and piece.seq > 0)]
    scores, befores = [0], [0]
    best = 0
    for number, piece in enumerate(ours[1:], 1):
        score, before = -1, 0
        for candidate in {best, *range(max(0, number - LOOKBACK), number)}:
            other = ours[candidate]
            if other.last_seq >= (piece.seq or 0):
                continue
            is_at_distance = (piece.seq or 0) - other.last_seq == piece.line - other.last_line
            total = scores[candidate] + (piece.prev == other.last) + is_at_distance
            if total > score:
                score, before = total, candidate
        scores.append(score + 4 * piece.count + 3 * piece.is_closing)
        befores.append(before)
        if scores[number] > scores[best]:
            best = number
    chain = []
    while best:
        chain.append(ours[best])
        best = befores[best]
    return chain
