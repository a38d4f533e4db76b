"""What a ledger comes to: whether its chain holds, and where not, what was done to it."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from bulkpause.chain import CLOSING, GENESIS, LINE_LIMIT, Closing, is_sealed, parse, sealed_head
from bulkpause.proof import flaws
from bulkpause.proof.flaws import Flaw
from bulkpause.proof.pieces import Piece, gaps

PIECE_LIMIT: Final = 10_000
"""Where a ledger is broken in more places than this, the rest of its lines is only counted."""

MEMORY: Final = 1_000
"""How many lines back the one that a line names is looked for."""

UNKNOWN_DIGEST: Final = ""

NEVER: Final = "\n"
"""How no line begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a ledger came to."""

    lines: int
    run_id: str | None
    closings: tuple[Closing, ...]
    """What the closing lines say, of those that vouch for themselves; in the order of the file."""
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
        self._opening = ""
        """How the first line, and so each, begins before its number."""
        self._expected = NEVER
        """How the next line begins before its number, if nothing about it must be looked at."""
        self._next_seq = 1
        """The number of the next line, if all is well."""
        self._run_id: str | None = None
        """Of the first line."""
        self._runs: dict[str | None, list[int]] = {}
        """For each run id, the line it was first seen in, and how many lines were looked at that have it."""
        self._broken: set[int] = set()
        """Lines that are not what the next one, or they themselves, say they are."""
        self._closings: dict[int, Closing] = {}
        """Lines that vouch for themselves, and what they say."""
        self._is_complete = True

    def read(self, lines: Iterable[bytes]) -> None:
        """Take the lines one after another; those that only continue the chain pass quickly."""
        recent = self._recent
        for raw in lines:
            self._number += 1
            # The next link vouches for what follows in a line as well as JSON could, in half the time.
            if (
                raw.startswith(f'{self._expected}{self._next_seq},"prev":"{recent[-1]}"'.encode())
                and sealed_head(raw) is None
                and len(raw) <= LINE_LIMIT
            ):
                self._pieces[-1].count += 1
                self._next_seq += 1
            elif self._is_complete:
                self._look(raw, parse(raw))
            recent.append(sha256(raw).hexdigest() if len(raw) <= LINE_LIMIT else UNKNOWN_DIGEST)
            self._raw = raw

    def _look(self, raw: bytes, line: dict[str, Any] | None) -> None:
        """Take a line that begins a piece, closes the ledger or is odd."""
        number, before = self._number, self._recent[-1] or None
        self._end_piece(number - 1)
        if line is None:
            self._pieces.append(Piece(number, 1, None, None, before, ""))
            self._expected = NEVER
        else:
            self._note_run(line.get("run_id"), raw)
            self._place(line, before)
            self._expected, self._next_seq = self._opening, self._pieces[-1].last_seq + 1
            if line["event"] in CLOSING or sealed_head(raw) is not None:
                self._note_seal(raw, line)
        if len(self._pieces) >= PIECE_LIMIT:
            self._is_complete, self._expected = False, NEVER

    def _end_piece(self, number: int) -> None:
        """No link vouches for the last line of a piece, `number`: it may be no line of ours."""
        if not self._pieces:
            return
        piece = self._pieces[-1]
        piece.last = self._recent[-1]
        if piece.seq is not None and parse(self._raw) is None:
            piece.split(number - 1, self._recent[-2])
            self._pieces.append(Piece(number, 1, None, None, piece.last, self._recent[-1]))

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

    def _note_run(self, run_id: Any, raw: bytes) -> None:
        run_id = run_id if isinstance(run_id, str) else None
        if not self._runs:
            self._run_id = run_id
            self._opening = raw.partition(b'"seq":')[0].decode() + '"seq":'
        self._runs.setdefault(run_id, [self._number, 0])[1] += 1

    def _note_seal(self, raw: bytes, line: dict[str, Any]) -> None:
        head = sealed_head(raw)
        if head is None or not is_sealed(raw):
            self._broken.add(self._number)
        else:
            self._closings[self._number] = Closing(line.get("lines", self._number), head)

    def conclude(self, cut_bytes: int) -> Finding:
        """What it all came to."""
        if self._is_complete:
            self._end_piece(self._number)
            self._look_at_end()
        found = self._explain()
        found += self._other_runs({flaw.line for flaw in found})
        if cut_bytes:
            found.append(flaws.torn(self._number + 1, cut_bytes))
        return Finding(
            lines=self._number,
            run_id=self._run_id,
            closings=tuple(self._closings.values()),
            has_ended=self._number in self._closings and not cut_bytes,
            flaws=tuple(sorted(found)),
            is_complete=self._is_complete,
        )

    def _look_at_end(self) -> None:
        """The last line has no other that vouches for it: it does so itself, if it is a closing one and unharmed."""
        line = parse(self._raw)
        if line is None:
            return
        self._pieces[-1].is_closing = self._number in self._closings
        if (line["event"] in CLOSING or sealed_head(self._raw) is not None) and not is_sealed(self._raw):
            self._broken.add(self._number)

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
