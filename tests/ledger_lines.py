"""Ledger lines made by hand, in the order in which a run would write them."""

from __future__ import annotations

from typing import Any

import orjson

from bulkpause.events import Fields, outcome_fields
from bulkpause.models import Operation, Outcome, Status
from tests.cli.made import report_id

RUN_ID = "20261122-030000-0b5c2c"


class Lines(list[dict[str, Any]]):
    """The lines of one ledger, a second apart, each with the next `seq`."""

    def add(self, event: str, **fields: Any) -> dict[str, Any]:
        """One more line."""
        seq = len(self) + 1
        at = f"2026-11-22T03:{seq // 60:02}:{seq % 60:02}.000000Z"
        self.append({"schema": 1, "run_id": RUN_ID, "seq": seq, "at": at, "event": event, **fields})
        return self[-1]

    def start(self, event: str = "run_started", **fields: Any) -> None:
        """The first line of a run, or of its continuation."""
        given = {"source": "reports.csv", "target": "https://api.example", "tenant_id": "contoso", "sandbox": False}
        self.add(event, **{"operation": "pause", **given, **fields})

    def intent(self, number: int, attempt: int = 1, **fields: Any) -> None:
        """The intent of an attempt; report n stands in row n + 1."""
        ids = {"request_id": f"request-{number}", "correlation_id": f"{number}.{attempt}"}
        self.add(
            "attempt_started",
            **{"report_id": report_id(number), "row": number + 1, "attempt": attempt, **ids, **fields},
        )

    def retry(self, number: int, attempt: int = 1, **fields: Any) -> None:
        """Why another attempt follows: a 503, unless told otherwise."""
        given = {"verdict": "fault", "status_code": 503, "http_status": 503, "message": "busy", "error": None}
        numbers = {"sent": 1, "elapsed_ms": 12.5, "retry_in_ms": 250}
        self.add(
            "retry_scheduled", **{"report_id": report_id(number), "attempt": attempt, **given, **numbers, **fields}
        )

    def outcome(self, number: int, status: Status = Status.SUCCEEDED, *, event: str = "outcome", **fields: Any) -> None:
        """How report n ended: with one request unless it was never sent."""
        tries = int(status not in {Status.SKIPPED, Status.INVALID, Status.UNCHANGED})
        code = 200 if status is Status.SUCCEEDED else None
        given: dict[str, Any] = {"tries": tries, "sent": tries, "status_code": code, "row": number + 1, **fields}
        outcome = Outcome(status, report_id=report_id(number), **given)
        self.add(event, **outcome_fields(outcome, operation=Operation.PAUSE))

    def finish(self, state: str = "finished", **summary: Any) -> None:
        """The closing line, without its digests."""
        document = {"state": state, "duplicates": 0, "stopped_by": None, **summary}
        self.add("run_finished", summary=document, lines=len(self) + 1, head="0" * 64)

    def raw(self, newline: bytes = b"\n") -> bytes:
        """As they stand in the file."""
        return b"".join(orjson.dumps(line) + newline for line in self)


def as_read(line: Fields) -> dict[str, Any]:
    """The line after a way through the file."""
    found: dict[str, Any] = orjson.loads(orjson.dumps(line))
    return found
