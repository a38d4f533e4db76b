"""Ledgers made by hand, as the writer makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from bulkpause.chain import GENESIS, digest, seal

RUN_ID = "20261124-220410-0b5c2c"


def line(seq: int, prev: str, event: str = "outcome", *, run_id: str | None = RUN_ID, **fields: Any) -> bytes:
    """One line, sealed if it is a closing one."""
    at = f"2026-11-24T22:04:{seq % 60:02}.000000Z"
    head = {"schema": 1, "run_id": run_id, "seq": seq, "prev": prev, "at": at, "event": event}
    if event != "run_finished":
        return orjson.dumps({**head, "message": f"report {seq}", **fields, "row": seq + 1})
    return seal(orjson.dumps({**head, "summary": {"read": seq}, "lines": seq}))[0]


def ledger(count: int, *, closing: Sequence[int] | None = None) -> list[bytes]:
    """The lines of one; those numbered `closing` close it, which is the last if nothing is said."""
    lines: list[bytes] = []
    for seq in range(1, count + 1):
        event = "run_finished" if seq in ([count] if closing is None else closing) else "outcome"
        lines.append(line(seq, digest(lines[-1]) if lines else GENESIS, event))
    return lines


def split(raw: bytes) -> tuple[list[bytes], int]:
    """The whole lines of a file, and the size of a torn last one."""
    *lines, torn = raw.split(b"\n")
    return lines, len(torn)


def joined(lines: Sequence[bytes]) -> bytes:
    """The file of these lines."""
    return b"".join(one + b"\n" for one in lines)
