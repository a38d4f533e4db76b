"""What a ledger comes to: whether its chain holds, and where not, what was done to it."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from bulkpause import flaws
from bulkpause.chain import CLOSING, GENESIS, LINE_LIMIT, Closing, digest, is_sealed, parse, sealed_head
from bulkpause.flaws import Flaw
from bulkpause.pieces import Piece, gaps

PIECE_LIMIT: Final = 10_000
"""Where a ledger is broken in more places than this, the rest of its lines is only counted."""

MEMORY: Final = 1_000
"""How many lines back the one that a line names is looked for."""

UNKNOWN_DIGEST: Final = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a ledger came to."""

    lines: int
    run_id: str | None
    closings: tuple[Closing, ...]
    """The closing lines that vouch for themselves."""
    has_ended: bool
    """Whether the last line is one of them, and nothing came after it."""
    flaws: tuple[Flaw, ...]
    """By line."""
    is_complete: bool
    """Whether every flaw is named: False if there are too many."""

    @property
    def head(self) -> str | None:
        """What the last line says of all before it, if the ledger has ended."""
        return self.closings[-1].head if self.has_ended else None


def check(lines: Iterable[bytes], *, cut_bytes: int = 0) -> Finding:
    """Read the whole lines of a ledger and name what is wrong; `cut_bytes` is what a torn last line has."""
    reading = _Reading()
    reading.read(lines)
    return reading.conclude(cut_bytes)


class _Reading:
    """One pass over a ledger."""

    def __init__(self) -> None:
        self._number = 0
        self._raw = b""
        self._recent = deque([GENESIS], maxlen=MEMORY)
        """Digests of the latest lines."""
        self._pieces: list[Piece] = []
        self._next_seq: int | None = None
        """What the next line has if all is well; None if that must be looked at."""
        self._run_id: str | None = None
        """Of the first line."""
        self._runs: dict[str | None, list[int]] = {}
        """For each run id, the line it was first seen in, and how many lines were looked at that have it."""
        self._broken: set[int] = set()
        """Lines that are not what the next one, or they themselves, say they are."""
        self._closings: dict[int, str] = {}
        """Lines that vouch for themselves, and what they say."""
        self._is_complete = True

    def read(self, lines: Iterable[bytes]) -> None:
        """Take the lines one after another; those that only continue the chain pass quickly."""
        recent = self._recent
        for raw in lines:
            self._number += 1
            line = parse(raw)
            if (
                line is not None
                and line.get("prev") == recent[-1]
                and line["seq"] == self._next_seq
                and line["event"] not in CLOSING
                and line.get("run_id") == self._run_id
            ):
                self._pieces[-1].count += 1
                self._next_seq = line["seq"] + 1
            elif self._is_complete:
                self._look(raw, line)
            recent.append(digest(raw) if len(raw) <= LINE_LIMIT else UNKNOWN_DIGEST)
            self._raw = raw

    def _look(self, raw: bytes, line: dict[str, Any] | None) -> None:
        """Take a line that begins a piece, closes the ledger or is odd."""
        number, before = self._number, self._recent[-1] or None
        if self._pieces:
            self._pieces[-1].last = self._recent[-1]
        if line is None:
            self._pieces.append(Piece(number, 1, None, None, before, ""))
            self._next_seq = None
        else:
            self._note_run(line.get("run_id"))
            self._place(line, before)
            self._next_seq = self._pieces[-1].last_seq + 1
            if line["event"] in CLOSING or sealed_head(raw) is not None:
                self._note_seal(raw)
        if len(self._pieces) >= PIECE_LIMIT:
            self._is_complete, self._next_seq = False, None

    def _place(self, line: dict[str, Any], before: str | None) -> None:
        number, seq, prev = self._number, line["seq"], line.get("prev")
        piece = self._pieces[-1] if self._pieces else None
        if prev == before and piece is not None and piece.seq is not None:
            piece.count += 1
            if seq != piece.last_seq:  # it was written here: its seq was another one then
                self._broken.add(number)
            return
        if prev == before and piece is None and seq != 1:
            self._broken.add(number)
            seq = 1
        if prev != before:
            self._split_behind(prev)
        self._pieces.append(Piece(number, 1, seq, prev, before, ""))

    def _split_behind(self, prev: Any) -> None:
        """Part the piece that holds the line which a later one names as the one before: what is behind is doubtful."""
        if prev not in self._recent:
            return
        line = self._number - 1 - list(reversed(self._recent)).index(prev)
        for at in range(len(self._pieces) - 1, -1, -1):
            piece = self._pieces[at]
            if piece.line <= line < piece.last_line:
                self._pieces.insert(at + 1, piece.split(line, prev))
            if piece.line <= line:
                return

    def _note_run(self, run_id: Any) -> None:
        run_id = run_id if isinstance(run_id, str) else None
        if not self._runs:
            self._run_id = run_id
        self._runs.setdefault(run_id, [self._number, 0])[1] += 1

    def _note_seal(self, raw: bytes) -> None:
        head = sealed_head(raw)
        if head is None or not is_sealed(raw):
            self._broken.add(self._number)
        else:
            self._closings[self._number] = head

    def conclude(self, cut_bytes: int) -> Finding:
        """What it all came to."""
        if self._pieces:
            self._pieces[-1].last = self._recent[-1]
            self._pieces[-1].is_closing = self._number in self._closings
            if self._pieces[-1].seq is not None and sealed_head(self._raw) is not None and not is_sealed(self._raw):
                self._broken.add(self._number)
        found = self._explain()
        found += self._other_runs({flaw.line for flaw in found})
        if cut_bytes:
            found.append(flaws.torn(self._number + 1, cut_bytes))
        return Finding(
            lines=self._number,
            run_id=self._run_id,
            closings=tuple(Closing(line, head) for line, head in self._closings.items()),
            has_ended=self._number in self._closings and not cut_bytes,
            flaws=tuple(sorted(found)),
            is_complete=self._is_complete,
        )

    def _explain(self) -> list[Flaw]:
        """What happened to the pieces, and to the lines that break the chain where the numbers have no gap."""
        between = list(gaps(self._pieces))
        holes = [[gap.missing] for gap in between]
        holes[-1] = [range(between[-1].left.last_seq + 1, self._number + 1)]
        starts = [gap.left.last_seq for gap in between]
        said, edited = [], list[range]()
        unmoved: list[list[Piece]] = []
        for gap in between:
            unmoved.append([])
            for stray in gap.strays:
                if _take(stray, holes, starts):
                    said.append(flaws.misplaced(stray))
                else:
                    unmoved[-1].append(stray)
        holes[-1] = []  # what may have been there, nobody knows
        for gap, strays, missing in zip(between, unmoved, holes, strict=True):
            if strays and sum(map(len, missing)) == sum(stray.count for stray in strays):
                edited += [range(stray.line, stray.last_line + 1) for stray in strays]
                continue
            said += map(flaws.inserted, strays)
            if gap.right is None:
                continue
            said += [flaws.missing(hole, gap.right.line) for hole in missing if hole]
            if not gap.missing and not gap.right.was_behind(gap.left):
                self._broken.add(gap.left.last_line)
        return said + [flaws.edited(lines) for lines in _joined(edited)] + self._broken_links()

    def _broken_links(self) -> list[Flaw]:
        """Which lines were edited, by the links that do not hold.

        One broken link alone: the line before it. Two or more in a row: the lines between them, whose own `prev` may
        be what was edited; but the first line of the row may have been edited as well.
        """
        said = []
        for row in _joined(range(line, line + 1) for line in sorted(self._broken)):
            first, last = row[0], row[-1]
            if len(row) > 1:
                said.append(flaws.edited(range(first + 1, last + 1), f", and perhaps line {first}" if first else ""))
            elif first == 0 or (first in self._closings and first < self._number):
                said.append(flaws.edited(range(first + 1, first + 2)))
            else:
                is_open = first + 1 == self._number and self._number not in self._closings
                said.append(flaws.edited(row, f", or line {first + 1}, which nothing vouches for" if is_open else ""))
        return said

    def _other_runs(self, known: set[int]) -> list[Flaw]:
        """Lines of another run than most are, but for the `known` ones."""
        ours = self._number - sum(piece.seq is None for piece in self._pieces)
        if len(self._runs) > 1:
            self._runs[self._run_id][1] += ours - sum(count for _, count in self._runs.values())
            self._run_id = max(self._runs, key=lambda run_id: self._runs[run_id][1])
        return [
            flaws.of_other_run(line, run_id)
            for run_id, (line, _) in self._runs.items()
            if run_id != self._run_id and line not in known
        ]


def _take(stray: Piece, holes: list[list[range]], starts: list[int]) -> bool:
    """Fill the hole that a piece belongs to, or a part of it; `starts` says where the holes are. False if none."""
    if stray.seq is None:
        return False
    near = holes[bisect_left(starts, stray.seq) - 1]
    for at, hole in enumerate(near):
        if stray.seq in hole and stray.last_seq in hole:
            near[at : at + 1] = [range(hole.start, stray.seq), range(stray.last_seq + 1, hole.stop)]
            return True
    return False


def _joined(ranges: Iterable[range]) -> list[range]:
    """Ascending ranges, those that touch made one."""
    joined: list[range] = []
    for one in ranges:
        if joined and joined[-1].stop == one.start:
            joined[-1] = range(joined[-1].start, one.stop)
        else:
            joined.append(one)
    return joined
