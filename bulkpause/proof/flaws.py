"""What can be wrong with a ledger, and how it is said."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from bulkpause.chain import Closing
from bulkpause.proof.pieces import Piece


class Kind(StrEnum):
    """What happened."""

    EDITED = "edited"
    INSERTED = "inserted"
    MISSING = "missing"
    MISPLACED = "misplaced"
    FOREIGN = "foreign"
    OTHER_RUN = "other_run"
    TORN = "torn"
    CUT = "cut"


class Flaw(NamedTuple):
    """One thing that is wrong. `line` counts the lines of the file from 1."""

    line: int
    kind: Kind
    words: str


def misplaced(stray: Piece) -> Flaw:
    """Lines that belong elsewhere."""
    one = stray.count == 1
    seqs = f"seq {stray.seq}" if one else f"seq {stray.seq} to {stray.last_seq}"
    where = (
        f"{_lines(range(stray.line, stray.last_line + 1))} {'stands' if one else 'stand'} in the wrong place ({seqs})"
    )
    return Flaw(stray.line, Kind.MISPLACED, where)


def inserted(stray: Piece) -> Flaw:
    """Lines that belong nowhere."""
    lines = range(stray.line, stray.last_line + 1)
    if stray.seq is None:
        return Flaw(stray.line, Kind.FOREIGN, f"line {stray.line} is no line of an audit log")
    seqs = f"seq {stray.seq}" if stray.count == 1 else f"seq {stray.seq} to {stray.last_seq}"
    return Flaw(stray.line, Kind.INSERTED, f"{_lines(lines)} {_were(lines)} inserted ({seqs} again)")


def missing(seqs: range, line: int) -> Flaw:
    """Lines that should stand before `line`."""
    what = "1 line is" if len(seqs) == 1 else f"{len(seqs):,} lines are"
    which = f"seq {seqs[0]}" if len(seqs) == 1 else f"seq {seqs[0]} to {seqs[-1]}"
    return Flaw(line, Kind.MISSING, f"{what} missing before line {line} ({which})")


def edited(lines: range, doubt: str = "") -> Flaw:
    """Lines that stand where they were written, but not as they were."""
    return Flaw(lines[0], Kind.EDITED, f"{_lines(lines)} {_were(lines)} edited{doubt}")


def _lines(lines: range) -> str:
    return f"line {lines[0]}" if len(lines) == 1 else f"lines {lines[0]} to {lines[-1]}"


def _were(lines: range) -> str:
    return "was" if len(lines) == 1 else "were"


def of_other_run(line: int, run_id: str | None) -> Flaw:
    """A line in the ledger of another run."""
    return Flaw(line, Kind.OTHER_RUN, f"line {line} {'names no run' if run_id is None else f'is of the run {run_id}'}")


def torn(line: int, size: int) -> Flaw:
    """A last line without its newline."""
    return Flaw(line, Kind.TORN, f"the last line is torn ({size:,} bytes)")


def cut_off(noted: Closing, *, lines: int, by: str) -> Flaw:
    """A closing line that was noted elsewhere, `by` some file, and is not among the `lines` there are."""
    if lines < noted.lines:
        return Flaw(lines + 1, Kind.CUT, f"the end was cut off: {by} speaks of {noted.lines} lines, {lines} are there")
    return Flaw(noted.lines, Kind.CUT, f"line {noted.lines} is not the closing line that {by} speaks of")
