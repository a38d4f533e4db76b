"""What binds a ledger's lines: each names the digest of the one before it, and a closing line vouches for itself."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final, NamedTuple

import orjson

GENESIS: Final = "0" * 64
"""`prev` of the first line."""

LINE_LIMIT: Final = 1 << 20
"""Bytes of the longest line that can be one of ours."""

CLOSING: Final = frozenset({"run_finished", "verified"})
"""The events whose lines are sealed: a ledger that ends in another one has not ended, or lost its end."""

_HEAD: Final = b',"head":"'
_SEAL_SIZE: Final = len(_HEAD) + 64 + len(b'"}')


class Tail(NamedTuple):
    """Where a ledger ends, for the one who goes on with it."""

    seq: int
    """Of the last line that is one of ours; 0 if there is none."""
    head: str
    """Digest of the last whole line, whatever it is: `prev` of the next."""
    size: int
    """Bytes up to and with the last newline."""
    cut_bytes: int
    """Bytes of a torn last line behind it."""


class Closing(NamedTuple):
    """What a closing line says of the ledger up to it."""

    lines: int
    """How many there are, itself included."""
    head: str


def digest(line: bytes) -> str:
    """SHA-256, in hex, of a line without its newline."""
    return sha256(line).hexdigest()


def parse(raw: bytes) -> dict[str, Any] | None:
    """The line as an object; None if it is no line of a ledger: NULs, no JSON, too long, no `seq` or no `event`."""
    if len(raw) > LINE_LIMIT:
        return None
    try:
        line = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(line, dict) or type(line.get("seq")) is not int or type(line.get("event")) is not str:
        return None
    return line


def seal(line: bytes) -> tuple[bytes, str]:
    """The line with one more field at its end, and what that says: `head`, the digest of the bytes before it."""
    body = line[:-1]
    head = digest(body)
    return b'%b%b%b"}' % (body, _HEAD, head.encode()), head


def sealed_head(line: bytes) -> str | None:
    """The `head` that a line says of itself, right or wrong; None if it is not sealed."""
    if not line.endswith(b'"}') or line[-_SEAL_SIZE : -_SEAL_SIZE + len(_HEAD)] != _HEAD:
        return None
    return line[-_SEAL_SIZE + len(_HEAD) : -2].decode(errors="replace")


def is_sealed(line: bytes) -> bool:
    """Whether a line vouches for itself: it is sealed, and the seal is that of these bytes."""
    return sealed_head(line) == digest(line[:-_SEAL_SIZE])
