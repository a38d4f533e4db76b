"""A record that writes to memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from bulkpause.audit import AuditLog
from bulkpause.errors import AuditError
from bulkpause.models import Operation
from bulkpause.record import RunRecord
from bulkpause.redaction import Redactor
from bulkpause.summary import RunSummary


class FakeAudit:
    """A ledger in memory, which a test can break."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, Mapping[str, Any]]] = []
        self.durable_up_to = 0
        self.broken = False

    def check(self) -> None:
        """Raise if it is broken."""
        if self.broken:
            raise AuditError("full")

    def write(self, event: str, fields: Mapping[str, Any]) -> int:
        """Keep the line; its number."""
        self.check()
        self.lines.append((event, fields))
        return len(self.lines)

    async def durable(self) -> None:
        """All that was written is."""
        self.check()
        self.durable_up_to = len(self.lines)


class FakeLog:
    """A log in memory."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, dict[str, Any]]] = []

    def __getattr__(self, level: str) -> Any:
        return lambda event, **fields: self.said.append((level, event, fields))


class Recording:
    """A record and all that it writes to."""

    def __init__(self) -> None:
        self.audit, self.log, self.summary = FakeAudit(), FakeLog(), RunSummary()
        self.record = RunRecord(
            operation=Operation.PAUSE,
            audit=cast("AuditLog", self.audit),
            summary=self.summary,
            log=self.log,
            redactor=Redactor(["planted"]),
        )

    def events(self, event: str) -> list[Mapping[str, Any]]:
        """The fields of the lines of one kind."""
        return [fields for kind, fields in self.audit.lines if kind == event]
