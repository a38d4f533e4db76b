"""The sandbox's journal: what arrived, and what was done about it, written down before the reply leaves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import orjson


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One request on the wire."""

    seq: int
    at: str
    """Arrival, RFC 3339 UTC with microseconds."""
    at_s: float
    """Arrival on the sandbox's monotonic clock; only differences mean anything."""
    method: str
    path: str
    """The request target as it was sent, query included, secrets never being in one."""
    operation: str | None
    """pause, resume, list, token, discovery; None for a path the service does not have."""
    report_id: str | None
    request_id: str | None
    correlation_id: str | None
    status: int | str
    """The HTTP status answered, else dropped, reset, lost, torn or hung."""
    effect: bool
    """Whether the request was carried out: the report is in the state asked for, by this request or an earlier one."""
    changed: bool
    """Whether the report's state differs from before."""
    fault: str | None
    """The fault rule that was met, as written."""
    delay_ms: float
    """The latency the reply was held back for."""
    token: str | None
    """Fingerprint of the bearer token that was presented."""
    connection: int
    """Number of the connection, from 1."""


class Journal:
    """Every request of one sandbox in order of arrival; with a file, one JSON line each, unbuffered."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._entries: list[JournalEntry] = []

    def __enter__(self) -> Self:
        if self._path is not None:
            self._file = self._path.open("ab", buffering=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def next_seq(self) -> int:
        """The number the next entry must bear: gapless, from 1."""
        return len(self._entries) + 1

    @property
    def entries(self) -> tuple[JournalEntry, ...]:
        """A snapshot; safe to take from any thread."""
        return tuple(self._entries)

    @property
    def puts(self) -> tuple[JournalEntry, ...]:
        """The pause and resume requests, whatever became of them."""
        return tuple(entry for entry in self._entries if entry.operation in {"pause", "resume"})

    def record(self, entry: JournalEntry) -> None:
        """Append, on disk first; OSError if the file cannot take the line."""
        if self._file is not None:
            self._file.write(_line(entry))
        self._entries.append(entry)

    def to_json_lines(self) -> bytes:
        """The whole journal as the file would hold it."""
        return b"".join(map(_line, self.entries))


def _line(entry: JournalEntry) -> bytes:
    return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
