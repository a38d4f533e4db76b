"""The reader: the lines of a ledger, in bounded memory, whatever the file holds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final

from bulkpause.chain import GENESIS, LINE_LIMIT, Tail, parse

BLOCK_SIZE: Final = 1 << 18
"""Bytes that are read at once."""

STEP_SIZE: Final = 1 << 13
"""Bytes of one step backwards."""


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a ledger in order, passing over what is none. Raises OSError if it cannot be read."""
    return filter(None, map(parse, read_lines(path)))


def read_lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a file in order, without their newlines; a torn last one is left out.

    Of a line longer than LINE_LIMIT only a piece that is longer as well is given. Raises OSError if the file cannot
    be read.
    """
    rest = b""
    with path.open("rb", buffering=0) as stream:
        while block := stream.read(BLOCK_SIZE):
            first, *lines = block.split(b"\n")
            rest += first if len(rest) <= LINE_LIMIT else b""
            if lines:
                yield rest
                rest = lines.pop()
                yield from lines


def last_line(path: Path) -> bytes:
    """The last whole line, without its newline, empty if there is none. Raises OSError if it cannot be read."""
    with path.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - 2 * LINE_LIMIT))
        return stream.read().rpartition(b"\n")[0].rpartition(b"\n")[2]


def find_tail(path: Path) -> Tail:
    """Where the ledger ends, read from its end. Raises OSError if it cannot be read."""
    with path.open("rb") as stream:
        total = stream.seek(0, os.SEEK_END)
        size = _newline_before(stream, total) + 1
        start = end = size
        seq, head = 0, GENESIS
        while start and not seq:
            end, start = start - 1, _newline_before(stream, start - 1) + 1
            stream.seek(start)
            if head == GENESIS:
                head = _digest_of(stream, end - start)
                stream.seek(start)
            line = parse(stream.read(min(end - start, LINE_LIMIT + 1)))
            seq = 0 if line is None else line["seq"]
    return Tail(seq, head, size, total - size)


def _newline_before(stream: BinaryIO, end: int) -> int:
    """Where the last newline before `end` is; -1 if there is none."""
    while end:
        start = max(0, end - STEP_SIZE)
        stream.seek(start)
        if (found := stream.read(end - start).rfind(b"\n")) >= 0:
            return start + found
        end = start
    return -1


def _digest_of(stream: BinaryIO, size: int) -> str:
    """`digest` of the next `size` bytes, which may be more than memory holds."""
    found = sha256()
    while size and (block := stream.read(min(size, BLOCK_SIZE))):
        found.update(block)
        size -= len(block)
    return found.hexdigest()
