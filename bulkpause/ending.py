"""Why the engine ends before every id had its turn: the first reason is the one that counts."""

from __future__ import annotations

from bulkpause.events import halt_fields
from bulkpause.models import Halt, Notice
from bulkpause.ports import Record


class Ending:
    """Keeps the reason, and writes it down as soon as something is left undone for it."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self.closed: Halt | None = None
        """Why no further id is begun, if none is; it may be that none is left."""
        self.halted: Halt | None = None
        """Why something is left undone."""

    def declare(self, halt: Halt) -> None:
        """Something is left undone because of `halt`."""
        if self.halted is None:
            self.halted = halt
            self._record.notice(Notice("halted", halt_fields(halt)))

    def note_undone(self) -> None:
        """Something is left undone, because of the closing if there was one."""
        if self.closed is not None:
            self.declare(self.closed)
