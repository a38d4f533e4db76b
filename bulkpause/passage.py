"""All gates taken as one: open together, left together, and told together what came back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bulkpause.models import Attempt, Halt, ReportId
from bulkpause.ports import Gate


class Passage:
    """The way out, past every gate."""

    def __init__(self, gates: Sequence[Gate]) -> None:
        self._gates = tuple(gates)

    async def admit(self) -> None:
        """Return when every gate is open at once; the rate comes last, so nothing delays what it let out."""
        while True:
            for gate in self._gates:
                await gate.admit()
            for gate in self._gates:
                if not gate.is_open():
                    break
            else:
                return

    def depart(self) -> None:
        """An attempt leaves now."""
        for gate in self._gates:
            gate.depart()

    def observe(self, report_id: ReportId, attempt: Attempt) -> Iterator[Halt]:
        """Let every gate learn from an attempt that departed; the Halts that come of it."""
        for gate in self._gates:
            if halt := gate.observe(report_id, attempt):
                yield halt
